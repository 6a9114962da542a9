#include "bench/e2e/namespace.h"

#include <fcntl.h>
#include <sched.h>

#include <cerrno>
#include <exception>

#include "bench/e2e/error.h"

namespace culvert::bench {

io::Fd Namespace::current() {
  return io::Fd{::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)};
}

void Namespace::return_to(const io::Fd& previous) noexcept {
  // The descriptor is open, so this cannot fail. The program must not continue in a wrong
  // namespace.
  if (::setns(previous.get(), CLONE_NEWNET) != 0) std::terminate();
}

Result<Namespace> Namespace::make() {
  const io::Fd previous = current();
  if (!previous) return fail(errno, "open", "/proc/thread-self/ns/net", "is /proc mounted?");
  if (::unshare(CLONE_NEWNET) != 0) {
    return fail(errno, "make", "a network namespace",
                "needs root; in a container more than CAP_NET_ADMIN (Docker: --privileged)");
  }
  io::Fd made = current();
  return_to(previous);
  if (!made) return fail(errno, "open", "a new network namespace");
  return Namespace{std::move(made)};
}

Result<void> Namespace::enter() const {
  if (::setns(fd_.get(), CLONE_NEWNET) == 0) return {};
  return fail(errno, "enter", "a network namespace");
}

Result<void> set_net_setting(const std::string& name, const std::string& value) {
  const std::string path = "/proc/sys/net/" + name;
  const io::Fd file{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
  if (file && ::write(file.get(), value.data(), value.size()) == static_cast<ssize_t>(value.size()))
    return {};
  return fail(errno, "write", path);
}

}  // namespace culvert::bench
