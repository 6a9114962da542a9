#include "engine/model/packet_meta.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "tests/support/link_header.h"
#include "tests/support/packet_builder.h"

namespace culvert {
namespace {

using namespace test;
using proto::Malformed;

// ---- the reference: the headers field by field, as the RFCs draw them ---------------------------

unsigned u8(const Bytes& bytes, std::size_t offset) {
  return std::to_integer<unsigned>(bytes.at(offset));
}
unsigned u16(const Bytes& bytes, std::size_t offset) {
  return u8(bytes, offset) << 8 | u8(bytes, offset + 1);
}
std::uint32_t u32(const Bytes& bytes, std::size_t offset) {
  return u16(bytes, offset) << 16 | u16(bytes, offset + 2);
}

/// TCP: RFC 9293 3.1. UDP: RFC 768. Ports alone: RFC 3828 3.1, RFC 9260 3.1, RFC 4340 5.1.
void refer_transport(PacketMeta& meta, const Bytes& bytes) {
  const std::size_t at = meta.upper_offset, size = meta.size_bytes - at;
  const unsigned protocol = meta.upper_protocol;
  const bool has_ports =
      protocol == 6 || protocol == 17 || protocol == 136 || protocol == 132 || protocol == 33;
  if (at == 0 || !has_ports || size < 4) return;
  meta.has_ports = true;
  meta.ports = u32(bytes, at);
  if (protocol == 17 && size >= 8) meta.payload_offset = at + 8;
  if (protocol == 6 && size >= 14) meta.tcp_flags = static_cast<std::uint8_t>(u8(bytes, at + 13));
  if (protocol != 6 || size < 20) return;
  const std::size_t header_bytes = u8(bytes, at + 12) / 16 * 4;
  if (header_bytes >= 20 && header_bytes <= size) meta.payload_offset = at + header_bytes;
}

/// One step along the extension headers. Returns false if the packet ends within the chain. RFC
/// 8200 4; AH: RFC 4302 2.2.
bool refer_extension(PacketMeta& meta, const Bytes& bytes) {
  const std::size_t at = meta.upper_offset;
  if (at + 8 > meta.size_bytes) return false;
  const unsigned length = u8(bytes, at + 1);
  std::size_t header_bytes = (length + 1) * 8;
  if (meta.upper_protocol == 51) header_bytes = (length + 2) * 4;
  if (meta.upper_protocol == 44) {
    header_bytes = 8;
    meta.identification = u32(bytes, at + 4);
    const bool has_offset = u16(bytes, at + 2) / 8 != 0, has_more = u16(bytes, at + 2) % 2 != 0;
    if (has_offset) meta.fragment = FragmentRole::later;
    if (has_more && !has_offset) meta.fragment = FragmentRole::first;
  }
  if (at + header_bytes > meta.size_bytes) return false;
  meta.upper_protocol = static_cast<std::uint8_t>(u8(bytes, at));
  meta.upper_offset = meta.fragment == FragmentRole::later ? 0 : at + header_bytes;
  return true;
}

/// RFC 8200 3.
PacketMeta refer_ipv6(const Bytes& bytes) {
  if (bytes.size() < 40) return {.malformed = Malformed::truncated};
  const PacketMeta fixed{.size_bytes = 40 + u16(bytes, 4),
                         .ip_header_bytes = 40,
                         .upper_offset = 40,
                         .protocol_type = 0x86dd,
                         .upper_protocol = static_cast<std::uint8_t>(u8(bytes, 6)),
                         .hop_limit = static_cast<std::uint8_t>(u8(bytes, 7)),
                         .ds_field = static_cast<std::uint8_t>(u16(bytes, 0) >> 4)};
  if (fixed.size_bytes > bytes.size()) return {.malformed = Malformed::truncated};
  PacketMeta meta = fixed;
  const auto is_extension = [&] {
    const unsigned next = meta.upper_protocol;
    return next == 0 || next == 43 || next == 44 || next == 51 || next == 60;
  };
  while (is_extension() && meta.upper_offset != 0) {
    if (refer_extension(meta, bytes)) continue;
    meta = fixed;
    meta.upper_offset = 0;
  }
  refer_transport(meta, bytes);
  return meta;
}

/// RFC 791 3.1.
PacketMeta refer_ipv4(const Bytes& bytes) {
  if (bytes.size() < 20) return {.malformed = Malformed::truncated};
  const std::size_t header_bytes = u8(bytes, 0) % 16 * 4, size_bytes = u16(bytes, 2);
  if (header_bytes < 20) return {.malformed = Malformed::bad_header_length};
  if (header_bytes > bytes.size()) return {.malformed = Malformed::truncated};
  if (size_bytes < header_bytes) return {.malformed = Malformed::bad_header_length};
  if (size_bytes > bytes.size()) return {.malformed = Malformed::truncated};
  if (slow_sum(first(bytes, header_bytes)) != 0xffff) return {.malformed = Malformed::bad_checksum};
  const unsigned fragment = u16(bytes, 6);
  PacketMeta meta{.size_bytes = size_bytes,
                  .ip_header_bytes = header_bytes,
                  .upper_offset = fragment % 0x2000 == 0 ? header_bytes : 0,
                  .identification = u16(bytes, 4),
                  .protocol_type = 0x0800,
                  .upper_protocol = static_cast<std::uint8_t>(u8(bytes, 9)),
                  .hop_limit = static_cast<std::uint8_t>(u8(bytes, 8)),
                  .ds_field = static_cast<std::uint8_t>(u8(bytes, 1)),
                  .may_be_fragmented = (fragment & 0x4000) == 0};
  if ((fragment & 0x2000) != 0) meta.fragment = FragmentRole::first;
  if (fragment % 0x2000 != 0) meta.fragment = FragmentRole::later;
  refer_transport(meta, bytes);
  return meta;
}

PacketMeta refer(const Bytes& bytes) {
  if (bytes.empty()) return {.malformed = Malformed::truncated};
  if (u8(bytes, 0) / 16 == 6) return refer_ipv6(bytes);
  if (u8(bytes, 0) / 16 == 4) return refer_ipv4(bytes);
  return {.malformed = Malformed::bad_version};
}

void expect_equal(const PacketMeta& meta, const PacketMeta& expected) {
  EXPECT_EQ(meta.has_ip_header(), expected.has_ip_header());
  EXPECT_EQ(meta.malformed, expected.malformed);
  EXPECT_EQ(meta.size_bytes, expected.size_bytes);
  EXPECT_EQ(meta.ip_header_bytes, expected.ip_header_bytes);
  EXPECT_EQ(meta.upper_offset, expected.upper_offset);
  EXPECT_EQ(meta.payload_offset, expected.payload_offset);
  EXPECT_EQ(meta.ports, expected.ports);
  EXPECT_EQ(meta.identification, expected.identification);
  EXPECT_EQ(meta.protocol_type, expected.protocol_type);
  EXPECT_EQ(meta.ip_offset, expected.ip_offset);
  EXPECT_EQ(meta.ds_field, expected.ds_field);
  EXPECT_EQ(meta.hop_limit, expected.hop_limit);
  EXPECT_EQ(meta.upper_protocol, expected.upper_protocol);
  EXPECT_EQ(meta.tcp_flags, expected.tcp_flags);
  EXPECT_EQ(meta.fragment, expected.fragment);
  EXPECT_EQ(meta.may_be_fragmented, expected.may_be_fragmented);
  EXPECT_EQ(meta.has_ports, expected.has_ports);
}

// ---- random packets -----------------------------------------------------------------------------

/// One packet of each kind that classify() tells apart.
std::vector<Bytes> kinds() {
  const Drawing segment = tcp(80, 1024, {.flags = 0x12, .options = hex("02 04 05 b4")});
  const Drawing datagram = udp(53, 1025);
  std::vector<Bytes> packets{
      ipv6(kA6, kB6, {.traffic_class = 0xb9, .hop_limit = 3}) / segment / payload(9),
      ipv6(kA6, kB6) / datagram / payload(9),
      ipv6(kA6, kB6) / icmpv6(128, 0) / payload(9),
      ipv6(kA6, kB6) / hop_by_hop() / routing(24) / destination_options(16) / segment,
      ipv6(kA6, kB6) / authentication() / datagram / payload(4),
      ipv6(kA6, kB6) / fragment(0, false, 7) / datagram,
      ipv6(kA6, kB6) / fragment(0, true, 7) / segment / payload(16),
      ipv6(kA6, kB6) / fragment(0, true, 7) / fragment(0, false, 8) / datagram,
      ipv6(kA6, kB6) / destination_options() / fragment(48, false, 9) / payload(16),
      ipv4(kA4, kB4, {.tos = 0xb9, .ttl = 3, .identification = 99}) / segment / payload(9),
      ipv4(kA4, kB4, {.dont_fragment = false, .options = hex("01 01 01 00")}) / datagram,
      ipv4(kA4, kB4) / icmpv4(8, 0) / payload(9),
      ipv4(kA4, kB4, {.more_fragments = true}) / segment / payload(16),
      ipv4(kA4, kB4, {.fragment_offset_bytes = 16}) / payload(16)};
  for (const std::uint8_t protocol : std::initializer_list<std::uint8_t>{33, 50, 132, 136})
    packets.push_back(ipv6(kA6, kB6, {.next_header = protocol}) / payload(20));
  return packets;
}

/// Cuts the packet or adds padding; changes bytes, mostly of the headers; repairs the length field
/// and the IPv4 header checksum now and then, so that the change is not refused for them.
void mutate(Bytes& packet, std::mt19937& random) {
  const auto below = [&](std::size_t limit) { return random() % limit; };
  if (below(3) == 0) packet.resize(below(packet.size() + 12));
  for (std::size_t i = below(4); i > 0 && !packet.empty(); --i)
    packet[below(std::min<std::size_t>(packet.size(), 80))] = static_cast<std::byte>(random());
  if (packet.size() < 40 || below(4) == 0) return;
  const bool is_ipv6 = u8(packet, 0) / 16 == 6;
  const std::size_t stated = packet.size() - below(2) * below(4) - (is_ipv6 ? 40 : 0);
  const std::size_t at = is_ipv6 ? 4 : 2;
  packet[at] = static_cast<std::byte>(stated >> 8);
  packet[at + 1] = static_cast<std::byte>(stated);
  if (is_ipv6) return;
  packet[10] = packet[11] = std::byte{0};
  const auto sum = static_cast<std::uint16_t>(
      ~slow_sum(first(packet, std::min<std::size_t>(u8(packet, 0) % 16 * 4, packet.size()))));
  packet[10] = static_cast<std::byte>(sum >> 8);
  packet[11] = static_cast<std::byte>(sum);
}

TEST(PacketMeta, EqualsTheReferenceForRandomPackets) {
  std::mt19937 random(1);
  const std::vector<Bytes> originals = kinds();
  std::size_t with_ip_header = 0, with_payload = 0;
  for (int i = 0; i < 100'000; ++i) {
    Bytes packet = originals[random() % originals.size()];
    if (i >= 100) mutate(packet, random);
    const PacketMeta meta = classify(packet);
    expect_equal(meta, refer(packet));
    if (::testing::Test::HasFailure()) FAIL() << ::testing::PrintToString(packet);
    with_ip_header += meta.has_ip_header();
    with_payload += meta.payload_offset != 0;
  }
  EXPECT_GT(with_ip_header, 30'000u);
  EXPECT_GT(with_payload, 10'000u);
}

// A frame has its IP header behind a link-layer header: every position counts from the frame.
TEST(PacketMeta, CountsPositionsFromTheLinkLayerHeader) {
  constexpr std::size_t kEthernetBytes = 14;
  for (const Bytes& packet : kinds()) {
    Bytes frame = pattern(kEthernetBytes);
    frame.insert(frame.end(), packet.begin(), packet.end());
    PacketMeta expected = refer(packet);
    expected.ip_offset = kEthernetBytes;
    if (expected.upper_offset != 0) expected.upper_offset += kEthernetBytes;
    if (expected.payload_offset != 0) expected.payload_offset += kEthernetBytes;
    const PacketMeta meta = classify(frame, kEthernetBytes);
    expect_equal(meta, expected);
    EXPECT_EQ(meta.end_offset(), frame.size());
    EXPECT_EQ(meta.ip_bytes(std::span<const std::byte>{frame}).data(), frame.data() + 14);
  }
  EXPECT_FALSE(classify(pattern(14), kEthernetBytes).has_ip_header());
  EXPECT_FALSE(classify(pattern(3), kEthernetBytes).has_ip_header());
}

// RFC 792, RFC 4443 3.1: the quotation ends where the error ends, and IPv4 routers on the way have
// changed the header that it quotes.
TEST(PacketMeta, ReadsWhatAnErrorQuotes) {
  for (const Bytes& packet : kinds()) {
    const PacketMeta whole = classify(packet);
    for (std::size_t size = 0; size <= packet.size(); ++size) {
      Bytes quoted = first(packet, size);
      if (size > 10 && !whole.is_ipv6()) quoted[10] ^= std::byte{0x55};  // the checksum
      const PacketMeta meta = classify_quoted(quoted);
      ASSERT_EQ(meta.has_ip_header(), size >= whole.ip_header_bytes) << size;
      if (!meta.has_ip_header()) continue;
      EXPECT_EQ(meta.size_bytes, size);
      const std::size_t upper_end = whole.upper_offset + 4;
      EXPECT_EQ(meta.has_ports, whole.has_ports && size >= upper_end) << size;
      if (meta.has_ports) {
        EXPECT_EQ(meta.ports, whole.ports);
      }
    }
  }
}

TEST(PacketMeta, SaysWhyThereIsNoIpHeader) {
  EXPECT_EQ(classify({}).malformed, Malformed::truncated);
  EXPECT_EQ(classify(Bytes(40, std::byte{0x55})).malformed, Malformed::bad_version);
  EXPECT_EQ(classify(Bytes(39, std::byte{0x60})).malformed, Malformed::truncated);
  EXPECT_EQ(classify(Bytes(20, std::byte{0x44})).malformed, Malformed::bad_header_length);
  const Bytes bad_sum = ipv4(kA4, kB4, {.checksum = 1}) / udp(1, 2);
  EXPECT_EQ(classify(bad_sum).malformed, Malformed::bad_checksum);
  EXPECT_EQ(classify_quoted(Bytes(40, std::byte{0x55})).malformed, Malformed::bad_version);
}

// ---- functions of a packet ----------------------------------------------------------------------

TEST(PacketMeta, LowersTheMssOfASynAlone) {
  const auto mss_after = [](const Drawing& drawing, std::size_t offset) {
    Bytes packet = drawing;
    clamp_to_mtu(classify(packet), packet, 1280, false);
    return u16(packet, offset);
  };
  const TcpExtra syn{.flags = 0x02, .options = hex("02 04 05 b4")};
  const TcpExtra ack{.flags = 0x10, .options = hex("02 04 05 b4")};
  EXPECT_EQ(mss_after(ipv6(kA6, kB6) / tcp(1, 2, syn), 62), 1220u);
  EXPECT_EQ(mss_after(ipv4(kA4, kB4) / tcp(1, 2, syn), 42), 1240u);
  EXPECT_EQ(mss_after(ipv6(kA6, kB6) / hop_by_hop() / tcp(1, 2, syn), 70), 1220u);
  EXPECT_EQ(mss_after(ipv6(kA6, kB6) / tcp(1, 2, ack), 62), 1460u);
  EXPECT_EQ(mss_after(ipv6(kA6, kB6) / fragment(0, true) / tcp(1, 2, syn), 70), 1460u);
}

TEST(PacketMeta, ChangesPacketsBehindALinkLayerHeaderAsWithoutIt) {
  const TcpExtra syn{.flags = 0x02, .options = hex("02 04 05 b4")};
  const auto change = [](Bytes bytes, std::size_t link_bytes) {
    const PacketMeta meta = classify(bytes, link_bytes);
    clamp_to_mtu(meta, bytes, 1280, false);
    set_ds_field(meta, bytes, 0xbb);
    return bytes;
  };
  for (const Bytes packet : {ipv6(kA6, kB6) / tcp(1, 2, syn), ipv4(kA4, kB4) / tcp(1, 2, syn)}) {
    const Bytes expected = change(packet, 0);
    EXPECT_NE(expected, packet);
    for (const std::size_t link_bytes : kLinkHeaderSizes) {
      EXPECT_EQ(change(with_link_header(packet, link_bytes), link_bytes),
                with_link_header(expected, link_bytes));
    }
  }
}

TEST(PacketMeta, SetsTheDsFieldOfBothVersions) {
  for (Bytes packet : {ipv6(kA6, kB6).bytes(), ipv4(kA4, kB4).bytes()}) {
    set_ds_field(classify(packet), packet, 0xbb);
    EXPECT_EQ(classify(packet).ds_field, 0xbb);  // the IPv4 checksum is still valid
  }
}

}  // namespace
}  // namespace culvert
