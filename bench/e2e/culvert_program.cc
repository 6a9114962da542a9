#include "bench/e2e/culvert_program.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "bench/e2e/error.h"
#include "bench/e2e/process.h"

namespace culvert::bench {

std::string culvert_program() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) {
    if (std::string beside = self.parent_path() / "culvert"; ::access(beside.c_str(), X_OK) == 0)
      return beside;
  }
  return find_program("culvert");
}

Result<void> check_culvert_program() {
  if (!culvert_program().empty()) return {};
  return fail(ENOENT, "find", "culvert",
              "it is neither beside culvert-bench nor in PATH: build it with `cmake --build BUILD "
              "--target culvert`, where BUILD is the build folder of culvert");
}

}  // namespace culvert::bench
