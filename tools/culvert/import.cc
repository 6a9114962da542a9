// culvert import: converts another program's configuration file to sections for --config.
#include "tools/culvert/import/ndppd_import.h"

#include "tools/culvert/commands.h"
#include "tools/culvert/config/parse_value.h"
#include "tools/culvert/config/text_file.h"

namespace culvert::program {
namespace {

/// The dialect of `--dialect`. nullopt: the option is not given. The error is a sentence.
Expected<std::optional<NdppdDialect>, std::string> read_dialect(const std::string& text) {
  if (text.empty()) return std::optional<NdppdDialect>{};
  if (text == "0.2") return std::optional{NdppdDialect::v0_2};
  if (text == "1.0") return std::optional{NdppdDialect::v1_0};
  return Unexpected{"word '--dialect', value " + quoted(text) + ": must be 0.2 or 1.0"};
}

/// Prints what is missing from the result, if anything is. Returns the exit status.
int finish(const Imported& imported, const ImportArguments& arguments) {
  if (imported.is_whole() && !imported.toml.empty()) return kOk;
  if (imported.toml.empty()) {
    return complain("nothing is left of " + arguments.path +
                        ": it has no rule that culvert can use, so there is no section on stdout",
                    arguments.lossy ? kOk : kUnsupported);
  }
  if (arguments.lossy) return kOk;
  return complain("some keys are unsupported, see the lines above: write --lossy to accept that",
                  kUnsupported);
}

}  // namespace

int import_file(const ImportArguments& arguments) {
  if (arguments.format != "ndppd" || arguments.path.empty()) {
    return complain(
        "import needs a format and a file: write `culvert import ndppd FILE`; see "
        "`culvert import --help`",
        kUsageError);
  }
  const auto dialect = read_dialect(arguments.dialect);
  if (!dialect) return complain(dialect.error(), kUsageError);
  const auto text = read_text_file(arguments.path, "write the path of a readable file");
  if (!text) return complain(text.error().message(), kSystemError);
  const auto imported = import_ndppd(*text, arguments.path, *dialect);
  if (!imported) return complain(imported.error().message(), kUsageError);
  print(imported->toml);
  for (const ImportedKey& key : imported->keys) {
    print_error(report_line(key, arguments.path) + "\n");
  }
  print_error(arguments.path + ": " + imported->summary + "\n");
  return finish(*imported, arguments);
}

}  // namespace culvert::program
