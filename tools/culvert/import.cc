// culvert import: converts another program's configuration file to sections for --config.
#include "tools/culvert/import/ndppd_import.h"

#include "tools/culvert/commands.h"
#include "tools/culvert/config/text_file.h"

namespace culvert::program {

int import_file(const ImportArguments& arguments) {
  if (arguments.format != "ndppd" || arguments.path.empty()) {
    return complain(
        "import needs a format and a file: write `culvert import ndppd FILE`; see "
        "`culvert import --help`",
        kUsageError);
  }
  const auto text = read_text_file(arguments.path, "write the path of a readable file");
  if (!text) return complain(text.error().message(), kSystemError);
  const auto imported = import_ndppd(*text, arguments.path);
  if (!imported) return complain(imported.error().message(), kUsageError);
  print(imported->toml);
  for (const ImportedKey& key : imported->keys) {
    print_error(report_line(key, arguments.path) + "\n");
  }
  print_error(arguments.path + ": " + imported->summary + "\n");
  if (imported->is_whole() || arguments.lossy) return kOk;
  return complain("some keys are unsupported, see the lines above: write --lossy to accept that",
                  kUnsupported);
}

}  // namespace culvert::program
