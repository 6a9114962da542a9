// Ring and Poller: reading from TUN, writing to it, waking, waiting and errors.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/udp.h>

#include <array>
#include <thread>

#include "tests/io/packet_io_rig.h"
#include "tests/support/packet_matchers.h"

namespace culvert::io {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;
using test::ipv4;
using test::pattern;
using test::payload;
using test::udp;
using testing::ElementsAre;

constexpr std::size_t kIpv4UdpBytes = 28;

class PacketIoTun : public PacketIoRig {
 protected:
  void SetUp() override {
    PacketIoRig::SetUp();
    if (!IsSkipped()) open(ReceiveKind::raw, {.tun_packets = 8});
  }
  /// A packet from a host behind the device to a local socket.
  static Bytes inner(const Bytes& bytes) {
    return ipv4("10.0.0.2", "10.0.0.1") / udp(5000, 4000) / payload(bytes);
  }
};

TEST_P(PacketIoTun, ReadsInOrderMoreThanThereAreBuffers) {
  const Fd sender = udp_socket("10.0.0.1", 4000);
  for (int i = 0; i < 300; ++i) send_to(sender, "10.0.0.2", numbered(i), 5000);
  const auto packets = gather(Source::tun, 300);
  ASSERT_EQ(packets.size(), 300U);
  for (int i = 0; i < 300; ++i) {
    ASSERT_EQ(packets[i].bytes.size(), kIpv4UdpBytes + 2);
    EXPECT_EQ(number_of(std::span{packets[i].bytes}.subspan(kIpv4UdpBytes)), i);
  }
}

TEST_P(PacketIoTun, ReadsWhatComesWhileARoundIsUnderWay) {
  const Fd sender = udp_socket("10.0.0.1", 4000);
  int next = 0;
  for (int round = 0; round < 50; ++round) {
    for (int i = 0; i < 5; ++i) send_to(sender, "10.0.0.2", numbered(next + i), 5000);
    ASSERT_TRUE(packet_io_->wait(20ms));
    for (int i = 5; i < 10; ++i) send_to(sender, "10.0.0.2", numbered(next + i), 5000);
    const Bytes packet = inner(numbered(round));
    ASSERT_TRUE(packet_io_->write({.head = packet, .slices = {}, .offload = {}}));
    EXPECT_THAT(packet_io_->submit().writes, ElementsAre(0));
    int seen = next;
    const auto check = [&](std::span<Packet> packets) {
      for (const Packet& received : packets)
        EXPECT_EQ(number_of(received.bytes().subspan(kIpv4UdpBytes)), seen++);
    };
    check(packet_io_->received(Source::tun));
    packet_io_->release();
    while (seen < next + 10) {
      const int before = seen;
      ASSERT_TRUE(packet_io_->wait(20ms));
      check(packet_io_->received(Source::tun));
      packet_io_->release();
      ASSERT_NE(seen, before) << "packets are missing";
    }
    next += 10;
  }
  EXPECT_EQ(count_received(sender), 50U);
}

TEST_P(PacketIoTun, ReadsSuperPacketsWithTheirSegmentSize) {
  if (!has_uso_) GTEST_SKIP() << "no UDP segmentation before Linux 6.2";
  const Fd sender = udp_socket("10.0.0.1", 4000);
  constexpr int kSegmentBytes = 100;
  ASSERT_EQ(
      ::setsockopt(sender.get(), IPPROTO_UDP, UDP_SEGMENT, &kSegmentBytes, sizeof kSegmentBytes),
      0);
  send_to(sender, "10.0.0.2", pattern(1050), 5000);
  const auto packets = gather(Source::tun, 1);
  ASSERT_EQ(packets.size(), 1U);
  EXPECT_EQ(packets[0].bytes.size(), kIpv4UdpBytes + 1050);
  const Offload& offload = packets[0].offload;
  EXPECT_EQ(offload.segmentation, Segmentation::udp);
  EXPECT_EQ(offload.segment_bytes, 100);
  EXPECT_TRUE(offload.needs_checksum);
  EXPECT_EQ(offload.checksum_start, 20);
  EXPECT_EQ(offload.checksum_offset, 6);
}

TEST_P(PacketIoTun, WritesAPacketInPieces) {
  const Fd receiver = udp_socket("10.0.0.1", 4000);
  const Bytes sent = pattern(1000);
  const Bytes packet = inner(sent);
  const std::span all{packet};
  const std::array<std::span<const std::byte>, 3> slices{all.subspan(28, 500), all.subspan(528, 1),
                                                         all.subspan(529)};
  ASSERT_TRUE(packet_io_->write({.head = all.first(28), .slices = slices, .offload = {}}));
  EXPECT_THAT(packet_io_->submit().writes, ElementsAre(0));
  EXPECT_THAT(receive_from(receiver), test::SameBytes(sent));
}

TEST_P(PacketIoTun, WritesASuperPacketThatTheKernelCuts) {
  if (!has_uso_) GTEST_SKIP() << "no UDP segmentation before Linux 6.2";
  const Fd receiver = udp_socket("10.0.0.1", 4000);
  const Bytes packet =
      ipv4("10.0.0.2", "10.0.0.1") / udp(5000, 4000, {.is_partial = true}) / payload(250);
  const Offload offload{.needs_checksum = true,
                        .checksum_start = 20,
                        .checksum_offset = 6,
                        .segmentation = Segmentation::udp,
                        .segment_bytes = 100,
                        .header_bytes = 28};
  ASSERT_TRUE(packet_io_->write({.head = packet, .slices = {}, .offload = offload}));
  EXPECT_THAT(packet_io_->submit().writes, ElementsAre(0));
  const Bytes sent = pattern(250);
  const std::span all{sent};
  EXPECT_THAT(receive_from(receiver), test::SameBytes(all.first(100)));
  EXPECT_THAT(receive_from(receiver), test::SameBytes(all.subspan(100, 100)));
  EXPECT_THAT(receive_from(receiver), test::SameBytes(all.subspan(200)));
}

TEST_P(PacketIoTun, SaysOfEachWriteWhatBecameOfIt) {
  const Fd receiver = udp_socket("10.0.0.1", 4000);
  const Bytes good = inner(pattern(10));
  const Bytes no_ip_version(20);
  for (const Bytes* packet : {&good, &no_ip_version, &good})
    ASSERT_TRUE(packet_io_->write({.head = *packet, .slices = {}, .offload = {}}));
  EXPECT_THAT(packet_io_->submit().writes, ElementsAre(0, EINVAL, 0));
  EXPECT_EQ(count_received(receiver), 2U);
  EXPECT_TRUE(packet_io_->submit().writes.empty());
  ip("link set tun0 down");
  ASSERT_TRUE(packet_io_->write({.head = good, .slices = {}, .offload = {}}));
  EXPECT_THAT(packet_io_->submit().writes, ElementsAre(EIO));
}

TEST_P(PacketIoTun, RefusesMoreThanTheBatchHolds) {
  const Fd receiver = udp_socket("10.0.0.1", 4000);
  grow_receive_buffer(receiver);
  const Bytes packet = inner(pattern(10));
  const TunPacket write{.head = packet, .slices = {}, .offload = {}};
  for (std::size_t i = 0; i < QueueSizes{}.batch_writes; ++i) ASSERT_TRUE(packet_io_->write(write));
  EXPECT_FALSE(packet_io_->write(write));
  EXPECT_EQ(packet_io_->submit().writes.size(), QueueSizes{}.batch_writes);
  EXPECT_TRUE(packet_io_->write(write));
  EXPECT_EQ(packet_io_->submit().writes.size(), 1U);
  EXPECT_EQ(count_received(receiver), QueueSizes{}.batch_writes + 1);
}

TEST_P(PacketIoTun, GoesOnAfterTheDeviceWasDown) {
  const Fd sender = udp_socket("10.0.0.1", 4000);
  EXPECT_TRUE(stays_empty(Source::tun));
  ip("link set tun0 down");
  EXPECT_TRUE(stays_empty(Source::tun));
  ip("link set tun0 up");
  send_to(sender, "10.0.0.2", pattern(10), 5000);
  EXPECT_EQ(gather(Source::tun, 1).size(), 1U);
}

TEST_P(PacketIoTun, FailsWhenTheDeviceIsDeleted) {
  EXPECT_TRUE(stays_empty(Source::tun));
  ip("link delete tun0");
  Result<void> waited;
  for (int i = 0; i < 10 && waited; ++i) waited = packet_io_->wait(20ms);
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().message(), "read TUN tun0: EBADFD (the device has been deleted)");
}

