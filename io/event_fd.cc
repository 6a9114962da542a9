#include "io/event_fd.h"

#include <sys/eventfd.h>

#include <cerrno>

namespace culvert::io {

Result<EventFd> EventFd::open(const std::string& object, Mode mode) {
  Fd fd{::eventfd(0, EFD_CLOEXEC | (mode == Mode::non_blocking ? EFD_NONBLOCK : 0))};
  if (!fd)
    return Unexpected{
        Error{.code = errno, .operation = "open eventfd for", .object = object, .advice = ""}};
  return EventFd{std::move(fd)};
}

void EventFd::signal() const noexcept { ::eventfd_write(fd_.get(), 1); }

void EventFd::clear() const noexcept {
  eventfd_t signals;
  ::eventfd_read(fd_.get(), &signals);
}

}  // namespace culvert::io
