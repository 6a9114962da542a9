// Gro: packets that it joins, packets that it must not join, and that none is lost, changed or
// reordered.
#include "engine/offload/gro.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "tests/support/gro_round.h"
#include "tests/support/link_header.h"
#include "tests/support/transport_packet.h"

namespace culvert {
namespace {

using io::Segmentation;
using test::Bytes;
using test::Checksum;
using Round = test::GroRound;
using test::TransportPacket;

using Counts = std::vector<std::uint32_t>;

/// `count` packets of one flow, as a sender's segmentation makes them.
std::vector<TransportPacket> run_of(TransportPacket packet, std::size_t count) {
  std::vector<TransportPacket> packets;
  for (std::size_t i = 0; i < count; ++i) {
    packets.push_back(packet);
    packet.sequence += static_cast<std::uint32_t>(packet.payload.size());
    ++packet.identification;
  }
  return packets;
}

Counts coalesce(const std::vector<TransportPacket>& packets) {
  Round round;
  for (const auto& packet : packets) round.add(packet);
  return round.finish_counts();
}

std::vector<TransportPacket> all_kinds() {
  std::vector<TransportPacket> kinds;
  for (const bool is_ipv6 : {true, false}) {
    for (const bool is_tcp : {true, false}) {
      kinds.push_back({.is_ipv6 = is_ipv6,
                       .is_tcp = is_tcp,
                       .tos = 2,
                       .flow_label = 0x12345,
                       .identification = 0xfffe,
                       .dont_fragment = false,
                       .tcp_options = Bytes(12, std::byte{1}),
                       .payload = Bytes(1200, std::byte{0xa5})});
    }
  }
  return kinds;
}

TEST(Gro, MakesTheSuperPacketThatTheSenderHad) {
  for (const TransportPacket& kind : all_kinds()) {
    Round round;
    TransportPacket whole = kind;
    whole.payload.clear();
    auto packets = run_of(kind, 5);
    packets.back().payload.resize(77);
    if (kind.is_tcp) packets.back().flags = whole.flags = 0x18;  // PSH ends it
    for (const auto& packet : packets) {
      round.add(packet);
      whole.payload.insert(whole.payload.end(), packet.payload.begin(), packet.payload.end());
    }
    const auto outputs = round.finish();
    ASSERT_EQ(outputs.size(), 1u);
    EXPECT_EQ(outputs[0].bytes, test::draw(whole, Checksum::partial));
    EXPECT_EQ(outputs[0].offload, test::partial_offload(whole, 1200));
    EXPECT_EQ(outputs[0].packets, 5u);
    EXPECT_EQ(outputs[0].byte_count, 5 * kind.header_bytes() + whole.payload.size());
  }
}

TEST(Gro, LeavesASinglePacketAsItIs) {
  for (const TransportPacket& kind : all_kinds()) {
    Round round;
    const io::Offload offload{.checksum_verified = true};
    round.add(test::draw(kind), offload, 3);
    const auto outputs = round.finish();
    ASSERT_EQ(outputs.size(), 1u);
    EXPECT_EQ(outputs[0].bytes, test::draw(kind));
    EXPECT_EQ(outputs[0].offload, offload);
    EXPECT_EQ(outputs[0].tunnel, 3u);
  }
}

TEST(Gro, JoinsUdpOnlyIfTheDeviceTakesIt) {
  Round round(false);
  for (const auto& packet : run_of({.is_tcp = false, .payload = Bytes(100)}, 3)) round.add(packet);
  EXPECT_EQ(round.finish_counts(), Counts({1, 1, 1}));
}

struct Change {
  std::string what;
  std::function<void(TransportPacket&)> apply;
};

/// Changes one packet of three: GRO must not join the others across it.
void expect_each_closes(const TransportPacket& kind, const std::vector<Change>& changes) {
  for (const auto& [what, apply] : changes) {
    auto packets = run_of(kind, 3);
    EXPECT_EQ(coalesce(packets), Counts({3})) << "before: " << what;
    apply(packets[1]);
    EXPECT_EQ(coalesce(packets), Counts({1, 1, 1})) << what;
  }
}

TEST(Gro, JoinsOnlyEqualHeaders) {
  for (const TransportPacket& kind : all_kinds()) {
    expect_each_closes(kind,
                       {{"TOS", [](auto& p) { p.tos = 3; }}, {"TTL", [](auto& p) { --p.ttl; }}});
    if (kind.is_ipv6) {
      expect_each_closes(kind, {{"flow label", [](auto& p) { ++p.flow_label; }},
                                {"extensions", [&](auto& p) {
                                   p.extensions = Bytes(8);
                                   p.extensions[0] = std::byte(p.is_tcp ? 6 : 17);
                                   p.extensions[2] = std::byte{1};  // PadN
                                   p.extensions[3] = std::byte{4};
                                 }}});
    } else {
      expect_each_closes(kind,
                         {{"DF", [](auto& p) { p.dont_fragment = true; }},
                          {"identification", [](auto& p) { p.identification += 7; }},
                          {"options", [](auto& p) { p.ip_options = Bytes(4, std::byte{1}); }}});
    }
  }
}

TEST(Gro, JoinsOnlyContiguousTcpData) {
  const TransportPacket kind = all_kinds()[0];
  std::vector<Change> changes = {
      {"acknowledgment", [](auto& p) { ++p.acknowledgment; }},
      {"window", [](auto& p) { ++p.window; }},
      {"urgent pointer", [](auto& p) { ++p.urgent_pointer; }},
      {"reserved bits", [](auto& p) { p.reserved = 1; }},
      {"option bytes", [](auto& p) { p.tcp_options.back() = std::byte{0}; }},
      {"option size", [](auto& p) { p.tcp_options.resize(8); }},
      {"lost before", [](auto& p) { p.sequence += 1200; }},
      {"seen before", [](auto& p) { p.sequence -= 1200; }},
      {"no data", [](auto& p) { p.payload.clear(); }},
      {"more data", [](auto& p) { p.payload.resize(1201); }},
  };
  for (const unsigned flag : {0x01, 0x02, 0x04, 0x20, 0x40, 0x80}) {  // FIN SYN RST URG ECE CWR
    changes.push_back({"flag " + std::to_string(flag),
                       [flag](auto& p) { p.flags = static_cast<std::uint8_t>(p.flags | flag); }});
  }
  changes.push_back({"no ACK", [](auto& p) { p.flags = 0; }});
  expect_each_closes(kind, changes);
}

TEST(Gro, JoinsNothingBehindAPushOrAShorterPacket) {
  for (const TransportPacket& kind : all_kinds()) {
    auto packets = run_of(kind, 4);
    packets[1].payload.resize(1199);
    for (std::size_t i = 2; i < 4; ++i) --packets[i].sequence;
    EXPECT_EQ(coalesce(packets), Counts({2, 2}));
    if (!kind.is_tcp) continue;
    packets = run_of(kind, 5);
    packets[0].flags = packets[2].flags = 0x18;
    EXPECT_EQ(coalesce(packets), Counts({1, 2, 2}));
  }
}

TEST(Gro, LetsDamageThroughAlone) {
  // Joining would give a damaged packet a right checksum. RFC 1071, RFC 9293 3.1.
  for (const TransportPacket& kind : all_kinds()) {
    for (std::size_t damaged = 0; damaged < 3; ++damaged) {
      Round round;
      const auto packets = run_of(kind, 3);
      for (std::size_t i = 0; i < 3; ++i) {
        round.add(test::draw(packets[i], i == damaged ? Checksum::bad : Checksum::complete));
      }
      const auto outputs = round.finish();
      const std::size_t place = damaged == 2 ? 1 : damaged;
      ASSERT_EQ(outputs.size(), damaged == 1 ? 3u : 2u);
      EXPECT_EQ(outputs[place].bytes, test::draw(packets[damaged], Checksum::bad));
      EXPECT_EQ(outputs[place].offload, io::Offload{});
    }
  }
}

TEST(Gro, LetsADamagedIpv4HeaderThroughAlone) {
  Round round;
  const auto packets = run_of({.is_ipv6 = false, .payload = Bytes(100)}, 2);
  round.add(packets[0]);
  Bytes damaged = test::draw(packets[1]);
  damaged[10] ^= std::byte{1};
  round.add(damaged, {.checksum_verified = true});
  EXPECT_EQ(round.finish_counts(), Counts({1, 1}));
}

TEST(Gro, BelievesTheKernelThatAChecksumIsRight) {
  const auto packets = run_of({.payload = Bytes(100)}, 2);
  Round round;
  for (const auto& packet : packets) {
    round.add(test::draw(packet, Checksum::bad), {.checksum_verified = true});
  }
  EXPECT_EQ(round.finish_counts(), Counts({2}));
  for (const auto& packet : packets) {
    round.add(test::draw(packet, Checksum::partial), test::partial_offload(packet));
  }
  EXPECT_EQ(round.finish_counts(), Counts({2}));
  for (const auto& packet : packets) {  // a checksum that is wanted elsewhere is not TCP's
    auto offload = test::partial_offload(packet);
    offload.checksum_offset = 4;
    round.add(test::draw(packet), offload);
  }
  EXPECT_EQ(round.finish_counts(), Counts({1, 1}));
}

TEST(Gro, BelievesNoChecksumOfWhatIsNoWholePacket) {
  // A checksum verified by the kernel does not restore padding, fragments or missing checksums.
  const io::Offload verified{.checksum_verified = true};
  for (const TransportPacket& kind : all_kinds()) {
    Round round;
    auto packets = run_of(kind, 3);
    for (std::uint32_t i = 0; i < 3; ++i) {
      packets[i].sequence += 4 * i;  // as if the padding were data
      Bytes bytes = test::draw(packets[i]);
      bytes.resize(bytes.size() + 4);
      round.add(bytes, verified);
    }
    EXPECT_EQ(round.finish_counts(), Counts({1, 1, 1})) << "padding";
    if (kind.is_ipv6) continue;
    for (const auto& packet : run_of(kind, 3)) {
      Bytes bytes = test::draw(packet);
      bytes[6] = std::byte{0x20};  // more fragments
      const auto checksum = std::to_integer<unsigned>(bytes[10]) - 0x20;
      bytes[10] = std::byte(checksum);
      round.add(bytes, verified);
    }
    EXPECT_EQ(round.finish_counts(), Counts({1, 1, 1})) << "fragments";
  }
}

TEST(Gro, KeepsUdpWithoutAChecksumAlone) {
  Round round;
  for (const auto& packet : run_of({.is_ipv6 = false, .is_tcp = false, .payload = Bytes(100)}, 2)) {
    Bytes bytes = test::draw(packet);
    bytes[26] = bytes[27] = std::byte{0};
    round.add(bytes, {.checksum_verified = true});
  }
  EXPECT_EQ(round.finish_counts(), Counts({1, 1}));
}

TEST(Gro, JoinsAnyIdentificationWithDfSet) {
  // RFC 6864 4.1: the identification of an atomic datagram has no meaning.
  auto packets = run_of({.is_ipv6 = false, .payload = Bytes(100)}, 3);
  for (auto& packet : packets) packet.identification = 0;
  EXPECT_EQ(coalesce(packets), Counts({3}));
}

TEST(Gro, DoesNotJoinAcrossTunnels) {
  Round round;
  const auto packets = run_of({.payload = Bytes(100)}, 3);
  for (std::uint32_t i = 0; i < 3; ++i) round.add(test::draw(packets[i]), {}, i == 1 ? 1 : 0);
  EXPECT_EQ(round.finish_counts(), Counts({1, 1, 1}));
}

TEST(Gro, KeepsOrderAroundWhatMustGoAlone) {
  Round round;
  const auto packets = run_of({.payload = Bytes(100)}, 5);
  for (std::size_t i = 0; i < 5; ++i) round.add(test::draw(packets[i]), {}, 0, i != 2);
  const auto outputs = round.finish();
  ASSERT_EQ(outputs.size(), 3u);
  EXPECT_EQ(outputs[1].bytes, test::draw(packets[2]));
}

TEST(Gro, PassesSuperPacketsAsTheyAre) {
  Round round;
  auto packets = run_of({.payload = Bytes(100)}, 4);
  const TransportPacket super{.sequence = packets[2].sequence, .payload = Bytes(1000)};
  round.add(packets[0]);
  round.add(packets[1]);
  round.add(test::draw(super, Checksum::partial), test::partial_offload(super, 100));
  packets[2].sequence += 1000;
  packets[3].sequence += 1000;
  round.add(packets[2]);
  round.add(packets[3]);
  const auto outputs = round.finish();
  ASSERT_EQ(outputs.size(), 3u);
  EXPECT_EQ(outputs[1].bytes, test::draw(super, Checksum::partial));
  EXPECT_EQ(outputs[1].offload, test::partial_offload(super, 100));
  EXPECT_EQ(outputs[1].packets, 10u);
  EXPECT_EQ(outputs[1].byte_count, 10u * 160);
}

TEST(Gro, LetsNoFragmentBeOvertaken) {
  const auto packets = run_of({.is_ipv6 = false, .is_tcp = false, .payload = Bytes(100)}, 2);
  Round round;
  round.add(packets[0]);
  Bytes fragment = test::draw(packets[0]);
  fragment[6] = std::byte{0x20};  // more fragments
  round.add(fragment);
  round.add(packets[1]);
  EXPECT_EQ(round.finish_counts(), Counts({1, 1, 1}));
  fragment[15] = std::byte{9};  // of another source: it may be overtaken
  round.add(packets[0]);
  round.add(fragment);
  round.add(packets[1]);
  EXPECT_EQ(round.finish_counts(), Counts({2, 1}));
}

TEST(Gro, StopsAtTheLimits) {
  const auto counts = [](bool is_tcp, std::size_t payload) {
    return coalesce(run_of({.is_tcp = is_tcp, .payload = Bytes(payload)}, 150));
  };
  EXPECT_EQ(counts(true, 10), Counts({65, 65, 20}));        // the head and io::kMaxSlices
  EXPECT_EQ(counts(false, 10), Counts({64, 64, 22}));       // UDP_MAX_SEGMENTS of Linux
  EXPECT_EQ(counts(true, 1440), Counts({45, 45, 45, 15}));  // 60 + 45 * 1440 = 64860
  EXPECT_EQ(counts(true, 13095).front(), 5u);               // 60 + 5 * 13095 = 65535
  EXPECT_EQ(counts(true, 13096).front(), 4u);
}

TEST(Gro, JoinsInterleavedFlows) {
  Round round;
  constexpr std::size_t kFlows = 16;
  std::size_t joined = 0;
  std::array<std::vector<TransportPacket>, kFlows> flows;
  for (std::size_t flow = 0; flow < kFlows; ++flow) {
    flows[flow] = run_of({.is_ipv6 = flow % 2 == 0,
                          .is_tcp = flow % 3 == 0,
                          .flow = static_cast<std::uint8_t>(flow),
                          .payload = Bytes(100)},
                         8);
  }
  for (std::size_t i = 0; i < 8; ++i) {
    for (const auto& flow : flows) round.add(flow[i]);
  }
  for (const auto count : round.finish_counts()) joined += count == 8;
  EXPECT_GE(joined, kFlows - 4) << "a set of the table may be full, not many";
}

TEST(Gro, JoinsOnlyFramesWithTheSameLinkLayerHeader) {
  for (const TransportPacket& kind : all_kinds()) {
    for (const std::size_t link_bytes : test::kLinkHeaderSizes) {
      Round round;
      unsigned seed = 1;
      for (const TransportPacket& packet : run_of(kind, 4)) {
        round.add(test::with_link_header(test::draw(packet), link_bytes, seed++ / 3), {}, 0, true,
                  link_bytes);
      }
      EXPECT_EQ(round.finish_counts(), Counts({2, 2})) << "the third has another one";
    }
  }
}

TEST(Gro, LetsFramesWithoutAnIpHeaderStayAlone) {
  Round round;
  const auto packets = run_of({.payload = Bytes(100)}, 3);
  const auto add = [&](const Bytes& packet) {
    round.add(test::with_link_header(packet, 14), {}, 0, true, 14);
  };
  add(test::draw(packets[0]));
  add(Bytes(46, std::byte{1}));  // such as ARP, RFC 826: of no flow
  add(test::draw(packets[1]));
  EXPECT_EQ(round.finish_counts(), Counts({2, 1}));
}

TEST(Gro, StartsEachRoundAnew) {
  Round round;
  const auto packets = run_of({.payload = Bytes(100)}, 4);
  round.add(packets[0]);
  round.add(packets[1]);
  EXPECT_EQ(round.finish_counts(), Counts({2}));
  round.add(packets[2]);
  round.add(packets[3]);
  EXPECT_EQ(round.finish_counts(), Counts({2}));
}

TEST(Gro, TakesPacketsCutShort) {
  Round round;
  std::size_t count = 0;
  for (const TransportPacket& kind : all_kinds()) {
    const Bytes whole = test::draw(kind);
    for (std::size_t size = 0; size < 80; ++size, ++count) {
      round.add(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
    }
  }
  EXPECT_EQ(round.finish().size(), count);
}

}  // namespace
}  // namespace culvert
