#include "engine/model/device_name.h"

#include <algorithm>

namespace culvert {
namespace {

constexpr std::size_t kMaxNameBytes = 15;  // IFNAMSIZ without the terminating zero

}  // namespace

Result<void> check_interface_name(std::string_view word, const std::string& name) {
  const auto refuse = [&](std::string advice) {
    return Unexpected{Error{.code = 0,
                            .operation = "configure",
                            .object = std::string{word} + " '" + name + "'",
                            .advice = std::move(advice)}};
  };
  const auto is_bad = [](unsigned char c) {
    return c <= ' ' || c == '/' || c == ':' || c == '%' || c == 0x7f;
  };
  if (name.empty() || name == "." || name == ".." ||
      std::any_of(name.begin(), name.end(), is_bad)) {
    return refuse("a name has 1 to 15 characters, no space, '/', ':' or '%'");
  }
  if (name.size() > kMaxNameBytes)
    return refuse("has " + std::to_string(name.size()) + " characters; Linux allows 15");
  return {};
}

}  // namespace culvert
