// A network namespace of its own for a test, devices in it, and sockets that stand for the peers.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "io/fd.h"
#include "proto/address.h"
#include "tests/support/memory_queue.h"

namespace culvert::io {

using test::Bytes;

/// Runs `ip ARGUMENTS` in the namespace of this thread.
inline void ip(const std::string& arguments) {
  ASSERT_EQ(std::system(("ip " + arguments).c_str()), 0) << "ip " << arguments;
}

inline Fd this_namespace() { return Fd{::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)}; }

/// Makes a fresh network namespace, without anything but a loopback device that is up, and enters
/// it. False: not permitted here.
inline bool enter_fresh_namespace() {
  if (::unshare(CLONE_NEWNET) != 0) return false;
  // The kernel's own router solicitations would come among the packets that are counted.
  std::ofstream{"/proc/sys/net/ipv6/conf/default/disable_ipv6"} << 1;
  return std::system("ip link set lo up") == 0;
}

/// Stays in another namespace as long as it lives.
class Inside {
 public:
  explicit Inside(const Fd& other) : before_(this_namespace()) {
    EXPECT_EQ(::setns(other.get(), CLONE_NEWNET), 0);
  }
  ~Inside() { EXPECT_EQ(::setns(before_.get(), CLONE_NEWNET), 0); }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  Fd before_;
};

/// Every test begins in a namespace of its own.
class NamespaceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!enter_fresh_namespace())
      GTEST_SKIP() << "network namespaces are not permitted here: " << std::strerror(errno);
  }
};

/// Two namespaces joined by veth: we are in the one of `ours` (192.0.2.1), the peer has `theirs`
/// (192.0.2.2).
struct Wire {
  Fd peer;  ///< namespace

  Wire() {
    Fd ours = this_namespace();
    EXPECT_TRUE(enter_fresh_namespace());
    peer = this_namespace();
    EXPECT_EQ(::setns(ours.get(), CLONE_NEWNET), 0);
    const std::string peer_path = "/proc/self/fd/" + std::to_string(peer.get());
    const int inheritable = ::dup(peer.get());
    ip("link add ours type veth peer name theirs netns /proc/" + std::to_string(::getpid()) +
       "/fd/" + std::to_string(inheritable));
    ::close(inheritable);
    ip("addr add 192.0.2.1/24 dev ours");
    ip("link set ours up");
    Inside there(peer);
    ip("addr add 192.0.2.2/24 dev theirs");
    ip("link set theirs up");
  }
};

inline sockaddr_in address_of(const char* text, std::uint16_t port = 0) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  EXPECT_EQ(::inet_pton(AF_INET, text, &address.sin_addr), 1);
  return address;
}

/// A UDP socket, bound to a port of an address of this namespace.
inline Fd udp_socket(const char* address, std::uint16_t port) {
  Fd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  const auto local = address_of(address, port);
  EXPECT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&local), sizeof local), 0)
      << std::strerror(errno);
  return socket;
}

/// A raw socket of a protocol; for the protocol's payload, without an IPv4 header.
inline Fd raw_socket(int protocol) {
  Fd socket{::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol)};
  EXPECT_TRUE(socket) << std::strerror(errno);
  return socket;
}

/// Returns the errno, or 0.
inline int send_to(const Fd& socket, const sockaddr_in& destination,
                   std::span<const std::byte> bytes) {
  const auto sent = ::sendto(socket.get(), bytes.data(), bytes.size(), 0,
                             reinterpret_cast<const sockaddr*>(&destination), sizeof destination);
  return sent < 0 ? errno : 0;
}

/// What has arrived at a socket; empty if nothing has.
inline Bytes receive_from(const Fd& socket) {
  Bytes bytes(70'000);
  const auto received = ::recv(socket.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
  bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(received, 0)));
  return bytes;
}

inline Bytes bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span{text});
  return {bytes.begin(), bytes.end()};
}

}  // namespace culvert::io
