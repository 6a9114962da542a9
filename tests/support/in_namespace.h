// Runs the body of a test in a child process with its own network namespace, so that devices,
// addresses and routes always disappear with the process.
#pragma once

#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <exception>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>

#include "io/fd.h"

namespace culvert::test {

enum class ChildResult { passed, failed, not_permitted };

/// `lo` is up in the namespace. Limited to 60 s.
inline ChildResult run_in_namespace(const std::function<void()>& body) {
  constexpr int kNotPermitted = 77;
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);
    if (::unshare(CLONE_NEWNET) != 0) ::_exit(kNotPermitted);
    const io::Fd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP;
    EXPECT_EQ(::ioctl(socket.get(), SIOCSIFFLAGS, &request), 0);
    try {
      body();
    } catch (const std::exception& exception) {  // must not continue with the parent's tests
      ADD_FAILURE() << exception.what();
    }
    std::fflush(nullptr);
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child || !WIFEXITED(status)) {
    return ChildResult::failed;
  }
  if (WEXITSTATUS(status) == kNotPermitted) return ChildResult::not_permitted;
  return WEXITSTATUS(status) == 0 ? ChildResult::passed : ChildResult::failed;
}

/// For the body of a TEST: fails or skips the test by the result of the child, which prints its own
/// failures.
inline void in_namespace(const std::function<void()>& body) {
  const ChildResult result = run_in_namespace(body);
  if (result == ChildResult::not_permitted) GTEST_SKIP() << "may not make a network namespace";
  EXPECT_EQ(result, ChildResult::passed) << "see what the child printed above";
}

/// The MTU of an interface in bytes; 0: there is no such interface.
inline int mtu_of(const std::string& interface) {
  const io::Fd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  ifreq request{};
  interface.copy(request.ifr_name, IFNAMSIZ - 1);
  return ::ioctl(socket.get(), SIOCGIFMTU, &request) == 0 ? request.ifr_mtu : 0;
}

/// The kernel's IPv6 addresses and routes, as text.
inline std::string addresses_and_routes() {
  std::ostringstream text;
  text << std::ifstream{"/proc/net/if_inet6"}.rdbuf()
       << std::ifstream{"/proc/net/ipv6_route"}.rdbuf();
  return text.str();
}

}  // namespace culvert::test
