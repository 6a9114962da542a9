// A burst that the NIC's GRO has joined, as packet and raw sockets receive it: one packet of many
// kilobytes, whose headers the kernel has rewritten. With a virtio header the segment size is
// known, without it only the total size.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <sys/mount.h>

#include "tests/io/packet_io_rig.h"
#include "tests/support/packet_matchers.h"

namespace culvert::io {
namespace {

using test::gre;
using test::ipv4;
using test::ipv6;
using test::payload;
using test::tcp;

constexpr int kSegments = 40;
constexpr std::size_t kSegmentBytes = 1400;

void set_feature(const char* interface, std::uint32_t command, bool on) {
  const Fd socket = open_test_socket(AF_INET, SOCK_DGRAM, 0);
  ethtool_value value{.cmd = command, .data = on};
  ifreq request{};
  std::strncpy(request.ifr_name, interface, IFNAMSIZ - 1);
  request.ifr_data = reinterpret_cast<char*>(&value);
  ASSERT_EQ(::ioctl(socket.get(), SIOCETHTOOL, &request), 0) << std::strerror(errno);
}

/// Makes `ours` behave like a NIC: it delays packets for 20 ms to join them. (The GRO of veth joins
/// only packets of a device without segmentation offload.)
void join_bursts(const Wire& wire) {
  set_feature("ours", ETHTOOL_SGRO, true);
  {
    const Inside there(wire.peer());
    set_feature("theirs", ETHTOOL_STSO, false);
  }
  // Only a sysfs of this namespace has the interface's file.
  ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
  ASSERT_EQ(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
  ASSERT_EQ(::mount("none", "/sys", "sysfs", 0, nullptr), 0) << std::strerror(errno);
  std::ofstream timeout{"/sys/class/net/ours/gro_flush_timeout"};
  timeout << 20'000'000;
  timeout.close();
  EXPECT_TRUE(timeout);
  ASSERT_EQ(::umount2("/sys", MNT_DETACH), 0);
}

class Coalesced : public PacketIoRig {
 protected:
  void SetUp() override {
    PacketIoRig::SetUp();
    if (IsSkipped()) return;
    wire_ = std::make_unique<Wire>();
    join_bursts(*wire_);
  }

  /// A segment of one TCP flow, behind the tunnel headers `tunnel`.
  static Bytes segment(const test::Drawing& tunnel, int number) {
    const auto sequence = 1 + static_cast<std::uint32_t>(number * kSegmentBytes);
    return tunnel / ipv6("2001:db8::2", "2001:db8::1") / tcp(1000, 80, {.sequence = sequence}) /
           payload(numbered(number, kSegmentBytes));
  }
  void send_burst(const test::Drawing& tunnel) {
    const Fd sender = peer_raw_socket(*wire_, IPPROTO_RAW);
    std::vector<Bytes> packets;
    for (int i = 0; i < kSegments; ++i) packets.push_back(segment(tunnel, i));
    for (const Bytes& packet : packets) send_to(sender, "192.0.2.1", packet);
  }
  /// Checks that all segments have arrived in order. Returns the number of packets that held them.
  static void expect_all_segments(const std::vector<Received>& packets, std::size_t header_bytes) {
    int number = 0;
    for (const Received& packet : packets) {
      ASSERT_FALSE(packet.truncated);
      std::span rest = std::span{packet.bytes}.subspan(header_bytes);
      EXPECT_EQ(rest.size() % kSegmentBytes, 0U);
      for (; !rest.empty(); rest = rest.subspan(kSegmentBytes)) {
        EXPECT_THAT(rest.first(kSegmentBytes), test::SameBytes(numbered(number, kSegmentBytes)));
        ++number;
      }
    }
    EXPECT_EQ(number, kSegments);
    EXPECT_LT(packets.size(), std::size_t{kSegments} / 2) << "nothing was joined";
  }

  std::unique_ptr<Wire> wire_;
};

TEST_P(Coalesced, ComesWithItsSegmentSizeFromPacketSockets) {
  open(ReceiveKind::packet);
  const test::Drawing outer = ipv4("192.0.2.2", "192.0.2.1");
  for (const auto& [tunnel, header_bytes] :
       {std::pair{outer, 20 + 40 + 20U}, std::pair{outer / gre(), 24 + 40 + 20U}}) {
    send_burst(tunnel);
    const auto packets = gather_all(Source::tunnel);
    expect_all_segments(packets, header_bytes);
    for (const Received& packet : packets) {
      if (packet.bytes.size() <= header_bytes + kSegmentBytes) continue;
      EXPECT_EQ(packet.offload.segmentation, Segmentation::tcp6);
      EXPECT_EQ(packet.offload.segment_bytes, kSegmentBytes);
      EXPECT_TRUE(packet.offload.needs_checksum);
      EXPECT_EQ(packet.offload.checksum_start, header_bytes - 20);
      EXPECT_EQ(packet.offload.checksum_offset, 16);
    }
  }
}

TEST_P(Coalesced, ComesWholeFromRawSockets) {
  open(ReceiveKind::raw);
  send_burst(ipv4("192.0.2.2", "192.0.2.1"));
  const auto packets = gather_all(Source::tunnel);
  expect_all_segments(packets, 20 + 40 + 20);
  for (const Received& packet : packets) EXPECT_EQ(packet.offload, Offload{});
}

INSTANTIATE_TEST_SUITE_P(All, Coalesced, all_kinds(), kind_name);

}  // namespace
}  // namespace culvert::io