TEST_P(PacketIoTun, WaitsNoLongerThanTheTimeout) {
  EXPECT_TRUE(stays_empty(Source::tun));  // no packet of the device's start is left
  const auto begin = steady_clock::now();
  ASSERT_TRUE(packet_io_->wait(50ms));
  EXPECT_GE(steady_clock::now() - begin, 49ms);
  EXPECT_LT(steady_clock::now() - begin, 5s);
}

TEST_P(PacketIoTun, IsWokenWhileItWaits) {
  for (int i = 0; i < 3; ++i) {
    const auto begin = steady_clock::now();
    std::thread other([&] {
      std::this_thread::sleep_for(20ms);
      packet_io_->wake();
    });
    ASSERT_TRUE(packet_io_->wait(10s));
    other.join();
    EXPECT_LT(steady_clock::now() - begin, 5s);
  }
}

TEST_P(PacketIoTun, IsWokenBeforeItWaits) {
  for (int i = 0; i < 3; ++i) {
    packet_io_->wake();
    const auto begin = steady_clock::now();
    ASSERT_TRUE(packet_io_->wait(10s));
    EXPECT_LT(steady_clock::now() - begin, 5s);
  }
}

INSTANTIATE_TEST_SUITE_P(All, PacketIoTun, all_kinds(), kind_name);

}  // namespace
}  // namespace culvert::io
