// ICMP errors: what we originate and what we relay, compared with bytes worked out here.
#include "engine/icmp_error.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <string>

#include "tests/support/transport_packet.h"

namespace culvert {
namespace {

using enum DropReason;
using test::Bytes;
using test::TransportPacket;

constexpr std::array<int, 4> kLocal = {10, 0, 0, 1}, kRemote = {10, 0, 0, 2},
                             kRouter = {10, 9, 9, 9}, kStranger = {10, 0, 0, 3};
constexpr int kFragmentationNeeded = 0x0304, kHostUnreachable = 0x0301, kTimeExceeded = 0x0b00;

void append(Bytes& bytes, const Bytes& more) { std::ranges::copy(more, std::back_inserter(bytes)); }
Bytes from_hex(std::string_view hex) {
  Bytes bytes;
  for (std::size_t i = 0; i + 1 < hex.size();) {
    if (hex[i] == ' ') {
      ++i;
      continue;
    }
    bytes.push_back(std::byte(std::stoul(std::string(hex.substr(i, 2)), nullptr, 16)));
    i += 2;
  }
  return bytes;
}
void put16(Bytes& bytes, std::size_t offset, std::size_t value) {
  bytes[offset] = std::byte(value >> 8);
  bytes[offset + 1] = std::byte(value);
}

/// An IPv4 packet with the header of RFC 791 3.1.
struct Ipv4 {
  std::array<int, 4> source{}, destination{};
  int protocol = 1;
  int tos = 0;
  int ttl = 64;
  int fragment = 0x4000;  ///< DF

  [[nodiscard]] Bytes operator/(const Bytes& payload) const {
    Bytes bytes = {std::byte{0x45}, std::byte(tos)};
    bytes.resize(20);
    put16(bytes, 2, 20 + payload.size());
    put16(bytes, 6, static_cast<std::size_t>(fragment));
    bytes[8] = std::byte(ttl);
    bytes[9] = std::byte(protocol);
    for (std::size_t i = 0; i < 4; ++i) {
      bytes[12 + i] = std::byte(source[i]);
      bytes[16 + i] = std::byte(destination[i]);
    }
    put16(bytes, 10, test::slow_checksum(bytes));
    append(bytes, payload);
    return bytes;
  }
};

/// An ICMPv4 message (RFC 792); `kind` is type and code, `mtu` as in RFC 1191 4.
Bytes icmpv4(int kind, std::size_t mtu, const Bytes& quoted) {
  Bytes bytes(8);
  put16(bytes, 0, static_cast<std::size_t>(kind));
  put16(bytes, 6, mtu);
  append(bytes, quoted);
  put16(bytes, 2, test::slow_checksum(bytes));
  return bytes;
}

/// A whole ICMPv6 error (RFC 4443 2.1, RFC 8200 8.1), from `source` to `destination` (16 bytes
/// each).
Bytes icmpv6_error(const Bytes& source, const Bytes& destination, int kind, std::size_t mtu,
                   const Bytes& quoted) {
  Bytes message(8);
  put16(message, 0, static_cast<std::size_t>(kind));
  put16(message, 6, mtu);
  append(message, quoted);
  Bytes covered = source;
  append(covered, destination);
  append(covered, from_hex("00000000 0000003a"));
  put16(covered, 34, message.size());
  append(covered, message);
  put16(message, 2, test::slow_checksum(covered));
  Bytes packet = from_hex("60000000 0000 3a 40");
  put16(packet, 4, message.size());
  append(packet, source);
  append(packet, destination);
  append(packet, message);
  return packet;
}

Bytes part(const Bytes& bytes, std::size_t offset, std::size_t size) {
  const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(std::min(offset, bytes.size()));
  return {begin, begin + static_cast<std::ptrdiff_t>(std::min<std::size_t>(
                             size, static_cast<std::size_t>(bytes.end() - begin)))};
}
Bytes source_of(const Bytes& ipv6) { return part(ipv6, 8, 16); }
Bytes destination_of(const Bytes& ipv6) { return part(ipv6, 24, 16); }
Bytes to_bytes(std::span<const std::byte> bytes) { return {bytes.begin(), bytes.end()}; }

proto::Ipv4Address address(const std::array<int, 4>& octets) {
  proto::Ipv4Address result;
  for (std::size_t i = 0; i < 4; ++i) result.bytes[i] = std::byte(octets[i]);
  return result;
}

Tunnel make_tunnel(const Parameters& mode, std::uint16_t encapsulation_bytes) {
  Tunnel tunnel;
  tunnel.config.mode = mode;
  tunnel.config.remote = address(kRemote);
  tunnel.ip_protocol = dispatch(mode, [](auto e, const auto&) { return e.kIpProtocol; });
  tunnel.encapsulation_bytes = encapsulation_bytes;
  tunnel.device_mtu = static_cast<std::uint16_t>(1480 - encapsulation_bytes);
  tunnel.path = std::make_shared<Path>();
  tunnel.path->local = address(kLocal);
  return tunnel;
}
Tunnel make_sit() { return make_tunnel(proto::SixInFour::Parameters{}, 0); }

/// Tunnels, and errors about what they have sent.
class Relaying {
 public:
  explicit Relaying(Tunnel tunnel) : tunnels_{std::move(tunnel)}, table_(tunnels_) {}

