// ndppd.conf: every accepted file is converted to TOML that our parser accepts, and to a report of
// printable lines.
#include <string>

#include "tests/fuzz/fuzz.h"
#include "tools/culvert/config/config_file.h"
#include "tools/culvert/import/ndppd_import.h"

namespace {

using namespace culvert;
using namespace culvert::program;
using fuzz::require;

void require_line(const std::string& line) {
  for (const char c : line) {
    require(static_cast<unsigned char>(c) >= ' ' && c != 127, "what is said is one printable line");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text{reinterpret_cast<const char*>(data), size};
  const auto imported = import_ndppd(text, "ndppd.conf");
  if (!imported) {
    require(!imported.error().advice.empty(), "an error says what to do");
    require_line(imported.error().message());
    return 0;
  }
  require(!imported->keys.empty(), "every key is reported");
  for (const ImportedKey& key : imported->keys) require_line(report_line(key, "ndppd.conf"));
  require_line(imported->summary);
  if (!imported->toml.empty()) {
    require(parse_config(imported->toml, "toml").has_value(), "what is written is read again");
  }
  return 0;
}
