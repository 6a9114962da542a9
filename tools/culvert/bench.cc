// culvert bench: runs culvert-bench from the folder of culvert, or from PATH.
#include <unistd.h>

#include <filesystem>
#include <system_error>

#include "tools/culvert/commands.h"

namespace culvert::program {
namespace {

constexpr const char* kBenchProgram = "culvert-bench";

/// Replaces this process. Returns if there is no such program.
void execute(const std::string& path, const std::vector<std::string>& words) {
  std::vector<char*> arguments{const_cast<char*>(kBenchProgram)};
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  ::execvp(path.c_str(), arguments.data());
}

}  // namespace

int bench(const std::vector<std::string>& words) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) execute(self.parent_path() / kBenchProgram, words);
  execute(kBenchProgram, words);  // PATH
  return complain(
      "culvert-bench is neither in the folder of this program nor in PATH: build it with "
      "`cmake --build BUILD --target culvert-bench`, where BUILD is the build folder of culvert",
      kSystemError);
}

}  // namespace culvert::program
