// Gso compared with the slow implementation, and the super-packets that it refuses.
#include "engine/offload/gso.h"

#include <gtest/gtest.h>

#include "tests/support/cut.h"
#include "tests/support/link_header.h"
#include "tests/support/transport_packet.h"

namespace culvert {
namespace {

using io::Segmentation;
using test::Bytes;
using test::Checksum;
using test::cut;
using test::TransportPacket;

struct SuperPacket {
  Bytes bytes;
  io::Packet packet;

  SuperPacket(const TransportPacket& drawn, std::uint16_t segment_bytes)
      : SuperPacket(test::draw(drawn, Checksum::partial),
                    test::partial_offload(drawn, segment_bytes)) {}
  SuperPacket(Bytes raw, const io::Offload& offload) : bytes(std::move(raw)) {
    packet = io::Packet(bytes, 0, bytes.size());
    packet.offload = offload;
  }
};

std::optional<Gso> start(const io::Packet& packet) {
  return Gso::start(packet, classify(packet.bytes()));
}

/// Destination Options with nothing but padding: RFC 8200 4.6, 4.2.
Bytes destination_options(std::uint8_t next_header, std::size_t units) {
  Bytes header(units * 8);
  header[0] = std::byte{next_header};
  header[1] = std::byte(units - 1);
  header[2] = std::byte{1};  // PadN
  header[3] = std::byte(header.size() - 4);
  return header;
}

TransportPacket random_super_packet(std::mt19937& random) {
  TransportPacket packet;
  packet.is_ipv6 = test::one_in(random, 2);
  packet.is_tcp = !test::one_in(random, 3);
  packet.flow = static_cast<std::uint8_t>(random());
  packet.tos = static_cast<std::uint8_t>(random());
  packet.flow_label = random() & 0xfffff;
  packet.identification = static_cast<std::uint16_t>(random());
  packet.dont_fragment = test::one_in(random, 2);
  packet.sequence = static_cast<std::uint32_t>(random());
  packet.flags = static_cast<std::uint8_t>(random());
  packet.reserved = static_cast<std::uint8_t>(random() & 1);
  packet.urgent_pointer = static_cast<std::uint16_t>(random());
  packet.tcp_options = test::random_bytes(random, test::pick(random, 0, 10) * 4);
  if (test::one_in(random, 4))
    packet.ip_options = Bytes(test::pick(random, 1, 10) * 4, std::byte{1});
  if (test::one_in(random, 4)) {
    packet.extensions = destination_options(packet.is_tcp ? 6 : 17, test::pick(random, 1, 9));
  }
  const std::size_t most = 65535 - packet.header_bytes();
  packet.payload =
      test::random_bytes(random, test::one_in(random, 8) ? most : test::pick(random, 0, 9000));
  return packet;
}

TEST(Gso, CutsAsTheSlowReferenceDoes) {
  std::mt19937 random(1);
  for (int round = 0; round < 3000; ++round) {
    const TransportPacket drawn = random_super_packet(random);
    const auto segment_bytes = static_cast<std::uint16_t>(
        drawn.payload.size() > 10000 ? test::pick(random, 500, 9000) : test::pick(random, 1, 1500));
    const SuperPacket super(drawn, segment_bytes);
    const auto expected = test::slow_segment(super.bytes, super.packet.offload);
    ASSERT_EQ(cut(super.packet), expected) << "round " << round;
    ASSERT_EQ(packet_count(super.packet), expected.size());
    std::size_t bytes = 0;
    for (const Bytes& segment : expected) bytes += segment.size();
    ASSERT_EQ(packet_bytes(super.packet), bytes);
  }
}

/// Changes one field of the offload, so that it no longer fits the packet, in one case of four.
void mutate(io::Offload& offload, std::mt19937& random) {
  const auto by = static_cast<std::uint16_t>(test::pick(random, 1, 20));
  switch (test::pick(random, 0, 15)) {
    case 0:
      offload.needs_checksum = false;
      break;
    case 1:
      offload.checksum_start = static_cast<std::uint16_t>(offload.checksum_start + by);
      break;
    case 2:
      offload.checksum_offset = static_cast<std::uint16_t>(offload.checksum_offset + by);
      break;
    case 3:
      offload.segmentation = Segmentation::tcp4;
      break;
    default:
      break;
  }
}

TEST(Gso, CutsBehindALinkLayerHeaderAsWithoutIt) {
  std::mt19937 random(5);
  std::size_t cut_count = 0;
  for (int round = 0; round < 1000; ++round) {
    SuperPacket super(random_super_packet(random),
                      static_cast<std::uint16_t>(test::pick(random, 50, 1500)));
    mutate(super.packet.offload, random);
    const auto segments = cut(super.packet);
    cut_count += segments.size();
    for (const std::size_t link_bytes : test::kLinkHeaderSizes) {
      const SuperPacket frame(test::with_link_header(super.bytes, link_bytes),
                              test::behind_link_header(super.packet.offload, link_bytes));
      std::vector<Bytes> expected;
      for (const Bytes& segment : segments)
        expected.push_back(test::with_link_header(segment, link_bytes));
      ASSERT_EQ(cut(frame.packet, link_bytes), expected) << "round " << round;
      const std::uint32_t count = packet_count(super.packet);
      ASSERT_EQ(packet_count(frame.packet), count);
      ASSERT_EQ(packet_bytes(frame.packet), packet_bytes(super.packet) + count * link_bytes);
    }
  }
  EXPECT_GT(cut_count, 5000u);
}

TEST(Gso, PutsFlagsWhereTheyBelong) {
  // RFC 9293 3.8.6 and RFC 3168 6.1.2: FIN and PSH end the data, CWR is set once, ECE always.
  const SuperPacket super({.flags = 0xd9, .payload = Bytes(2500)}, 1000);
  const auto segments = cut(super.packet);
  ASSERT_EQ(segments.size(), 3u);
  EXPECT_EQ(segments[0][53], std::byte{0xd0});  // CWR ECE ACK
  EXPECT_EQ(segments[1][53], std::byte{0x50});  // ECE ACK
  EXPECT_EQ(segments[2][53], std::byte{0x59});  // ECE ACK PSH FIN
}

TEST(Gso, CountsSequenceAndIdentificationAcrossTheirEnd) {
  const SuperPacket super(
      {.is_ipv6 = false, .identification = 0xffff, .sequence = 0xffff'ff00, .payload = Bytes(1000)},
      500);
  const auto segments = cut(super.packet);
  ASSERT_EQ(segments.size(), 2u);
  EXPECT_EQ(segments[1][4], std::byte{0});
  EXPECT_EQ(segments[1][5], std::byte{0});
  EXPECT_EQ(segments[1][24], std::byte{0});
  EXPECT_EQ(segments[1][26], std::byte{0});
  EXPECT_EQ(segments[1][27], std::byte{0xf4});
}

TEST(Gso, SendsAUdpChecksumOfZeroAsOnes) {
  // RFC 768: a field of 0 means that there is no checksum. The two bytes make the sum 0.
  TransportPacket drawn{.is_tcp = false, .payload = Bytes(2)};
  const Bytes whole = test::draw(drawn);
  drawn.payload = {whole[46], whole[47]};
  const SuperPacket super(drawn, 100);
  const auto segments = cut(super.packet);
  ASSERT_EQ(segments.size(), 1u);
  EXPECT_EQ(segments[0][46], std::byte{0xff});
  EXPECT_EQ(segments[0][47], std::byte{0xff});
}

TEST(Gso, KeepsThePseudoHeaderSumOfARoutingHeader) {
  // RFC 8200 8.1: the checksum covers the final destination, which only the sender's sum contains.
  TransportPacket drawn{.payload = Bytes(3000, std::byte{7})};
  SuperPacket plain(drawn, 1000);
  SuperPacket routed(drawn, 1000);
  for (std::size_t i = 24; i < 40; ++i)
    routed.bytes[i] = std::byte{0x20};  // the next hop's address
  const auto expected = cut(plain.packet);
  const auto segments = cut(routed.packet);
  ASSERT_EQ(segments.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(Bytes(segments[i].begin() + 40, segments[i].end()),
              Bytes(expected[i].begin() + 40, expected[i].end()));
  }
}

TEST(Gso, CutsWhatFitsOneSegmentIntoOne) {
  const TransportPacket drawn{.flags = 0x99, .payload = Bytes(77, std::byte{1})};
  const SuperPacket super(drawn, 1000);
  EXPECT_EQ(cut(super.packet), std::vector<Bytes>{test::draw(drawn)});
  EXPECT_EQ(packet_count(super.packet), 1u);
}

TEST(Gso, RefusesOffloadsThatDoNotFitTheHeaders) {
  const TransportPacket tcp6{.payload = Bytes(3000)};
  const TransportPacket tcp4{.is_ipv6 = false, .payload = Bytes(3000)};
  const auto refused = [](const TransportPacket& drawn, auto change) {
    SuperPacket super(drawn, 1000);
    EXPECT_TRUE(start(super.packet));
    change(super);
    super.packet = [&] {
      io::Packet packet(super.bytes, 0, super.bytes.size());
      packet.offload = super.packet.offload;
      return packet;
    }();
    return !start(super.packet);
  };
  EXPECT_TRUE(refused(tcp6, [](auto& s) { s.packet.offload.segmentation = Segmentation::none; }));
  EXPECT_TRUE(refused(tcp6, [](auto& s) { s.packet.offload.segmentation = Segmentation::tcp4; }));
  EXPECT_TRUE(refused(tcp4, [](auto& s) { s.packet.offload.segmentation = Segmentation::tcp6; }));
  EXPECT_TRUE(refused(tcp6, [](auto& s) { s.packet.offload.segmentation = Segmentation::udp; }));
  EXPECT_TRUE(refused(tcp6, [](auto& s) { s.packet.offload.segment_bytes = 0; }));
  EXPECT_TRUE(refused(tcp6, [](auto& s) { s.packet.offload.needs_checksum = false; }));
  EXPECT_TRUE(refused(tcp6, [](auto& s) { s.packet.offload.checksum_start += 4; }));
  EXPECT_TRUE(refused(tcp6, [](auto& s) { s.packet.offload.checksum_offset = 6; }));
  EXPECT_TRUE(refused(tcp6, [](auto& s) { s.bytes.push_back({}); }));  // padding
  EXPECT_TRUE(refused(tcp6, [](auto& s) { s.bytes.pop_back(); }));     // cut short
  EXPECT_TRUE(refused(tcp6, [](auto& s) { s.bytes.resize(50); }));
  EXPECT_TRUE(refused(tcp6, [](auto& s) { s.bytes.clear(); }));
  EXPECT_TRUE(refused(tcp6, [](auto& s) { s.bytes[52] = std::byte{0x40}; }));  // data offset 16
  EXPECT_TRUE(refused(tcp6, [](auto& s) { s.bytes[0] = std::byte{0x50}; }));   // version
  EXPECT_TRUE(refused(tcp6, [](auto& s) { s.bytes[6] = std::byte{50}; }));     // ESP
  EXPECT_TRUE(refused(tcp4, [](auto& s) { s.bytes[9] = std::byte{17}; }));
}

TEST(Gso, RefusesFragments) {
  TransportPacket drawn{.payload = Bytes(3000)};
  drawn.extensions = Bytes(8);
  drawn.extensions[0] = std::byte{6};
  SuperPacket super(drawn, 1000);
  super.bytes[6] = std::byte{44};  // Fragment header
  EXPECT_TRUE(start(super.packet)) << "offset 0 and no more fragments: RFC 6946";
  super.bytes[43] = std::byte{1};  // more fragments
  EXPECT_FALSE(start(super.packet));
}

TEST(Gso, RefusesHeadersAboveTheRoomForThem) {
  TransportPacket drawn{.payload = Bytes(3000)};
  drawn.extensions = destination_options(6, 16);  // 40 + 128 + 20 = 188
  EXPECT_TRUE(start(SuperPacket(drawn, 1000).packet));
  drawn.extensions = destination_options(6, 17);
  EXPECT_FALSE(start(SuperPacket(drawn, 1000).packet));
}

TEST(PacketCount, IsOneForWhatMakesNoSense) {
  SuperPacket super({.payload = Bytes(3000)}, 1000);
  EXPECT_EQ(packet_count(super.packet), 3u);
  super.packet.offload.checksum_start = 3050;
  EXPECT_EQ(packet_count(super.packet), 1u);
  EXPECT_EQ(packet_bytes(super.packet), 3060u);
  super.packet.offload.checksum_start = 65535;
  EXPECT_EQ(packet_count(super.packet), 1u);
  super.packet.offload.segmentation = Segmentation::none;
  EXPECT_EQ(packet_count(super.packet), 1u);
}

TEST(PacketCount, IsTheSameBehindAnOuterHeader) {
  const TransportPacket drawn{.payload = Bytes(3001)};
  Bytes buffer(24);
  const Bytes inner = test::draw(drawn, Checksum::partial);
  buffer.insert(buffer.end(), inner.begin(), inner.end());
  io::Packet packet(buffer, 24, inner.size());
  packet.offload = test::partial_offload(drawn, 1000);
  EXPECT_EQ(packet_count(packet), 4u);
  packet.grow_front(24);
  EXPECT_EQ(packet_count(packet), 4u);
}

TEST(CompleteChecksum, WritesWhatTheSlowReferenceDoes) {
  std::mt19937 random(2);
  for (int round = 0; round < 500; ++round) {
    TransportPacket drawn = random_super_packet(random);
    drawn.payload.resize(test::pick(random, 0, 1500));
    SuperPacket partial(drawn, 0);
    ASSERT_TRUE(complete_checksum(partial.packet));
    ASSERT_EQ(partial.bytes, test::draw(drawn));
    ASSERT_FALSE(partial.packet.offload.needs_checksum);
  }
}

TEST(CompleteChecksum, SendsAUdpChecksumOfZeroAsOnes) {
  TransportPacket drawn{.is_tcp = false, .payload = Bytes(2)};
  const Bytes whole = test::draw(drawn);
  drawn.payload = {whole[46], whole[47]};
  SuperPacket partial(drawn, 0);
  ASSERT_TRUE(complete_checksum(partial.packet));
  EXPECT_EQ(partial.bytes, test::draw(drawn));
  EXPECT_EQ(partial.bytes[46], std::byte{0xff});
}

TEST(CompleteChecksum, RefusesPositionsOutsideThePacket) {
  for (const auto& [start, offset, fits] :
       {std::tuple{60, 16, false}, {65535, 65535, false}, {40, 29, false}, {40, 28, true}}) {
    SuperPacket super({.payload = Bytes(10)}, 0);
    super.packet.offload.checksum_start = static_cast<std::uint16_t>(start);
    super.packet.offload.checksum_offset = static_cast<std::uint16_t>(offset);
    EXPECT_EQ(complete_checksum(super.packet), fits) << start << " " << offset;
    EXPECT_EQ(super.packet.offload.needs_checksum, !fits);
  }
}

}  // namespace
}  // namespace culvert
