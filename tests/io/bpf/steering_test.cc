// The steering program keeps each flow on one queue of TUN, whichever queue is written to.
#include "io/bpf/steering.h"

#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include <cerrno>
#include <set>

#include "tests/io/rig.h"
#include "tests/support/packet_builder.h"

namespace culvert::io {
namespace {

constexpr std::size_t kQueues = 4;
constexpr std::size_t kVirtioBytes = 10;
constexpr int kFlows = 64;  // one of four queues gets no flow: once in 25 million runs

class Steering : public NamespaceTest {
 protected:
  void SetUp() override {
    NamespaceTest::SetUp();
    if (IsSkipped()) return;
    open(proto::LinkType::ip);
  }
  /// Opens tun0, with steering. A TAP device sends frames.
  void open(proto::LinkType link_type) {
    auto tun = open_tun("tun0", kQueues, link_type);
    ASSERT_TRUE(tun) << tun.error().message();
    tun_ = std::move(*tun);
    std::ofstream{"/proc/sys/net/ipv6/conf/tun0/disable_ipv6"} << 0;
    std::ofstream{"/proc/sys/net/ipv6/conf/tun0/addr_gen_mode"}
        << 1;  // no link-local address, so no packets of the kernel
    if (link_type == proto::LinkType::ethernet) ip("link set tun0 arp off");
    ip("addr add 10.0.0.1/24 dev tun0");
    ip("addr add 2001:db8::1/64 dev tun0 nodad");
    ip("link set tun0 up");
    device_ = open_test_socket(AF_PACKET, SOCK_DGRAM, 0);
    const auto steered = steer_by_flow(tun_);
    if (!steered && steered.error().code == EPERM) GTEST_SKIP() << steered.error().message();
    ASSERT_TRUE(steered) << steered.error().message();
    while (!next_queue().empty()) continue;  // packets that the kernel sends at the start
  }

