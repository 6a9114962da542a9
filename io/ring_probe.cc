// probe_ring(): whether io_uring may be used, and if not, why.
#include <cerrno>
#include <fstream>
#include <string>

#include "io/ring.h"
#include "io/uring.h"

namespace culvert::io {
namespace {

int disabled_by_sysctl() {
  int value = 0;
  std::ifstream{"/proc/sys/kernel/io_uring_disabled"} >> value;
  return value;
}

std::string advice_on(int code) {
  switch (code) {
    case ENOSYS:
      return "this kernel has no io_uring";
    case EPERM:
    case EACCES:
      if (const int value = disabled_by_sysctl(); value != 0)
        return "the sysctl kernel.io_uring_disabled is " + std::to_string(value);
      return "refused by a seccomp filter, as of Docker's default profile";
    case EINVAL:
      return "the kernel is older than 6.1: no deferred task run";
    case ENOMEM:
      return "RLIMIT_MEMLOCK is too small";
    default:
      return {};
  }
}

}  // namespace

Result<void> probe_ring() {
  constexpr std::size_t kEntries = 4;
  Uring uring;
  int error = uring.open(kEntries, 2 * kEntries);
  BufferRing buffers;
  if (error == 0) error = buffers.open(uring, 0, kEntries);
  if (error == 0) {  // a seccomp filter may allow io_uring_setup() and refuse io_uring_enter()
    uring.enable();
    uring.submit();
    error = uring.fault();
  }
  if (error == 0) return {};
  return Unexpected{Error{
      .code = error, .operation = "set up", .object = "io_uring", .advice = advice_on(error)}};
}

}  // namespace culvert::io
