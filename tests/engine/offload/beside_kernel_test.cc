// Gso, Gro and Ipv4Fragmenter compared with Linux, which does the same work.
//
//     test --TUN `in`, virtio headers--> [forwarding, GSO] --TUN `out`, no offload--> test
//     test --TUN `in`, fragments--> [reassembly] --raw socket--> test
//
// in a network namespace that lives as long as one thread. Skipped without privileges.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/if_tun.h>
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
#include <functional>
#include <string>
#include <thread>

#include "io/fd.h"
#include "io/offload.h"
#include "proto/address.h"
#include "tests/support/cut.h"
#include "tests/support/gro_round.h"
#include "tests/support/transport_packet.h"

namespace culvert {
namespace {

using test::Bytes;
using test::Checksum;
using test::pick;
using test::TransportPacket;

void ip(const std::string& arguments) {
  ASSERT_EQ(std::system(("ip " + arguments).c_str()), 0) << "ip " << arguments;
}

void set_sysctl(const std::string& name, const std::string& value) {
  std::ofstream file{"/proc/sys/net/" + name};
  file << value << std::flush;
  ASSERT_TRUE(file) << name;
}

/// A TUN device in this thread's namespace, with or without virtio-net headers; all offloads are
/// off.
io::Fd open_tun(const char* name, bool has_virtio_header) {
  io::Fd tun{::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC)};
  ifreq request{};
  std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  const int flags = IFF_TUN | IFF_NO_PI | (has_virtio_header ? IFF_VNET_HDR : 0);
  request.ifr_flags = static_cast<short>(flags);
  if (::ioctl(tun.get(), TUNSETIFF, &request) != 0) tun.reset();
  EXPECT_TRUE(tun) << "TUN " << name << ": " << std::strerror(errno);
  return tun;
}

class Kernel {
 public:
  Kernel() {
    for (const char* name : {"all", "default"}) {
      set_sysctl("ipv4/conf/" + std::string(name) + "/rp_filter", "0");
      set_sysctl("ipv6/conf/" + std::string(name) + "/forwarding", "1");
      set_sysctl("ipv6/conf/" + std::string(name) + "/router_solicitations", "0");
    }
    set_sysctl("ipv4/ip_forward", "1");
    in_ = open_tun("in", true);
    out_ = open_tun("out", false);
    for (const std::string name : {"in", "out"}) {
      ip("link set " + name + " mtu 9000 txqueuelen 2000 addrgenmode none up");
    }
    ip("addr add 203.0.113.1/24 dev in");
    ip("route add 198.51.100.0/24 dev out");
    ip("route add 2001:db8::/32 dev out");
  }

  /// Sends the kernel a packet through `in`.
  void receive(const Bytes& packet, const io::Offload& offload) {
    Bytes bytes(io::kVirtioHeaderBytes);
    io::write_virtio_header(std::span{bytes}.first<io::kVirtioHeaderBytes>(), offload);
    bytes.insert(bytes.end(), packet.begin(), packet.end());
    ASSERT_EQ(::write(in_.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()))
        << std::strerror(errno);
  }

  /// The next `count` TCP and UDP packets that it forwards; fewer if it forwards fewer.
  std::vector<Bytes> forwarded(std::size_t count) {
    std::vector<Bytes> packets;
    while (packets.size() < count) {
      Bytes packet(65536);
      const ssize_t size = ::read(out_.get(), packet.data(), packet.size());
      if (size < 0 && !is_readable(out_)) break;
      if (size <= 0) continue;
      packet.resize(static_cast<std::size_t>(size));
      if (is_ours(packet)) packets.push_back(std::move(packet));
    }
    return packets;
  }

  static bool is_readable(const io::Fd& fd) {
    pollfd ready{.fd = fd.get(), .events = POLLIN, .revents = 0};
    return ::poll(&ready, 1, 2000) == 1;
  }

 private:
  static bool is_ours(const Bytes& packet) {
    const bool is_ipv6 = (packet[0] & std::byte{0xf0}) == std::byte{0x60};
    return is_ipv6 ? packet[8] == std::byte{0x20} : packet[12] == std::byte{192};
  }