  Relay relay(const Bytes& message) { return relay_error(buffer_, table_, message); }
  Relay relay(int kind, std::size_t mtu, const Bytes& quoted) {
    return relay(Ipv4{.source = kRouter, .destination = kLocal} / icmpv4(kind, mtu, quoted));
  }
  [[nodiscard]] const Tunnel& tunnel() const { return tunnels_[0]; }
  [[nodiscard]] Path& path() { return *tunnels_[0].path; }

 private:
  std::vector<Tunnel> tunnels_;
  TunnelTable table_;
  ErrorBuffer buffer_{};
};

Bytes sit_packet(const Bytes& inner) {
  return Ipv4{.source = kLocal, .destination = kRemote, .protocol = 41} / inner;
}
Bytes inner_ipv6(std::size_t payload_bytes = 1420) {
  return test::draw({.payload = Bytes(payload_bytes, std::byte{0x5a})});
}

// ---- what does not fit -------------------------------------------------------------------------

TEST(AnswerTooBig, SendsPacketTooBigFromTheDestination) {
  // RFC 4443 3.2: type 2, code 0, the MTU, as much of the packet as fits in 1,280 bytes.
  ErrorBuffer buffer;
  const Bytes inner = inner_ipv6(3000);
  const auto answer = to_bytes(answer_too_big(buffer, make_sit(), inner, 1400));
  ASSERT_EQ(answer.size(), 1280u);
  EXPECT_EQ(answer, icmpv6_error(destination_of(inner), source_of(inner), 0x0200, 1400,
                                 part(inner, 0, 1232)));
}

TEST(AnswerTooBig, UsesTheConfiguredSource) {
  ErrorBuffer buffer;
  Tunnel tunnel = make_sit();
  tunnel.icmp_source = proto::Ipv6Address::from_text("2001:db8::99");
  const Bytes inner = inner_ipv6();
  EXPECT_EQ(to_bytes(answer_too_big(buffer, tunnel, inner, 1400)),
            icmpv6_error(from_hex("20010db8000000000000000000000099"), source_of(inner), 0x0200,
                         1400, part(inner, 0, 1232)));
}

TEST(AnswerTooBig, SaysAtLeast1280) {
  // RFC 8200 5, RFC 4213 3.2.2.
  ErrorBuffer buffer;
  const Bytes inner = inner_ipv6();
  EXPECT_EQ(
      to_bytes(answer_too_big(buffer, make_sit(), inner, 576)),
      icmpv6_error(destination_of(inner), source_of(inner), 0x0200, 1280, part(inner, 0, 1232)));
}

TEST(AnswerTooBig, AnswersMulticastFromTheLinkLocalAddress) {
  // RFC 4443 2.4(e.3) allows the answer, 2.2 wants a unicast source, RFC 4213 3.7 names one.
  ErrorBuffer buffer;
  Bytes inner = inner_ipv6();
  inner[24] = std::byte{0xff};
  EXPECT_EQ(to_bytes(answer_too_big(buffer, make_sit(), inner, 1400)),
            icmpv6_error(from_hex("fe80000000000000 000000000a000001"), source_of(inner), 0x0200,
                         1400, part(inner, 0, 1232)));
  Tunnel tunnel = make_sit();
  tunnel.path->local = proto::Ipv4Address{};
  EXPECT_TRUE(answer_too_big(buffer, tunnel, inner, 1400).empty());
}

TEST(AnswerTooBig, NeverAnswersWhatRfc4443Names) {
  ErrorBuffer buffer;
  const auto is_answered = [&](auto change) {
    Bytes inner = inner_ipv6();
    change(inner);
    return !answer_too_big(buffer, make_sit(), inner, 1400).empty();
  };
  const auto icmpv6 = [](int type) {
    return [type](Bytes& inner) {
      inner[6] = std::byte{58};
      inner[40] = std::byte(type);
    };
  };
  EXPECT_TRUE(is_answered(icmpv6(128)));   // echo request
  EXPECT_FALSE(is_answered(icmpv6(1)));    // 2.4(e.1)
  EXPECT_FALSE(is_answered(icmpv6(127)));  // 2.4(e.1), unassigned
  EXPECT_FALSE(is_answered(icmpv6(137)));  // 2.4(e.2)
  EXPECT_FALSE(is_answered([](Bytes& inner) { std::fill_n(inner.begin() + 8, 16, std::byte{}); }));
  EXPECT_FALSE(is_answered([](Bytes& inner) { inner[8] = std::byte{0xff}; }));  // 2.4(e.6)
  EXPECT_FALSE(is_answered([](Bytes& inner) { inner.resize(39); }));
  EXPECT_FALSE(is_answered([](Bytes& inner) { inner.clear(); }));
  EXPECT_FALSE(is_answered([](Bytes& inner) { inner[0] = std::byte{0x50}; }));
}

TEST(AnswerTooBig, SendsFragmentationNeededForIpv4) {
  // RFC 1191 4; RFC 1812 4.3.2.3 (576 bytes), 4.3.2.5 (TOS), 4.3.2.4 (source).
  ErrorBuffer buffer;
  const Bytes inner = test::draw({.is_ipv6 = false, .payload = Bytes(1440, std::byte{1})});
  const Bytes expected =
      Ipv4{.source = {198, 51, 100, 1}, .destination = {192, 0, 2, 1}, .tos = 0xc0} /
      icmpv4(kFragmentationNeeded, 1400, part(inner, 0, 548));
  EXPECT_EQ(to_bytes(answer_too_big(buffer, make_sit(), inner, 1400)), expected);
  EXPECT_EQ(to_bytes(answer_too_big(buffer, make_sit(), inner, 20))[27], std::byte{68});
}

TEST(AnswerTooBig, LeavesIpv4AloneThatMayNotBeAnswered) {
  ErrorBuffer buffer;
  const auto is_answered = [&](const Bytes& inner) {
    return !answer_too_big(buffer, make_sit(), inner, 1400).empty();
  };
  const Bytes data(1440);
  EXPECT_TRUE(is_answered(Ipv4{.source = {192, 0, 2, 1}, .destination = {192, 0, 2, 2}} / data));
  EXPECT_FALSE(is_answered(Ipv4{.source = {192, 0, 2, 1}, .destination = {224, 0, 0, 1}} / data));
  EXPECT_FALSE(is_answered(Ipv4{.source = {0, 0, 0, 0}, .destination = {192, 0, 2, 2}} / data));
  EXPECT_FALSE(is_answered(Ipv4{.source = {192, 0, 2, 1}, .destination = {192, 0, 2, 2}} /
                           icmpv4(kHostUnreachable, 0, data)));  // RFC 1122 3.2.2
}

// ---- relaying ----------------------------------------------------------------------------------

TEST(RelayError, TurnsFragmentationNeededIntoPacketTooBig) {
  // RFC 4213 3.4 and 3.2.2: a path MTU of 1,420 leaves 1,400 in 6in4.
  Relaying relaying(make_sit());
  const Bytes inner = inner_ipv6();
  const Relay relay = relaying.relay(kFragmentationNeeded, 1420, sit_packet(inner));
  EXPECT_EQ(relay.reason, none);
  EXPECT_EQ(relay.tunnel, &relaying.tunnel());
  EXPECT_EQ(relay.learned_path_mtu, 1420);
  EXPECT_EQ(to_bytes(relay.packet), icmpv6_error(destination_of(inner), source_of(inner), 0x0200,
                                                 1400, part(inner, 0, 1232)));
}

TEST(RelayError, QuotesNoMoreThanTheRouterDid) {
  Relaying relaying(make_sit());
  const Bytes inner = inner_ipv6();
  const Relay relay =
      relaying.relay(kFragmentationNeeded, 1420, part(sit_packet(inner), 0, 20 + 48));
  EXPECT_EQ(to_bytes(relay.packet), icmpv6_error(destination_of(inner), source_of(inner), 0x0200,
                                                 1400, part(inner, 0, 48)));
}

TEST(RelayError, GuessesWhereTheRouterDidNotSay) {
  // RFC 1191 5 and 7.1: the plateau below 1,500 is 1,492.
  Relaying relaying(make_sit());
  const Relay relay = relaying.relay(kFragmentationNeeded, 0, sit_packet(inner_ipv6()));
  EXPECT_EQ(relay.learned_path_mtu, 1492);
}

TEST(RelayError, LearnsNothingThatCannotBe) {
  Relaying relaying(make_sit());
  relaying.path().route_mtu = 9000;
  const Bytes sent = sit_packet(inner_ipv6());  // 1,500 bytes
  for (const std::size_t mtu : {1500u, 1501u, 65535u}) {
    const Relay relay = relaying.relay(kFragmentationNeeded, mtu, sent);
    EXPECT_EQ(relay.reason, icmp_error_not_relayed);
    EXPECT_EQ(relay.learned_path_mtu, 0);
    EXPECT_EQ(relay.tunnel, &relaying.tunnel());
  }
  EXPECT_EQ(relaying.relay(kFragmentationNeeded, 1, sent).learned_path_mtu, 68);  // RFC 1191 3
}

TEST(RelayError, NeverRaisesThePathMtu) {
  // RFC 1191 3: the error is of a packet sent before the path was known better.
  Relaying relaying(make_sit());
  relaying.path().learned_mtu = 1400;
  const Bytes inner = inner_ipv6();
  const Relay relay = relaying.relay(kFragmentationNeeded, 1420, sit_packet(inner));
  EXPECT_EQ(relay.learned_path_mtu, 0);
  EXPECT_EQ(to_bytes(relay.packet), icmpv6_error(destination_of(inner), source_of(inner), 0x0200,
                                                 1380, part(inner, 0, 1232)));
}

TEST(RelayError, TellsNobodyWhatFitsFromNowOn) {
  // RFC 4213 3.2.2: with less than 1,300 bytes the tunnel MTU is 1,280 and DF is clear. A packet of
  // 1,280 bytes that met the smaller path with DF set needs no smaller successor.
  Relaying relaying(make_sit());
  const Relay relay = relaying.relay(kFragmentationNeeded, 1200, sit_packet(inner_ipv6(1220)));
  EXPECT_EQ(relay.reason, icmp_error_not_relayed);
  EXPECT_EQ(relay.learned_path_mtu, 1200);
  EXPECT_TRUE(relay.packet.empty());
  EXPECT_EQ(relaying.relay(kFragmentationNeeded, 1200, sit_packet(inner_ipv6(1221))).reason, none);
}

TEST(RelayError, TurnsEverythingElseIntoAddressUnreachable) {
  // RFC 4213 3.4: code 3.
  const Bytes inner = inner_ipv6(100);
  for (const int kind : {0x0300, kHostUnreachable, 0x0302, 0x030d, kTimeExceeded, 0x0b01, 0x0c00}) {
    Relaying relaying(make_sit());
    const Relay relay = relaying.relay(kind, 1400, sit_packet(inner));
    EXPECT_EQ(relay.reason, none) << std::hex << kind;
    EXPECT_EQ(relay.learned_path_mtu, 0);
    EXPECT_EQ(to_bytes(relay.packet),
              icmpv6_error(destination_of(inner), source_of(inner), 0x0103, 0, inner));
  }
}

TEST(RelayError, RelaysNoRedirectAndNoSourceQuench) {
  // A redirect is between us and our router; RFC 6633 3: source quench must be discarded.
  for (const int kind : {0x0400, 0x0500, 0x0501}) {
    Relaying relaying(make_sit());
    const Relay relay = relaying.relay(kind, 0, sit_packet(inner_ipv6()));
    EXPECT_EQ(relay.reason, icmp_error_not_relayed);
    EXPECT_EQ(relay.tunnel, &relaying.tunnel());
  }
}

TEST(RelayError, RelaysNothingIfTooLittleIsQuoted) {
  // RFC 792 promises eight bytes behind the outer header: no IPv6 header. The path MTU is learned
  // all the same.
  Relaying relaying(make_sit());
  for (const std::size_t size : {20u, 28u, 59u}) {
    const Relay relay =
        relaying.relay(kFragmentationNeeded, 1400, part(sit_packet(inner_ipv6()), 0, size));
    EXPECT_EQ(relay.reason, icmp_error_quotes_too_little) << size;
    EXPECT_EQ(relay.learned_path_mtu, 1400);
    EXPECT_EQ(relay.tunnel, &relaying.tunnel());
  }
  EXPECT_EQ(relaying.relay(kHostUnreachable, 0, part(sit_packet(inner_ipv6()), 0, 60)).reason,
            none);
}

TEST(RelayError, RelaysNothingAboutALaterFragment) {
  Relaying relaying(make_sit());
  const Bytes quoted =
      Ipv4{.source = kLocal, .destination = kRemote, .protocol = 41, .fragment = 100} /
      inner_ipv6();
  EXPECT_EQ(relaying.relay(kTimeExceeded, 0, quoted).reason, icmp_error_quotes_too_little);
}

TEST(RelayError, AnswersNoInnerErrors) {
  // RFC 4443 2.4(e.1): the inner packet is an ICMPv6 error itself; and its type is not quoted.
  Relaying relaying(make_sit());
  Bytes inner = inner_ipv6();
  inner[6] = std::byte{58};
  inner[40] = std::byte{1};
  EXPECT_EQ(relaying.relay(kHostUnreachable, 0, sit_packet(inner)).reason,
            icmp_error_not_answerable);
  inner[40] = std::byte{128};
  EXPECT_EQ(relaying.relay(kHostUnreachable, 0, sit_packet(inner)).reason, none);
  EXPECT_EQ(relaying.relay(kHostUnreachable, 0, part(sit_packet(inner), 0, 60)).reason,
            icmp_error_not_answerable);
  inner[24] = std::byte{0xff};  // 2.4(e.3): to multicast only Packet Too Big
  EXPECT_EQ(relaying.relay(kHostUnreachable, 0, sit_packet(inner)).reason,
            icmp_error_not_answerable);
  EXPECT_EQ(relaying.relay(kFragmentationNeeded, 1400, sit_packet(inner)).reason, none);
}

TEST(RelayError, RefusesMalformedMessages) {
  Relaying relaying(make_sit());
  const Bytes icmp = icmpv4(kHostUnreachable, 0, sit_packet(inner_ipv6()));
  const Ipv4 ip{.source = kRouter, .destination = kLocal};
  EXPECT_EQ(relaying.relay(ip / icmp).reason, none);
  const auto expect_malformed = [&](const Bytes& message) {
    const Relay relay = relaying.relay(message);
    EXPECT_EQ(relay.reason, icmp_error_malformed);
    EXPECT_EQ(relay.tunnel, nullptr);
  };
  Bytes damaged = icmp;
  damaged[50] ^= std::byte{1};
  expect_malformed(ip / damaged);
  expect_malformed({});
  expect_malformed(part(ip / icmp, 0, 19));
  expect_malformed(ip / part(icmp, 0, 7));
  expect_malformed(ip / icmpv4(0x0800, 0, sit_packet(inner_ipv6())));  // echo request
  expect_malformed(Ipv4{.source = kRouter, .destination = kLocal, .protocol = 17} / icmp);
  expect_malformed(Ipv4{.source = kRouter, .destination = kLocal, .fragment = 0x2000} / icmp);
  expect_malformed(ip / icmpv4(kHostUnreachable, 0, part(sit_packet(inner_ipv6()), 0, 19)));
  Bytes quoted = sit_packet(inner_ipv6());
  quoted[0] = std::byte{0x44};
  expect_malformed(ip / icmpv4(kHostUnreachable, 0, quoted));
}

TEST(RelayError, RefusesWhatNoTunnelSent) {
  Relaying relaying(make_sit());
  const auto expect_not_ours = [&](const Bytes& quoted) {
    const Relay relay = relaying.relay(kFragmentationNeeded, 1400, quoted);
    EXPECT_EQ(relay.reason, icmp_error_not_ours);
    EXPECT_EQ(relay.tunnel, nullptr);
    EXPECT_EQ(relay.learned_path_mtu, 0);
  };
  const Bytes inner = inner_ipv6();
  expect_not_ours(Ipv4{.source = kLocal, .destination = kStranger, .protocol = 41} / inner);
  expect_not_ours(Ipv4{.source = kStranger, .destination = kRemote, .protocol = 41} / inner);
  expect_not_ours(Ipv4{.source = kRemote, .destination = kLocal, .protocol = 41} / inner);
  expect_not_ours(Ipv4{.source = kLocal, .destination = kRemote, .protocol = 47} / inner);
  expect_not_ours(Ipv4{.source = kLocal, .destination = kRemote, .protocol = 6} / inner);
  expect_not_ours(sit_packet(Bytes(1480, std::byte{0x45})));  // 6in4 carries no IPv4
}

// ---- GRE ---------------------------------------------------------------------------------------

struct GreForm {
  proto::Gre::Parameters parameters;
  std::string_view header;  ///< RFC 2784 2.1, RFC 2890 2, without the protocol type
  std::string_view fields;
};

std::vector<GreForm> gre_forms() {
  const auto form = [](std::optional<std::uint32_t> okey, bool ocsum, bool oseq,
                       std::string_view flags, std::string_view fields) {
    return GreForm{{.ikey = {}, .okey = okey, .ocsum = ocsum, .oseq = oseq}, flags, fields};
  };
  return {form({}, false, false, "0000", ""), form(42, false, false, "2000", "0000002a"),
          form({}, true, false, "8000", "beef0000"), form({}, false, true, "1000", "00000007"),
          form(42, true, true, "b000", "beef0000 0000002a 00000007")};
}

Bytes gre_packet(const GreForm& form, std::string_view protocol_type, const Bytes& inner) {
  Bytes payload = from_hex(form.header);
  append(payload, from_hex(protocol_type));
  append(payload, from_hex(form.fields));
  append(payload, inner);
  return Ipv4{.source = kLocal, .destination = kRemote, .protocol = 47} / payload;
}

Tunnel make_gre(const GreForm& form) {
  return make_tunnel(form.parameters,
                     static_cast<std::uint16_t>(proto::Gre::overhead_bytes(form.parameters)));
}

TEST(RelayError, FindsIpv6BehindEveryGreHeader) {
  // The checksum of the quoted header cannot be verified: the rest is not there.
  for (const GreForm& form : gre_forms()) {
    Relaying relaying(make_gre(form));
    const std::uint16_t overhead = relaying.tunnel().overhead_bytes();
    const Bytes inner = inner_ipv6(1500u - overhead - 60);
    const Bytes quoted = part(gre_packet(form, "86dd", inner), 0, overhead + 100u);
    const Relay relay = relaying.relay(kFragmentationNeeded, 1420, quoted);
    ASSERT_EQ(relay.reason, none) << form.header;
    EXPECT_EQ(to_bytes(relay.packet), icmpv6_error(destination_of(inner), source_of(inner), 0x0200,
                                                   1420u - overhead, part(inner, 0, 100)));
  }
}

TEST(RelayError, AnswersIpv4InGreWithIcmpv4) {
  for (const GreForm& form : gre_forms()) {
    Relaying relaying(make_gre(form));
    const std::uint16_t overhead = relaying.tunnel().overhead_bytes();
    const Bytes inner =
        test::draw({.is_ipv6 = false, .payload = Bytes(1500u - overhead - 40, std::byte{2})});
    const Ipv4 answer{.source = {198, 51, 100, 1}, .destination = {192, 0, 2, 1}, .tos = 0xc0};
    Relay relay = relaying.relay(kFragmentationNeeded, 1000, gre_packet(form, "0800", inner));
    ASSERT_EQ(relay.reason, none) << form.header;
    EXPECT_EQ(to_bytes(relay.packet),
              answer / icmpv4(kFragmentationNeeded, 1000u - overhead, part(inner, 0, 548)));
    relay = relaying.relay(kTimeExceeded, 0, gre_packet(form, "0800", inner));
    EXPECT_EQ(to_bytes(relay.packet), answer / icmpv4(kHostUnreachable, 0, part(inner, 0, 548)));
  }
}

TEST(RelayError, TellsNoIpv4SenderWithDfClear) {
  const GreForm plain = gre_forms()[0];
  Relaying relaying(make_gre(plain));
  const TransportPacket drawn{.is_ipv6 = false, .dont_fragment = false, .payload = Bytes(1436)};
  const Bytes quoted = gre_packet(plain, "0800", test::draw(drawn));
  const Relay relay = relaying.relay(kFragmentationNeeded, 1000, quoted);
  EXPECT_EQ(relay.reason, icmp_error_not_relayed);
  EXPECT_EQ(relay.learned_path_mtu, 1000);
}

TEST(RelayError, RefusesIpv4InGreThatMayNotBeAnswered) {
  const GreForm plain = gre_forms()[0];
  Relaying relaying(make_gre(plain));
  const auto reason = [&](const Bytes& inner) {
    return relaying.relay(kHostUnreachable, 0, gre_packet(plain, "0800", inner)).reason;
  };
  const Ipv4 ip{.source = {192, 0, 2, 1}, .destination = {192, 0, 2, 2}};
  EXPECT_EQ(reason(ip / icmpv4(kHostUnreachable, 0, Bytes(28))), icmp_error_not_answerable);
  EXPECT_EQ(reason(ip / icmpv4(0x0800, 0, Bytes(28))), none);
  EXPECT_EQ(reason(Bytes(19, std::byte{0x45})), icmp_error_quotes_too_little);
  EXPECT_EQ(reason(Bytes(30, std::byte{0x60})), icmp_error_not_ours);
}

TEST(RelayError, WantsTheKeyThatTheTunnelSends) {
  const GreForm keyed = gre_forms()[1];
  Relaying relaying(make_gre(keyed));
  GreForm other = keyed;
  other.fields = "0000002b";
  const Bytes inner = inner_ipv6(100);
  EXPECT_EQ(relaying.relay(kHostUnreachable, 0, gre_packet(keyed, "86dd", inner)).reason, none);
  EXPECT_EQ(relaying.relay(kHostUnreachable, 0, gre_packet(other, "86dd", inner)).reason,
            icmp_error_not_ours);
  EXPECT_EQ(relaying.relay(kHostUnreachable, 0, gre_packet(gre_forms()[0], "86dd", inner)).reason,
            icmp_error_not_ours);
  const Bytes quoted = part(gre_packet(keyed, "86dd", inner), 0, 26);  // ends within the key
  EXPECT_EQ(relaying.relay(kHostUnreachable, 0, quoted).reason, icmp_error_quotes_too_little);
}

TEST(RelayError, RefusesGreHeadersThatWeNeverSend) {
  const GreForm plain = gre_forms()[0];
  for (const std::string_view header : {"0001", "4000", "0800"}) {  // version, R, s
    Relaying relaying(make_gre(plain));
    GreForm odd = plain;
    odd.header = header;
    EXPECT_EQ(relaying.relay(kHostUnreachable, 0, gre_packet(odd, "86dd", inner_ipv6())).reason,
              icmp_error_not_ours);
  }
  Relaying relaying(make_gre(plain));
  EXPECT_EQ(relaying.relay(kHostUnreachable, 0, gre_packet(plain, "6558", inner_ipv6())).reason,
            icmp_error_not_ours);
}

// ---- rate --------------------------------------------------------------------------------------

TEST(ErrorLimiter, AllowsABurstAndThenItsRate) {
  // RFC 4443 2.4(f): a token bucket.
  using namespace std::chrono_literals;
  ErrorLimiter limiter;
  const auto count_allowed = [&](Time now) {
    std::uint32_t count = 0;
    while (count < 1000 && limiter.allow(now)) ++count;
    return count;
  };
  const Time start = Time{} + 1000h;
  EXPECT_EQ(count_allowed(start), ErrorLimiter::kBurst);
  EXPECT_EQ(count_allowed(start + 9ms), 0u);
  EXPECT_EQ(count_allowed(start + 10ms), 1u);
  EXPECT_EQ(count_allowed(start + 35ms), 2u);
  EXPECT_EQ(count_allowed(start + 40ms), 1u) << "the half token was kept";
  EXPECT_EQ(count_allowed(start + 1h), ErrorLimiter::kBurst);
  EXPECT_EQ(count_allowed(start), 0u) << "time does not go back";
}

TEST(ErrorLimiter, KeepsTheRateUnderConstantDemand) {
  using namespace std::chrono_literals;
  ErrorLimiter limiter;
  std::uint32_t count = 0;
  const Time start = Time{} + 5h;
  for (int i = 0; i < 10'000; ++i) count += limiter.allow(start + i * 1ms);
  EXPECT_EQ(count, ErrorLimiter::kBurst + 10 * ErrorLimiter::kPerSecond - 1);
}

}  // namespace
}  // namespace culvert