  /// Sends a packet into the device. Returns the queue from which it can be read.
  std::size_t queue_of(const Bytes& packet) {
    sockaddr_ll to{};
    to.sll_family = AF_PACKET;
    to.sll_protocol = htons(std::to_integer<int>(packet[0]) >> 4 == 6 ? ETH_P_IPV6 : ETH_P_IP);
    to.sll_ifindex = static_cast<int>(tun_.index);
    to.sll_halen = 6;  // a TAP device's frames go to 02:00:00:00:00:01
    to.sll_addr[0] = 2;
    to.sll_addr[5] = 1;
    EXPECT_EQ(::sendto(device_.get(), packet.data(), packet.size(), 0,
                       reinterpret_cast<const sockaddr*>(&to), sizeof to),
              static_cast<ssize_t>(packet.size()))
        << std::strerror(errno);
    const auto queues = next_queue();
    EXPECT_EQ(queues.size(), 1U);
    return queues.empty() ? kQueues : *queues.begin();
  }
  /// The queues that have packets. Reads all packets.
  std::set<std::size_t> next_queue() {
    std::set<std::size_t> queues;
    Bytes bytes(70'000);
    for (std::size_t i = 0; i < kQueues; ++i) {
      while (::read(tun_.queues[i].get(), bytes.data(), bytes.size()) > 0) queues.insert(i);
    }
    return queues;
  }
  /// Writes a packet of the other direction to a queue: the kernel's default would learn from it.
  /// Reads the ICMP error that answers it.
  void write_to(std::size_t queue, const Bytes& packet) {
    Bytes bytes(kVirtioBytes);
    bytes.insert(bytes.end(), packet.begin(), packet.end());
    EXPECT_EQ(::write(tun_.queues[queue].get(), bytes.data(), bytes.size()),
              static_cast<ssize_t>(bytes.size()));
    (void)next_queue();
  }

  Tun tun_;
  Fd device_;
};

Bytes udp4(int flow, std::size_t bytes = 64) {
  return test::ipv4("10.0.0.1", "10.0.0.2") /
         test::udp(static_cast<std::uint16_t>(5000 + flow), 9) / test::payload(bytes);
}
Bytes udp6(int flow, std::size_t bytes = 64) {
  return test::ipv6("2001:db8::1", "2001:db8::2") /
         test::udp(static_cast<std::uint16_t>(5000 + flow), 9) / test::payload(bytes);
}

TEST_F(Steering, SpreadsFlowsOverAllQueues) {
  for (const auto packet_of : {udp4, udp6}) {
    std::set<std::size_t> queues;
    for (int flow = 0; flow < kFlows; ++flow) queues.insert(queue_of(packet_of(flow, 64)));
    EXPECT_EQ(queues.size(), kQueues);
  }
}

TEST_F(Steering, SpreadsHostsOverAllQueues) {
  std::set<std::size_t> queues4, queues6;
  for (int host = 2; host < 2 + kFlows; ++host) {
    const auto text = std::to_string(host);
    queues4.insert(queue_of(test::ipv4("10.0.0.1", "10.0.0." + text) / test::payload(32)));
    queues6.insert(queue_of(test::ipv6("2001:db8::1", "2001:db8::" + text) / test::payload(32)));
  }
  EXPECT_EQ(queues4.size(), kQueues);
  EXPECT_EQ(queues6.size(), kQueues);
}

TEST_F(Steering, SpreadsTheFlowsOfATapDevice) {
  tun_ = {};
  ASSERT_NO_FATAL_FAILURE(open(proto::LinkType::ethernet));
  for (const auto packet_of : {udp4, udp6}) {
    std::set<std::size_t> queues;
    for (int flow = 0; flow < kFlows; ++flow) {
      const std::size_t queue = queue_of(packet_of(flow, 64));
      EXPECT_EQ(queue_of(packet_of(flow, 65)), queue);
      queues.insert(queue);
    }
    EXPECT_EQ(queues.size(), kQueues);
  }
}

TEST_F(Steering, KeepsAFlowWhenItsOtherDirectionComesOnAnotherQueue) {
  for (int flow = 0; flow < 8; ++flow) {
    const auto port = static_cast<std::uint16_t>(5000 + flow);
    const std::size_t queue = queue_of(udp6(flow));
    for (std::size_t other = 0; other < kQueues; ++other) {
      write_to(other,
               test::ipv6("2001:db8::2", "2001:db8::1") / test::udp(9, port) / test::payload(64));
      EXPECT_EQ(queue_of(udp6(flow, 64 + other)), queue) << "after one on queue " << other;
    }
  }
}

TEST_F(Steering, KeepsTheFragmentsOfAPacketTogether) {
  std::set<std::size_t> queues;
  for (int flow = 0; flow < 16; ++flow) {
    const auto port = static_cast<std::uint16_t>(5000 + flow);
    queues.insert(queue_of(
        test::ipv4("10.0.0.1", "10.0.0.2", {.dont_fragment = false, .more_fragments = true}) /
        test::udp(port, 9) / test::payload(64)));
    queues.insert(
        queue_of(test::ipv4("10.0.0.1", "10.0.0.2",
                            {.dont_fragment = false, .fragment_offset_bytes = 72, .protocol = 17}) /
                 test::payload(test::pattern(64, static_cast<unsigned>(flow)))));
  }
  EXPECT_EQ(queues.size(), 1U);
}

TEST_F(Steering, TakesWhatIsCutOrNoIp) {
  EXPECT_LT(queue_of(Bytes(1, std::byte{0x45})), kQueues);
  EXPECT_LT(queue_of(Bytes(1, std::byte{0x60})), kQueues);
  EXPECT_LT(queue_of(Bytes(60, std::byte{0x50})), kQueues);
  Bytes cut = udp6(1);
  cut.resize(42);  // in the middle of the ports
  EXPECT_LT(queue_of(cut), kQueues);
}

}  // namespace
}  // namespace culvert::io
