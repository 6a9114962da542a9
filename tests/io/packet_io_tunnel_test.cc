// Ring and Poller: outer packets to and from a remote host, with packet sockets and with raw
// sockets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/ipv4.h"
#include "tests/io/packet_io_rig.h"
#include "tests/support/packet_matchers.h"

namespace culvert::io {
namespace {

using namespace std::chrono_literals;
using test::icmpv4;
using test::ipv4;
using test::ipv6;
using test::pattern;
using test::payload;
using test::tcp;
using test::udp;
using testing::ElementsAre;

class PacketIoTunnel : public PacketIoRig {
 protected:
  /// An outer packet from the remote host to us.
  static Bytes outer(const Bytes& bytes, std::uint8_t protocol = 41) {
    return ipv4("192.0.2.2", "192.0.2.1", {.protocol = protocol}) / payload(bytes);
  }
};

// ---- sending ------------------------------------------------------------------------------------

TEST_P(PacketIoTunnel, SendsInOrderAndSaysOfEachWhatBecameOfIt) {
  const Wire wire;
  open(ReceiveKind::raw);
  const Fd receiver = peer_raw_socket(wire, 41);
  const auto remote = *proto::Ipv4Address::from_text("192.0.2.2");
  const auto nowhere = *proto::Ipv4Address::from_text("198.51.100.1");
  const Bytes whole = ipv4("192.0.2.1", "192.0.2.2", {.protocol = 41}) / payload(numbered(1, 700));
  const Bytes parted = ipv4("192.0.2.1", "192.0.2.2", {.protocol = 41}) / payload(numbered(2, 800));
  const Bytes large = ipv4("192.0.2.1", "192.0.2.2", {.protocol = 41}) / payload(1481);
  const std::span parts{parted};
  ASSERT_TRUE(packet_io_->send({.head = whole, .tail = {}, .destination = remote}));
  ASSERT_TRUE(packet_io_->send({.head = whole, .tail = {}, .destination = nowhere}));
  ASSERT_TRUE(packet_io_->send({.head = large, .tail = {}, .destination = remote}));
  ASSERT_TRUE(packet_io_->send(
      {.head = parts.first(60), .tail = parts.subspan(60), .destination = remote}));
  EXPECT_THAT(packet_io_->submit().sends, ElementsAre(0, ENETUNREACH, EMSGSIZE, 0));
  const Bytes first = receive_from(receiver);
  const Bytes second = receive_from(receiver);
  EXPECT_THAT(std::span{first}.subspan(proto::kIpv4HeaderBytes), test::SameBytes(numbered(1, 700)));
  EXPECT_THAT(std::span{second}.subspan(proto::kIpv4HeaderBytes),
              test::SameBytes(numbered(2, 800)));
  EXPECT_EQ(count_received(receiver), 0U);
  EXPECT_TRUE(packet_io_->submit().sends.empty());
}

TEST_P(PacketIoTunnel, SendsABatchLargerThanAnyQueueOfTheKernels) {
  const Wire wire;
  open(ReceiveKind::raw);
  const Fd receiver = peer_raw_socket(wire, 41);
  grow_receive_buffer(receiver);
  const auto remote = *proto::Ipv4Address::from_text("192.0.2.2");
  const std::size_t count = QueueSizes{}.batch_sends;
  std::vector<Bytes> packets;
  for (std::size_t i = 0; i < count; ++i) {
    packets.push_back(ipv4("192.0.2.1", "192.0.2.2", {.protocol = 41}) /
                      payload(numbered(static_cast<int>(i))));
  }
  for (const Bytes& packet : packets)
    ASSERT_TRUE(packet_io_->send({.head = packet, .tail = {}, .destination = remote}));
  EXPECT_FALSE(packet_io_->send({.head = packets[0], .tail = {}, .destination = remote}));
  EXPECT_THAT(packet_io_->submit().sends, testing::AllOf(testing::SizeIs(count), testing::Each(0)));
  for (std::size_t i = 0; i < count; ++i) {
    const Bytes packet = receive_from(receiver);
    ASSERT_EQ(packet.size(), proto::kIpv4HeaderBytes + 2);
    EXPECT_EQ(number_of(std::span{packet}.subspan(proto::kIpv4HeaderBytes)), static_cast<int>(i));
  }
}

// ---- receiving ----------------------------------------------------------------------------------

TEST_P(PacketIoTunnel, ReceivesInOrderMoreThanThereAreBuffers) {
  for (const ReceiveKind receive : {ReceiveKind::packet, ReceiveKind::raw}) {
    ASSERT_TRUE(enter_fresh_namespace());
    const Wire wire;
    open(receive, {.tunnel_packets = 8});
    const Fd sender = peer_raw_socket(wire, IPPROTO_RAW);
    for (int i = 0; i < 300; ++i) send_to(sender, "192.0.2.1", outer(numbered(i)));
    const auto packets = gather(Source::tunnel, 300);
    ASSERT_EQ(packets.size(), 300U);
    for (int i = 0; i < 300; ++i) {
      EXPECT_EQ(number_of(std::span{packets[i].bytes}.subspan(proto::kIpv4HeaderBytes)), i);
    }
  }
}

TEST_P(PacketIoTunnel, ReceivesFromTheIpv4HeaderOn) {
  for (const ReceiveKind receive : {ReceiveKind::packet, ReceiveKind::raw}) {
    ASSERT_TRUE(enter_fresh_namespace());
    const Wire wire;
    open(receive);
    const Fd sender = peer_raw_socket(wire, IPPROTO_RAW);
    const Bytes sent = ipv4("192.0.2.2", "192.0.2.1", {.identification = 7, .protocol = 41}) /
                       payload(pattern(1400));
    send_to(sender, "192.0.2.1", sent);
    const auto packets = gather(Source::tunnel, 1);
    ASSERT_EQ(packets.size(), 1U);
    EXPECT_THAT(packets[0].bytes, test::SameBytes(sent));
    EXPECT_EQ(packets[0].offload.segmentation, Segmentation::none);
    EXPECT_EQ(packets[0].interface_index, 10U);  // of `ours`
  }
}

TEST_P(PacketIoTunnel, ReceivesOnlyTheProtocolsAskedFor) {
  for (const ReceiveKind receive : {ReceiveKind::packet, ReceiveKind::raw}) {
    ASSERT_TRUE(enter_fresh_namespace());
    const Wire wire;
    open(receive);
    const Fd sender = peer_raw_socket(wire, IPPROTO_RAW);
    for (const std::uint8_t protocol : std::initializer_list<std::uint8_t>{50, 41, 17, 4, 41}) {
      send_to(sender, "192.0.2.1", outer(numbered(protocol), protocol));
    }
    const auto packets = gather(Source::tunnel, 2);
    ASSERT_EQ(packets.size(), 2U);
    EXPECT_TRUE(stays_empty(Source::tunnel));
    EXPECT_EQ(number_of(std::span{packets[0].bytes}.subspan(proto::kIpv4HeaderBytes)), 41);
    EXPECT_EQ(number_of(std::span{packets[1].bytes}.subspan(proto::kIpv4HeaderBytes)), 41);
  }
}

TEST_P(PacketIoTunnel, ReceivesTheLargestPacket) {
  for (const ReceiveKind receive : {ReceiveKind::packet, ReceiveKind::raw}) {
    ASSERT_TRUE(enter_fresh_namespace());
    const Wire wire;
    open(receive);
    const Fd sender = peer_raw_socket(wire, 41);  // without IP_HDRINCL: the kernel fragments
    const Bytes sent = pattern(65'515);
    send_to(sender, "192.0.2.1", sent);
    const auto packets = gather(Source::tunnel, 1);
    ASSERT_EQ(packets.size(), 1U);
    EXPECT_FALSE(packets[0].truncated);
    EXPECT_THAT(std::span{packets[0].bytes}.subspan(proto::kIpv4HeaderBytes),
                test::SameBytes(sent));
  }
}

// A device without a link-layer header: frames of a packet socket start with the IP header.
TEST_P(PacketIoTunnel, ReceivesFromDevicesWithoutALinkLayerHeader) {
  auto line = open_tun("line0", 1);
  ASSERT_TRUE(line) << line.error().message();
  ip("addr add 192.0.2.1/24 dev line0");
  ip("link set line0 up");
  open(ReceiveKind::packet);
  const Bytes sent = outer(pattern(100));
  Bytes written(kVirtioHeaderBytes);
  written.insert(written.end(), sent.begin(), sent.end());
  ASSERT_EQ(::write(line->queues[0].get(), written.data(), written.size()),
            static_cast<ssize_t>(written.size()));
  const auto packets = gather(Source::tunnel, 1);
  ASSERT_EQ(packets.size(), 1U);
  EXPECT_THAT(packets[0].bytes, test::SameBytes(sent));
}

TEST_P(PacketIoTunnel, ReceivesFromLoopback) {
  open(ReceiveKind::packet);
  const Fd sender = open_test_socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
  const Bytes sent =
      ipv4("127.0.0.2", "127.0.0.1", {.identification = 7, .protocol = 41}) / payload(pattern(100));
  send_to(sender, "127.0.0.1", sent);
  const auto packets = gather(Source::tunnel, 1);
  ASSERT_EQ(packets.size(), 1U);
  EXPECT_THAT(packets[0].bytes, test::SameBytes(sent));
}

TEST_P(PacketIoTunnel, GoesOnAfterTheOuterInterfaceWasDown) {
  for (const ReceiveKind receive : {ReceiveKind::packet, ReceiveKind::raw}) {
    ASSERT_TRUE(enter_fresh_namespace());
    const Wire wire;
    device_ = "ours";
    open(receive);
    const Fd sender = peer_raw_socket(wire, IPPROTO_RAW);
    for (int i = 0; i < 3; ++i) {
      send_to(sender, "192.0.2.1", outer(numbered(i)));
      const auto packets = gather(Source::tunnel, 1);
      ASSERT_EQ(packets.size(), 1U) << "after " << i << " times down";
      EXPECT_EQ(number_of(std::span{packets[0].bytes}.subspan(proto::kIpv4HeaderBytes)), i);
      ip("link set ours down");
      EXPECT_TRUE(stays_empty(Source::tunnel));
      set_up("ours");
    }
  }
}

TEST_P(PacketIoTunnel, CountsWhatTheKernelLost) {
  for (const ReceiveKind receive : {ReceiveKind::packet, ReceiveKind::raw}) {
    ASSERT_TRUE(enter_fresh_namespace());
    const Wire wire;
    open(receive, {.tunnel_packets = 16});
    const Fd sender = peer_raw_socket(wire, IPPROTO_RAW);
    const Bytes packet = outer(pattern(1400));
    constexpr std::size_t kSent = 20'000;  // more than fit in 16 MiB
    for (std::size_t i = 0; i < kSent; ++i) send_to(sender, "192.0.2.1", packet);
    const std::uint64_t lost = packet_io_->losses().tunnel_queue_full;
    EXPECT_GT(lost, 0U);
    EXPECT_EQ(packet_io_->losses().tunnel_queue_full, lost);
    EXPECT_EQ(gather(Source::tunnel, kSent - lost).size(), kSent - lost);
    EXPECT_TRUE(stays_empty(Source::tunnel));
    EXPECT_EQ(packet_io_->losses().tunnel_queue_full, lost);
  }
}

// ---- ICMP errors --------------------------------------------------------------------------------

TEST_P(PacketIoTunnel, ReceivesIcmpErrorsAboutTunnels) {
  const Wire wire;
  open(ReceiveKind::packet);
  const Fd sender = peer_raw_socket(wire, IPPROTO_RAW);
  const auto quoted = [](std::uint8_t protocol) {
    return ipv4("192.0.2.1", "192.0.2.2", {.protocol = protocol}) / payload(64);
  };
  const auto from_peer = ipv4("192.0.2.2", "192.0.2.1");
  const Bytes too_big = from_peer / icmpv4(3, 4, 1400) / quoted(41);
  const Bytes exceeded = from_peer / icmpv4(11, 0) / quoted(47);
  send_to(sender, "192.0.2.1", from_peer / icmpv4(8, 0) / payload(20));  // an echo request
  send_to(sender, "192.0.2.1", from_peer / icmpv4(3, 3) / quoted(17));   // about UDP
  send_to(sender, "192.0.2.1", from_peer / icmpv4(5, 1) / quoted(41));   // a redirect
  send_to(sender, "192.0.2.1", too_big);
  send_to(sender, "192.0.2.1", exceeded);
  const auto packets = gather(Source::icmp, 2);
  ASSERT_EQ(packets.size(), 2U);
  EXPECT_TRUE(stays_empty(Source::icmp));
  EXPECT_THAT(std::span{packets[0].bytes}.subspan(proto::kIpv4HeaderBytes),
              test::SameBytes(std::span{too_big}.subspan(proto::kIpv4HeaderBytes)));
  EXPECT_THAT(std::span{packets[1].bytes}.subspan(proto::kIpv4HeaderBytes),
              test::SameBytes(std::span{exceeded}.subspan(proto::kIpv4HeaderBytes)));
}

TEST_P(PacketIoTunnel, MarksWhatIsLargerThanItsBuffer) {
  const Wire wire;
  open(ReceiveKind::raw);
  const Fd sender = peer_raw_socket(wire, IPPROTO_ICMP);  // the kernel fragments
  const Bytes packet = ipv4("192.0.2.2", "192.0.2.1") / icmpv4(3, 1) /
                       (ipv4("192.0.2.1", "192.0.2.2", {.protocol = 41}) / payload(6000));
  send_to(sender, "192.0.2.1", {packet.begin() + proto::kIpv4HeaderBytes, packet.end()});
  const auto packets = gather(Source::icmp, 1);
  ASSERT_EQ(packets.size(), 1U);
  EXPECT_TRUE(packets[0].truncated);
}

INSTANTIATE_TEST_SUITE_P(All, PacketIoTunnel, all_kinds(), kind_name);

}  // namespace
}  // namespace culvert::io
