// Runs a fuzz target over the files of its corpus, as libFuzzer does with -runs=0, for compilers
// without libFuzzer. usage: <unit>_fuzz CORPUS_FOLDER...; exit status 1 if there is no file.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "tests/fuzz/fuzz.h"

int main(int count, char** arguments) {
  std::size_t files = 0;
  for (int index = 1; index < count; ++index) {
    for (const auto& entry : std::filesystem::directory_iterator{arguments[index]}) {
      std::ifstream file{entry.path(), std::ios::binary};
      const std::vector<char> content{std::istreambuf_iterator<char>{file}, {}};
      const std::vector<std::uint8_t> input(content.begin(), content.end());
      std::cout << entry.path().filename().string()
                << std::endl;  // after a crash the last name is the cause
      LLVMFuzzerTestOneInput(input.data(), input.size());
      ++files;
    }
  }
  std::cout << files << " inputs\n";
  return files == 0 ? 1 : 0;
}
