// ICMPv4 errors about outer packets, and the errors that inner sources get.
#include <gtest/gtest.h>

#include "engine/forward/icmp_error.h"
#include "tests/support/packet_builder.h"

namespace culvert {
namespace {

using enum DropReason;
using test::Bytes;
using test::Drawing;
using test::first;
using test::gre;
using test::GreExtra;
using test::icmpv4;
using test::icmpv6;
using test::ipv4;
using test::ipv6;
using test::kHost;
using test::kServer;
using test::payload;
using test::tcp;
using test::udp;

constexpr const char *kLocal = "10.0.0.1", *kRemote = "10.0.0.2", *kStranger = "10.0.0.3",
                     *kRouter = "10.9.9.9";
constexpr const char *kHost4 = "192.0.2.1", *kServer4 = "198.51.100.1";

Tunnel tunnel_in(const Parameters& mode) {
  return make_tunnel({.mode = mode,
                      .local = proto::Ipv4Address::from_text(kLocal),
                      .remote = *proto::Ipv4Address::from_text(kRemote)});
}

struct Kind {
  std::uint8_t type, code;
};
constexpr Kind kFragmentationNeeded{3, 4}, kHostUnreachable{3, 1}, kTimeExceeded{11, 0};

/// The result of relay_error(), with the packet copied.
struct Relayed {
  DropReason reason;
  const Tunnel* tunnel;
  std::uint16_t learned_path_mtu;
  bool is_time_exceeded, is_below_minimum;
  Bytes packet;
};

/// One tunnel, and errors about its packets.
class Relaying {
 public:
  explicit Relaying(const Parameters& mode = proto::SixInFour::Parameters{},
                    const IcmpRules& icmp = {})
      : tables_({std::make_shared<const Tunnel>(tunnel_in(mode))}, {}, icmp) {}

  Relayed relay(const Bytes& message) const {
    ErrorBuffer buffer;
    const Relay relay = relay_error(buffer, tables_, message);
    return {relay.reason,           relay.tunnel,
            relay.learned_path_mtu, relay.is_time_exceeded,
            relay.is_below_minimum, {relay.packet.begin(), relay.packet.end()}};
  }
  /// `mtu_bytes`: as in RFC 1191 4.
  Relayed relay(Kind kind, std::uint32_t mtu_bytes, const Bytes& quoted) const {
    return relay(ipv4(kRouter, kLocal) / icmpv4(kind.type, kind.code, mtu_bytes) / payload(quoted));
  }
  DropReason reason(Kind kind, const Bytes& quoted) const { return relay(kind, 0, quoted).reason; }

  [[nodiscard]] const Tunnel* tunnel() const { return &tables_.tunnel(0); }
  [[nodiscard]] Path& path() const { return *tables_.tunnel(0).path; }