  io::Fd in_, out_;
};

class BesideKernel : public ::testing::Test {
 protected:
  /// Runs `body` in a new namespace, which ends with the thread.
  static void run(const std::function<void()>& body) {
    int error = 0;
    std::thread([&] {
      if (::unshare(CLONE_NEWNET) == 0 && ::access("/dev/net/tun", R_OK | W_OK) == 0) return body();
      error = errno;
    }).join();
    if (error != 0) GTEST_SKIP() << "not permitted here: " << std::strerror(error);
  }
};

TransportPacket random_packet(std::mt19937& random) {
  TransportPacket packet;
  packet.is_ipv6 = test::one_in(random, 2);
  packet.is_tcp = !test::one_in(random, 3);
  packet.flow = static_cast<std::uint8_t>(pick(random, 1, 250));
  packet.tos = static_cast<std::uint8_t>(random());
  packet.flow_label = random() & 0xfffff;
  packet.identification = static_cast<std::uint16_t>(random());
  packet.dont_fragment = test::one_in(random, 2);
  packet.sequence = static_cast<std::uint32_t>(random());
  packet.flags = static_cast<std::uint8_t>(random());
  packet.tcp_options = test::random_bytes(random, pick(random, 0, 10) * 4);
  if (test::one_in(random, 4)) packet.ip_options = Bytes(pick(random, 1, 10) * 4, std::byte{1});
  if (test::one_in(random, 4)) {
    packet.extensions = Bytes(8);
    packet.extensions[0] = std::byte(packet.is_tcp ? 6 : 17);
    packet.extensions[2] = std::byte{1};  // PadN
    packet.extensions[3] = std::byte{4};
  }
  return packet;
}

TEST_F(BesideKernel, GsoSegmentsAsItDoes) {
  run([] {
    Kernel kernel;
    if (HasFatalFailure()) return;
    std::mt19937 random(5);
    for (int round = 0; round < 300; ++round) {
      TransportPacket drawn = random_packet(random);
      const auto segment_bytes = static_cast<std::uint16_t>(pick(random, 500, 8500));
      const std::size_t most = drawn.is_tcp ? 65535 - drawn.header_bytes() : 60000;
      drawn.payload = test::random_bytes(
          random,
          pick(random, segment_bytes + 1u, std::min<std::size_t>(most, 60u * segment_bytes)));
      const auto offload = test::partial_offload(drawn, segment_bytes);
      ASSERT_NO_FATAL_FAILURE(kernel.receive(test::draw(drawn, Checksum::partial), offload));
      --drawn.ttl;  // it forwards
      const auto expected = test::cut(test::draw(drawn, Checksum::partial), offload);
      ASSERT_EQ(kernel.forwarded(expected.size()), expected) << "round " << round;
    }
  });
}

TEST_F(BesideKernel, AcceptsWhatGroJoinsAndSegmentsItAgain) {
  run([] {
    Kernel kernel;
    if (HasFatalFailure()) return;
    std::mt19937 random(6);
    for (int round = 0; round < 200; ++round) {
      TransportPacket drawn = random_packet(random);
      drawn.ip_options.clear();
      drawn.extensions.clear();
      drawn.flags = 0x10;
      drawn.payload = test::random_bytes(random, pick(random, 1, 1400));
      test::GroRound coalescing;
      std::vector<Bytes> expected;
      for (std::size_t i = pick(random, 2, 64); i > 0; --i) {
        if (i == 1) drawn.payload.resize(pick(random, 1, drawn.payload.size()));
        coalescing.add(drawn);
        TransportPacket next = drawn;
        --next.ttl;
        expected.push_back(test::draw(next));
        drawn.sequence += static_cast<std::uint32_t>(drawn.payload.size());
        ++drawn.identification;
      }
      const auto outputs = coalescing.finish();
      ASSERT_LE(outputs.size(), 2u);  // the second if it would be above 65,535 bytes
      for (const auto& output : outputs) {
        ASSERT_NO_FATAL_FAILURE(kernel.receive(output.bytes, output.offload));
      }
      ASSERT_EQ(kernel.forwarded(expected.size()), expected) << "round " << round;
    }
  });
}

constexpr int kExperimental = 253;  // RFC 3692

/// An IPv4 packet to the address of `in`, with an unassigned protocol.
Bytes random_local_packet(std::mt19937& random, std::uint16_t identification,
                          std::size_t& header_bytes) {
  TransportPacket drawn{.is_ipv6 = false,
                        .is_tcp = false,
                        .identification = identification,
                        .dont_fragment = false,
                        .payload = test::random_bytes(random, pick(random, 100, 60000))};
  if (test::one_in(random, 2)) drawn.ip_options = Bytes(4 * pick(random, 1, 9), std::byte{1});
  if (test::one_in(random, 2)) {  // router alert, copied: RFC 2113
    for (const int byte : {0x94, 0x04, 0, 0}) drawn.ip_options.push_back(std::byte(byte));
  }
  header_bytes = drawn.ip_header_bytes();
  Bytes packet = test::draw(drawn);
  packet[9] = std::byte{kExperimental};
  std::ranges::copy(proto::Ipv4Address::from_text("203.0.113.1")->bytes, packet.begin() + 16);
  packet[10] = packet[11] = std::byte{0};
  const std::uint16_t checksum = test::slow_checksum(std::span{packet}.first(header_bytes));
  packet[10] = std::byte(checksum >> 8);
  packet[11] = std::byte(checksum);
  return packet;
}

Bytes receive_from(const io::Fd& socket) {
  Bytes bytes(65536);
  EXPECT_TRUE(Kernel::is_readable(socket));
  const ssize_t size = ::recv(socket.get(), bytes.data(), bytes.size(), 0);
  EXPECT_GT(size, 0);
  bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  return bytes;
}

TEST_F(BesideKernel, PutsTheFragmentsTogether) {
  run([] {
    Kernel kernel;
    if (HasFatalFailure()) return;
    const io::Fd raw{::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, kExperimental)};
    ASSERT_TRUE(raw) << std::strerror(errno);
    std::mt19937 random(7);
    for (std::uint16_t round = 0; round < 300; ++round) {
      std::size_t header_bytes = 0;
      const Bytes packet = random_local_packet(random, round, header_bytes);
      auto fragments = test::cut_to_fragments(packet, header_bytes,
                                              pick(random, 0, packet.size() - header_bytes),
                                              static_cast<std::uint16_t>(pick(random, 576, 1500)));
      std::ranges::shuffle(fragments, random);
      for (const Bytes& fragment : fragments) {
        ASSERT_NO_FATAL_FAILURE(kernel.receive(fragment, {}));
      }
      ASSERT_EQ(receive_from(raw), packet) << "round " << round;
    }
  });
}

}  // namespace
}  // namespace culvert
