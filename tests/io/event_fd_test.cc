#include "io/event_fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>

namespace culvert::io {
namespace {

bool is_readable(const EventFd& event) {
  pollfd polled{.fd = event.fd(), .events = POLLIN, .revents = 0};
  return ::poll(&polled, 1, 0) == 1;
}

TEST(EventFd, IsReadableFromASignalUntilItIsCleared) {
  const auto event = EventFd::open("a test");
  ASSERT_TRUE(event);
  EXPECT_FALSE(is_readable(*event));
  event->signal();
  event->signal();
  EXPECT_TRUE(is_readable(*event));
  event->clear();
  EXPECT_FALSE(is_readable(*event));
  event->clear();  // does not wait for a signal
}

TEST(EventFd, BlocksOnlyIfAskedTo) {
  const auto flags = [](EventFd::Mode mode) {
    return ::fcntl(EventFd::open("a test", mode)->fd(), F_GETFL);
  };
  EXPECT_NE(flags(EventFd::Mode::non_blocking) & O_NONBLOCK, 0);
  EXPECT_EQ(flags(EventFd::Mode::blocking) & O_NONBLOCK, 0);
}

TEST(EventFd, SaysForWhomThereIsNoDescriptor) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto event = EventFd::open("tun0");
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_FALSE(event);
  EXPECT_EQ(event.error().message(), "open eventfd for tun0: EMFILE (Too many open files)");
}

}  // namespace
}  // namespace culvert::io
