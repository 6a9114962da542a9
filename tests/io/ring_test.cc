// probe_ring() reports why io_uring is refused. A seccomp filter refuses it, in a child process per
// test.
#include "io/ring.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace culvert::io {
namespace {

using testing::HasSubstr;

/// Makes io_uring_setup() fail with `code` from now on.
bool refuse_ring(int code) {
  const std::array program{
      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(code)),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog filter{.len = program.size(),
                          .filter = const_cast<sock_filter*>(program.data())};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

/// The error of probe_ring() in a process in which io_uring is refused.
std::string refusal(int code) {
  int pipe[2];
  EXPECT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    std::string text = "no seccomp here";
    if (refuse_ring(code)) {
      const auto probed = probe_ring();
      text = probed ? "allowed" : probed.error().message();
    }
    ::_exit(::write(pipe[1], text.data(), text.size()) < 0);
  }
  ::close(pipe[1]);
  std::string text(2000, '\0');
  const auto size = ::read(pipe[0], text.data(), text.size());
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  ::close(pipe[0]);
  ::waitpid(child, nullptr, 0);
  return text;
}

TEST(RingProbe, SaysWhyItIsRefused) {
  EXPECT_THAT(refusal(EPERM), HasSubstr("set up io_uring: EPERM (refused by a seccomp filter"));
  EXPECT_EQ(refusal(ENOSYS), "set up io_uring: ENOSYS (this kernel has no io_uring)");
  EXPECT_THAT(refusal(EINVAL), HasSubstr("EINVAL (the kernel is older than 6.1"));
  EXPECT_THAT(refusal(ENOMEM), HasSubstr("RLIMIT_MEMLOCK"));
}

}  // namespace
}  // namespace culvert::io
