#include "tools/culvert/cli/print.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string>

#include "io/result.h"

namespace culvert::program {
namespace {

/// The errno of the first print() that failed; 0: none.
std::atomic<int> output_error{0};

/// Returns 0, or the errno of the write that failed.
int write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno != EINTR) return errno;
    if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

}  // namespace

void print(std::string_view text) {
  const int error = write_all(STDOUT_FILENO, text);
  int none = 0;
  if (error != 0) output_error.compare_exchange_strong(none, error);
}

void print_error(std::string_view text) { (void)write_all(STDERR_FILENO, text); }

int finish_output(int status) {
  const int code = output_error;
  if (code == 0) return status;
  const Error error{.code = code,
                    .operation = "write",
                    .object = "stdout",
                    .advice = "the output is not complete"};
  return complain(error.message(), kSystemError);
}

int complain(std::string_view sentence, int status) {
  print_error(std::string{kProgramName} + ": " + std::string{sentence} + "\n");
  return status;
}

void keep_standard_descriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    // open() returns the lowest free number. That is `fd`.
    if (::fcntl(fd, F_GETFD) < 0) ::open("/dev/null", fd == STDOUT_FILENO ? O_RDONLY : O_RDWR);
  }
}

}  // namespace culvert::program