 private:
  Tables tables_;
};

/// An inner packet of 1,480 bytes, and others.
Drawing inner(std::size_t payload_bytes = 1420) {
  return ipv6(kHost, kServer) / tcp(1, 2) / payload(payload_bytes);
}
Bytes sit(const Drawing& packet) { return ipv4(kLocal, kRemote) / packet; }

Bytes too_big_answer(std::uint32_t mtu, const Bytes& quoted) {
  return ipv6(kServer, kHost) / icmpv6(2, 0, mtu) / payload(first(quoted, 1232));
}

TEST(RelayError, TurnsFragmentationNeededIntoPacketTooBig) {
  // RFC 4213 3.4 and 3.2.2: a path MTU of 1,420 leaves 1,400 in 6in4.
  const Relaying relaying;
  const Relayed relayed = relaying.relay(kFragmentationNeeded, 1420, sit(inner()));
  EXPECT_EQ(relayed.reason, none);
  EXPECT_EQ(relayed.tunnel, relaying.tunnel());
  EXPECT_EQ(relayed.learned_path_mtu, 1420);
  EXPECT_EQ(relayed.packet, too_big_answer(1400, inner()));
}

TEST(RelayError, QuotesNoMoreThanTheRouterDid) {
  const Relaying relaying;
  const Bytes quoted = first(sit(inner()), 20 + 48);
  EXPECT_EQ(relaying.relay(kFragmentationNeeded, 1420, quoted).packet,
            too_big_answer(1400, first(inner(), 48)));
}

TEST(RelayError, GuessesWhereTheRouterDidNotSay) {
  // RFC 1191 5 and 7.1: the plateau below 1,500 is 1,492.
  const Relaying relaying;
  EXPECT_EQ(relaying.relay(kFragmentationNeeded, 0, sit(inner())).learned_path_mtu, 1492);
}

TEST(RelayError, LearnsNothingThatCannotBe) {
  const Relaying relaying;
  relaying.path().route_mtu = 9000;
  for (const std::uint32_t mtu : {1500u, 1501u, 65535u}) {  // it was sent with 1,500 bytes
    const Relayed relayed = relaying.relay(kFragmentationNeeded, mtu, sit(inner()));
    EXPECT_EQ(relayed.reason, icmp_error_not_relayed);
    EXPECT_EQ(relayed.learned_path_mtu, 0);
    EXPECT_EQ(relayed.tunnel, relaying.tunnel());
  }
}

TEST(RelayError, BelievesNoPathMtuBelowTheMinimum) {
  // RFC 5927 7: one forged error would cut each packet into 30. Linux stops at 552 as well.
  const auto relay = [](std::uint32_t mtu, const IcmpRules& icmp = {}) {
    const Relaying relaying(proto::Gre::Parameters{}, icmp);
    return relaying.relay(
        kFragmentationNeeded, mtu,
        ipv4(kLocal, kRemote) / gre() / ipv4(kHost4, kServer4) / udp(1, 2) / payload(1400));
  };
  for (const std::uint32_t mtu : {1u, 68u, 551u}) {
    EXPECT_EQ(relay(mtu).learned_path_mtu, 552) << mtu;
    EXPECT_TRUE(relay(mtu).is_below_minimum) << mtu;
  }
  EXPECT_FALSE(relay(552).is_below_minimum);
  EXPECT_EQ(relay(552).reason, none);
  EXPECT_EQ(relay(68, {.min_pmtu = 300}).learned_path_mtu, 300);
  EXPECT_FALSE(relay(400, {.min_pmtu = 300}).is_below_minimum);
}

TEST(RelayError, RefusesLengthsThatTheTunnelCannotHaveSent) {
  // RFC 5927: a stranger does not know the lengths of our packets.
  const Relaying relaying;
  const auto total = [&](unsigned bytes, std::size_t quoted_bytes) {
    const Bytes quoted =
        ipv4(kLocal, kRemote, {.total_bytes = static_cast<std::uint16_t>(bytes)}) / inner(1340);
    return relaying.relay(kFragmentationNeeded, 1300, first(quoted, quoted_bytes));
  };
  for (const std::size_t quoted_bytes : {28u, 548u}) {
    EXPECT_EQ(total(1420, quoted_bytes).learned_path_mtu, 1300);
    EXPECT_EQ(total(1440, quoted_bytes).learned_path_mtu, 1300) << "RFC 1191 5: 4.2BSD";
    for (const unsigned bytes : {0u, 20u, 1400u, 1419u, 1421u, 1460u, 65535u}) {
      EXPECT_EQ(total(bytes, quoted_bytes).reason, icmp_error_implausible) << bytes;
      EXPECT_EQ(total(bytes, quoted_bytes).learned_path_mtu, 0);
      EXPECT_EQ(total(bytes, quoted_bytes).tunnel, relaying.tunnel());
    }
  }
  const Bytes large = sit(inner(1441));
  EXPECT_EQ(relaying.reason(kTimeExceeded, large), icmp_error_implausible) << "the route has 1,500";
  const Bytes fragment =
      ipv4(kLocal, kRemote, {.dont_fragment = false, .more_fragments = true}) / inner();
  EXPECT_EQ(relaying.relay(kFragmentationNeeded, 1300, fragment).learned_path_mtu, 0)
      << "a router fragments what has no DF";
}

TEST(RelayError, BelievesErrorsAboutPacketsSentBeforeTheRoutesMtuBecameSmaller) {
  const Relaying relaying;
  relaying.tunnel()->path->route_mtu = 1300;  // the kernel may have heard of it first
  const Bytes sent = sit(inner(1400 - 20 - 60));
  EXPECT_EQ(relaying.relay(kFragmentationNeeded, 1290, sent).learned_path_mtu, 1290);
}

TEST(RelayError, DoesNotTellASenderTheSizeThatItUses) {
  // RFC 4213 3.2.2: below 1,280 the tunnel MTU stays 1,280, and outer packets are fragmented.
  const Relaying relaying;
  const Drawing smallest = inner(1280 - 60);
  const Relayed relayed = relaying.relay(kFragmentationNeeded, 1290, sit(smallest));
  EXPECT_EQ(relayed.reason, icmp_error_not_relayed);
  EXPECT_EQ(relayed.learned_path_mtu, 1290);
  EXPECT_TRUE(relayed.packet.empty());
  const Drawing larger = inner(1281 - 60);
  EXPECT_EQ(relaying.relay(kFragmentationNeeded, 1290, sit(larger)).packet,
            too_big_answer(1280, larger));
}

TEST(RelayError, NeverRaisesThePathMtu) {
  // RFC 1191 3: the error is about a packet that was sent before the path was better known.
  const Relaying relaying;
  relaying.path().learned_mtu.learn(1400, Time::max());
  const Relayed relayed = relaying.relay(kFragmentationNeeded, 1420, sit(inner()));
  EXPECT_EQ(relayed.learned_path_mtu, 0);
  EXPECT_EQ(relayed.packet, too_big_answer(1380, inner()));
}

TEST(RelayError, TellsNobodyWhatFitsFromNowOn) {
  // RFC 4213 3.2.2: with less than 1,300 bytes the tunnel MTU is 1,280 and DF is clear. A packet of
  // 1,280 bytes that met the smaller path with DF set needs no smaller successor.
  const Relaying relaying;
  const Relayed relayed = relaying.relay(kFragmentationNeeded, 1200, sit(inner(1220)));
  EXPECT_EQ(relayed.reason, icmp_error_not_relayed);
  EXPECT_EQ(relayed.learned_path_mtu, 1200);
  EXPECT_TRUE(relayed.packet.empty());
  EXPECT_EQ(relaying.relay(kFragmentationNeeded, 1200, sit(inner(1221))).packet,
            too_big_answer(1280, inner(1221)));
}

TEST(RelayError, TurnsEverythingElseIntoAddressUnreachable) {
  // RFC 4213 3.4: code 3.
  const Relaying relaying;
  for (const Kind kind : {Kind{3, 0}, kHostUnreachable, Kind{3, 2}, Kind{3, 13}, kTimeExceeded,
                          Kind{11, 1}, Kind{12, 0}}) {
    const Relayed relayed = relaying.relay(kind, 0, sit(inner(100)));
    EXPECT_EQ(relayed.reason, none) << int{kind.type} << "/" << int{kind.code};
    EXPECT_EQ(relayed.learned_path_mtu, 0);
    EXPECT_EQ(relayed.is_time_exceeded, kind.type == 11 && kind.code == 0);
    EXPECT_EQ(relayed.packet,
              (ipv6(kServer, kHost) / icmpv6(1, 3) / payload(inner(100).bytes())).bytes());
  }
}

TEST(RelayError, RelaysNoRedirectAndNoSourceQuench) {
  // A redirect is between us and our router; RFC 6633 3: source quench must be discarded.
  const Relaying relaying;
  for (const Kind kind : {Kind{4, 0}, Kind{5, 0}, Kind{5, 1}}) {
    const Relayed relayed = relaying.relay(kind, 0, sit(inner()));
    EXPECT_EQ(relayed.reason, icmp_error_not_relayed);
    EXPECT_EQ(relayed.tunnel, relaying.tunnel());
  }
}

TEST(RelayError, RelaysNothingIfTooLittleIsQuoted) {
  // RFC 792 promises eight bytes behind the outer header: no IPv6 header. The path MTU is learned
  // all the same, but not from less.
  const Relaying relaying;
  for (const std::size_t size : {20u, 27u}) {
    const Relayed relayed = relaying.relay(kFragmentationNeeded, 1400, first(sit(inner()), size));
    EXPECT_EQ(relayed.reason, icmp_error_quotes_too_little) << size;
    EXPECT_EQ(relayed.learned_path_mtu, 0);
  }
  for (const std::size_t size : {28u, 59u}) {
    const Relayed relayed = relaying.relay(kFragmentationNeeded, 1400, first(sit(inner()), size));
    EXPECT_EQ(relayed.reason, icmp_error_quotes_too_little) << size;
    EXPECT_EQ(relayed.learned_path_mtu, 1400);
    EXPECT_EQ(relayed.tunnel, relaying.tunnel());
  }
  EXPECT_EQ(relaying.reason(kHostUnreachable, first(sit(inner()), 60)), none);
}

TEST(RelayError, RelaysNothingAboutALaterFragment) {
  const Relaying relaying;
  const Bytes quoted =
      ipv4(kLocal, kRemote, {.dont_fragment = false, .fragment_offset_bytes = 800}) / inner();
  EXPECT_EQ(relaying.reason(kTimeExceeded, quoted), icmp_error_quotes_too_little);
}

TEST(RelayError, AnswersNoInnerErrors) {
  // RFC 4443 2.4(e.1), where the inner packet is an ICMPv6 error itself or its type is not quoted;
  // 2.4(e.3): to multicast only Packet Too Big.
  const Relaying relaying;
  const Drawing echo = ipv6(kHost, kServer) / icmpv6(128, 0) / payload(1400);
  const Drawing error = ipv6(kHost, kServer) / icmpv6(1, 0) / payload(1400);
  const Drawing multicast = ipv6(kHost, "ff0e::1") / udp(1, 2) / payload(1400);
  EXPECT_EQ(relaying.reason(kHostUnreachable, sit(error)), icmp_error_not_answerable);
  EXPECT_TRUE(relaying.relay(kTimeExceeded, 0, sit(multicast)).is_time_exceeded);  // all the same
  EXPECT_EQ(relaying.reason(kHostUnreachable, sit(echo)), none);
  EXPECT_EQ(relaying.reason(kHostUnreachable, first(sit(echo), 60)), icmp_error_not_answerable);
  EXPECT_EQ(relaying.reason(kHostUnreachable, sit(multicast)), icmp_error_not_answerable);
  EXPECT_EQ(relaying.relay(kFragmentationNeeded, 1400, sit(multicast)).reason, none);
}

TEST(RelayError, RefusesMalformedMessages) {
  const Relaying relaying;
  const Drawing icmp = icmpv4(3, 1) / payload(sit(inner()));
  EXPECT_EQ(relaying.relay(ipv4(kRouter, kLocal) / icmp).reason, none);
  Bytes bad_header_length = sit(inner());
  bad_header_length[0] = std::byte{0x44};
  const std::vector<Bytes> malformed = {
      ipv4(kRouter, kLocal) / icmpv4(3, 1, 0, 0x1234) / payload(sit(inner())),  // checksum
      {},
      first(ipv4(kRouter, kLocal) / icmp, 19),
      first(ipv4(kRouter, kLocal, {.total_bytes = 27}) / icmp, 27),
      ipv4(kRouter, kLocal) / icmpv4(8, 0) / payload(sit(inner())),  // echo request
      ipv4(kRouter, kLocal, {.protocol = 17}) / icmp,
      ipv4(kRouter, kLocal, {.dont_fragment = false, .more_fragments = true}) / icmp,
      ipv4(kRouter, kLocal) / icmpv4(3, 1) / payload(first(sit(inner()), 19)),
      ipv4(kRouter, kLocal) / icmpv4(3, 1) / payload(bad_header_length)};
  for (std::size_t i = 0; i < malformed.size(); ++i) {
    const Relayed relayed = relaying.relay(malformed[i]);
    EXPECT_EQ(relayed.reason, icmp_error_malformed) << i;
    EXPECT_EQ(relayed.tunnel, nullptr);
  }
}

TEST(RelayError, RefusesWhatNoTunnelSent) {
  const Relaying relaying;
  const std::vector<Bytes> foreign = {
      ipv4(kLocal, kStranger) / inner(),
      ipv4(kStranger, kRemote) / inner(),
      ipv4(kRemote, kLocal) / inner(),
      ipv4(kLocal, kRemote) / gre() / inner(),
      ipv4(kLocal, kRemote) / tcp(1, 2) / payload(1460),
      ipv4(kLocal, kRemote, {.protocol = 41}) / ipv4(kHost4, kServer4) / udp(1, 2) / payload(1400)};
  for (std::size_t i = 0; i < foreign.size(); ++i) {
    const Relayed relayed = relaying.relay(kFragmentationNeeded, 1400, foreign[i]);
    EXPECT_EQ(relayed.reason, icmp_error_not_ours) << i;
    EXPECT_EQ(relayed.tunnel, nullptr);
    EXPECT_EQ(relayed.learned_path_mtu, 0);
  }
}

// ---- GRE ----------------------------------------------------------------------------------------

/// A tunnel and its GRE header. The checksum of a quoted header cannot be verified: the rest of the
/// packet is missing.
struct GreForm {
  proto::Gre::Parameters parameters;
  GreExtra header;
};
GreForm gre_form(std::optional<std::uint32_t> key, bool has_checksum, bool has_sequence) {
  GreForm form;
  form.header.key = key;
  form.header.has_checksum = has_checksum;
  if (key) form.parameters.okey = *key;
  form.parameters.ocsum = has_checksum;
  form.parameters.oseq = has_sequence;
  if (has_sequence) form.header.sequence = 7;
  return form;
}
std::vector<GreForm> gre_forms() {
  return {gre_form({}, false, false), gre_form(42, false, false), gre_form({}, true, false),
          gre_form({}, false, true), gre_form(42, true, true)};
}

TEST(RelayError, FindsIpv6BehindEveryGreHeader) {
  for (const GreForm& form : gre_forms()) {
    const Relaying relaying(form.parameters);
    const std::uint16_t overhead = relaying.tunnel()->overhead_bytes();
    const Drawing packet = inner(1500u - overhead - 60);
    const Bytes quoted = ipv4(kLocal, kRemote) / gre(form.header) / packet;
    const Relayed relayed =
        relaying.relay(kFragmentationNeeded, 1420, first(quoted, overhead + 100u));
    EXPECT_EQ(relayed.reason, none) << overhead;
    EXPECT_EQ(relayed.packet, too_big_answer(1420u - overhead, first(packet, 100))) << overhead;
  }
}

TEST(RelayError, AnswersIpv4InGreWithIcmpv4) {
  // RFC 1191 4, RFC 1812 4.3.2.3 and 4.3.2.5.
  for (const GreForm& form : gre_forms()) {
    const Relaying relaying(form.parameters);
    const std::uint16_t overhead = relaying.tunnel()->overhead_bytes();
    const Drawing packet = ipv4(kHost4, kServer4) / tcp(1, 2) / payload(1500u - overhead - 40);
    const Bytes quoted = ipv4(kLocal, kRemote) / gre(form.header) / packet;
    const auto answer = [&](Kind kind, std::uint32_t mtu) -> Bytes {
      return ipv4(kServer4, kHost4, {.tos = 0xc0}) / icmpv4(kind.type, kind.code, mtu) /
             payload(first(packet, 548));
    };
    EXPECT_EQ(relaying.relay(kFragmentationNeeded, 1000, quoted).packet,
              answer(kFragmentationNeeded, 1000u - overhead));
    EXPECT_EQ(relaying.relay(kTimeExceeded, 0, quoted).packet, answer(kHostUnreachable, 0));
  }
}

TEST(RelayError, TellsNoIpv4SenderWithDfClear) {
  const Relaying relaying(proto::Gre::Parameters{});
  const Bytes quoted = ipv4(kLocal, kRemote) / gre() /
                       ipv4(kHost4, kServer4, {.dont_fragment = false}) / udp(1, 2) / payload(1400);
  const Relayed relayed = relaying.relay(kFragmentationNeeded, 1000, quoted);
  EXPECT_EQ(relayed.reason, icmp_error_not_relayed);
  EXPECT_EQ(relayed.learned_path_mtu, 1000);
}

TEST(RelayError, TellsNoIpv4SenderWhatFits) {
  // The inner packet fits the smaller tunnel MTU: the router states a length that has the outer
  // header in it twice (RFC 1191 5).
  const Relaying relaying(proto::Gre::Parameters{});
  const Bytes quoted = ipv4(kLocal, kRemote, {.total_bytes = 1072}) / gre() /
                       ipv4(kHost4, kServer4) / udp(1, 2) / payload(1000);
  EXPECT_EQ(relaying.relay(kFragmentationNeeded, 1060, quoted).reason, icmp_error_not_relayed);
}

TEST(RelayError, AnswersNoIpv4Errors) {
  // RFC 1122 3.2.2.
  const Relaying relaying(proto::Gre::Parameters{});
  const auto reason = [&](const Drawing& packet) {
    return relaying.reason(kHostUnreachable, ipv4(kLocal, kRemote) / gre() / packet);
  };
  EXPECT_EQ(reason(ipv4(kHost4, kServer4) / icmpv4(3, 1) / payload(28)), icmp_error_not_answerable);
  EXPECT_EQ(reason(ipv4(kHost4, kServer4) / icmpv4(8, 0) / payload(28)), none);
}

TEST(RelayError, WantsAnInnerPacketOfTheProtocolType) {
  const Relaying relaying(proto::Gre::Parameters{});
  const auto reason = [&](std::uint16_t protocol_type, const Bytes& packet) {
    return relaying.reason(
        kHostUnreachable,
        ipv4(kLocal, kRemote) / gre({.protocol_type = protocol_type}) / payload(packet));
  };
  const Bytes whole =
      ipv4(kLocal, kRemote) / gre() / ipv4(kHost4, kServer4) / udp(1, 2) / payload(100);
  EXPECT_EQ(relaying.reason(kHostUnreachable, first(whole, 20 + 4 + 19)),
            icmp_error_quotes_too_little);
  EXPECT_EQ(reason(0x0800, Bytes(30, std::byte{0x60})), icmp_error_not_ours);
  EXPECT_EQ(reason(0x86dd, Bytes(60, std::byte{0x45})), icmp_error_not_ours);
  EXPECT_EQ(reason(0x6558, inner()), icmp_error_not_ours);
}

TEST(RelayError, WantsTheKeyThatTheTunnelSends) {
  const Relaying relaying(gre_form(42, false, false).parameters);
  const auto quoted = [](GreExtra header) -> Bytes {
    return ipv4(kLocal, kRemote) / gre(std::move(header)) / inner(100);
  };
  EXPECT_EQ(relaying.reason(kHostUnreachable, quoted({.key = 42})), none);
  EXPECT_EQ(relaying.reason(kHostUnreachable, quoted({.key = 43})), icmp_error_not_ours);
  EXPECT_EQ(relaying.reason(kHostUnreachable, quoted({})), icmp_error_not_ours);
  EXPECT_EQ(relaying.reason(kHostUnreachable, first(quoted({.key = 42}), 26)),
            icmp_error_quotes_too_little)
      << "it ends within the key";
}

TEST(RelayError, ComparesAGreHeaderThatIsCutShort) {
  // Eight bytes of it are quoted at least: flags, Protocol Type, and a key without a checksum.
  const GreForm form = gre_form(42, false, true);
  const Relaying relaying(form.parameters);
  const auto relay = [&](const GreExtra& header) {
    const Bytes quoted = ipv4(kLocal, kRemote) / gre(header) / inner(1400);
    return relaying.relay(kFragmentationNeeded, 1400, first(quoted, 28));
  };
  EXPECT_EQ(relay(form.header).learned_path_mtu, 1400);
  EXPECT_EQ(relay(form.header).reason, icmp_error_quotes_too_little);
  const GreExtra foreign[] = {
      {.key = 43, .sequence = 7},                           // another key
      {.key = 42, .sequence = 7, .has_checksum = true},     // we send no checksum
      {.sequence = 7},                                      // we send a key
      {.key = 42, .sequence = 7, .protocol_type = 0x6558},  // Ethernet
      {.key = 42, .sequence = 7, .extra_flags = 0x4000}};   // RFC 1701
  for (const GreExtra& header : foreign) {
    EXPECT_EQ(relay(header).reason, icmp_error_not_ours);
    EXPECT_EQ(relay(header).learned_path_mtu, 0);
  }
}

TEST(RelayError, RefusesGreHeadersThatWeNeverSend) {
  const Relaying relaying(proto::Gre::Parameters{});
  for (const unsigned bits : {0x0001u, 0x4000u, 0x0800u}) {  // version; R and s of RFC 1701
    const Bytes quoted =
        ipv4(kLocal, kRemote) / gre({.extra_flags = static_cast<std::uint16_t>(bits)}) / inner();
    EXPECT_EQ(relaying.reason(kHostUnreachable, quoted), icmp_error_not_ours) << bits;
  }
}

}  // namespace
}  // namespace culvert
