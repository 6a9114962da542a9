// A network namespace for a test, with devices, and sockets that act as the remote hosts.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

#include "io/fd.h"
#include "tests/support/packet_builder.h"

namespace culvert::io {

using test::Bytes;

/// Runs a command in this thread's namespace.
inline void run(const std::string& command) {
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
}
inline void ip(const std::string& arguments) { run("ip " + arguments); }

/// Adds an IPv6 address, given with its length, and waits until the host answers for it. The kernel
/// adds the address's route to the table `local` in a thread of its own; before, it drops what
/// arrives.
inline void add_ipv6_address(const std::string& device, const std::string& address) {
  ip("address add " + address + " dev " + device + " nodad");
  const std::string host = address.substr(0, address.find('/'));
  run("timeout 10 sh -c 'until ip -6 route show table local " + host +
      " | grep -q ^local; do sleep 0.01; done'");
}

inline Fd this_namespace() { return Fd{::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)}; }

/// Creates and enters a network namespace with only a loopback device, which is up. Returns false
/// without the privilege.
inline bool enter_fresh_namespace() {
  if (::unshare(CLONE_NEWNET) != 0) return false;
  // Prevents router solicitations of the kernel, which tests would count.
  std::ofstream{"/proc/sys/net/ipv6/conf/default/disable_ipv6"} << 1;
  return std::system("ip link set lo up") == 0;
}

/// Enters another namespace and returns in its destructor.
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

/// Sets an interface up and waits until it can send: the kernel attaches its queue when a worker
/// thread has seen the carrier, and drops packets before.
inline void set_up(const char* interface) {
  ip(std::string{"link set up dev "} + interface);
  const Fd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  ifreq request{};
  std::strncpy(request.ifr_name, interface, IFNAMSIZ - 1);
  for (int i = 0; i < 3000; ++i) {
    ASSERT_EQ(::ioctl(socket.get(), SIOCGIFFLAGS, &request), 0);
    if ((request.ifr_flags & IFF_RUNNING) != 0) break;
    ::usleep(1000);
  }
  // The kernel sets that flag first and attaches the queue before it releases a lock. This call
  // needs the lock.
  ip(std::string{"link set up dev "} + interface);
}

/// Every test starts in its own namespace.
class NamespaceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!enter_fresh_namespace())
      GTEST_SKIP() << "network namespaces are not permitted here: " << std::strerror(errno);
  }
};

/// Two namespaces joined by veth: this one has `ours` (192.0.2.1), the remote one `theirs`
/// (192.0.2.2).
class Wire {
 public:
  Wire() {
    const Fd ours = this_namespace();
    EXPECT_TRUE(enter_fresh_namespace());
    peer_ = this_namespace();
    EXPECT_EQ(::setns(ours.get(), CLONE_NEWNET), 0);
    // With equal indexes the two devices get their carrier up to a second late.
    ip("link add ours index 10 address 02:00:00:00:00:01 type veth"
       " peer name theirs index 11 address 02:00:00:00:00:02 netns /proc/" +
       std::to_string(::getpid()) + "/fd/" + std::to_string(peer_.get()));
    ip("addr add 192.0.2.1/24 dev ours");
    ip("link set ours up");
    {
      const Inside there(peer_);
      ip("addr add 192.0.2.2/24 dev theirs");
      set_up("theirs");
      // Permanent neighbors: the first packets of a burst must not wait for a neighbor look-up.
      ip("neigh replace 192.0.2.1 lladdr 02:00:00:00:00:01 dev theirs");
    }
    set_up("ours");
    ip("neigh replace 192.0.2.2 lladdr 02:00:00:00:00:02 dev ours");
  }
  [[nodiscard]] const Fd& peer() const { return peer_; }

 private:
  Fd peer_;
};

inline sockaddr_in address_of(const char* text, std::uint16_t port = 0) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  EXPECT_EQ(::inet_pton(AF_INET, text, &address.sin_addr), 1);
  return address;
}

inline Fd open_test_socket(int family, int type, int protocol) {
  Fd socket{::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol)};
  EXPECT_TRUE(socket) << std::strerror(errno);
  return socket;
}

/// A UDP socket, bound to an address and port of this namespace.
inline Fd udp_socket(const char* address, std::uint16_t port) {
  Fd socket = open_test_socket(AF_INET, SOCK_DGRAM, 0);
  const auto local = address_of(address, port);
  EXPECT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&local), sizeof local), 0)
      << std::strerror(errno);
  return socket;
}

/// A raw socket of the remote namespace. With IPPROTO_RAW it sends whole IPv4 packets.
inline Fd peer_raw_socket(const Wire& wire, int protocol) {
  const Inside there(wire.peer());
  return open_test_socket(AF_INET, SOCK_RAW, protocol);
}

inline void send_to(const Fd& socket, const char* destination, const Bytes& bytes,
                    std::uint16_t port = 0) {
  const auto address = address_of(destination, port);
  const auto sent = ::sendto(socket.get(), bytes.data(), bytes.size(), 0,
                             reinterpret_cast<const sockaddr*>(&address), sizeof address);
  ASSERT_EQ(sent, static_cast<ssize_t>(bytes.size())) << std::strerror(errno);
}

/// Enlarges the receive buffer: the default is a few hundred small packets.
inline void grow_receive_buffer(const Fd& socket) {
  constexpr int kBytes = 16 << 20;
  ASSERT_EQ(::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kBytes, sizeof kBytes), 0);
}

/// The next packet of a socket, which usually arrives at once; empty if none arrives.
inline Bytes receive_from(const Fd& socket) {
  constexpr int kMilliseconds = 50;
  pollfd readable{.fd = socket.get(), .events = POLLIN, .revents = 0};
  ::poll(&readable, 1, kMilliseconds);
  Bytes bytes(70'000);
  const auto received = ::recv(socket.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
  bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(received, 0)));
  return bytes;
}

/// Reads all packets of a socket and returns their number.
inline std::size_t count_received(const Fd& socket) {
  std::size_t count = 0;
  while (!receive_from(socket).empty()) ++count;
  return count;
}

/// A two-byte number that identifies a packet.
inline Bytes numbered(int number, std::size_t size = 2) {
  Bytes bytes = test::pattern(size);
  bytes[0] = static_cast<std::byte>(number >> 8);
  bytes[1] = static_cast<std::byte>(number);
  return bytes;
}
inline int number_of(std::span<const std::byte> bytes) {
  return std::to_integer<int>(bytes[0]) << 8 | std::to_integer<int>(bytes[1]);
}

}  // namespace culvert::io
