// culvert import: other programs' configuration as sections for --config.
#include "tools/culvert/import/ndppd_import.h"

#include "tools/culvert/commands.h"
#include "tools/culvert/config/text_file.h"

namespace culvert::program {

int import_file(const ImportArguments& arguments) {
  if (arguments.format != "ndppd" || arguments.path.empty()) {
    return complain(
        "say which file of which program: `culvert import ndppd FILE`; see `culvert "
        "import --help`",
        kUsageError);
  }
  const auto text = read_text_file(arguments.path, "give the path of a readable file");
  if (!text) return complain(text.error().message(), kSystemError);
  const auto imported = import_ndppd(*text, arguments.path);
  if (!imported) return complain(imported.error().message(), kUsageError);
  print(imported->toml);
  for (const ImportedKey& key : imported->keys) {
    print_error(report_line(key, arguments.path) + "\n");
  }
  print_error(arguments.path + ": " + imported->summary + "\n");
  if (imported->is_whole() || arguments.lossy) return kOk;
  return complain(
      "not everything could be taken over: see `unsupported` above; --lossy accepts that",
      kNotWhole);
}

}  // namespace culvert::program
