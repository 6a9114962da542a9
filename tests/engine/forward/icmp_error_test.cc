// ICMP errors that we originate, and their rate limit. Relayed errors: relay_error_test.cc.
#include "engine/forward/icmp_error.h"

#include <gtest/gtest.h>

#include "tests/support/link_header.h"
#include "tests/support/packet_builder.h"

namespace culvert {
namespace {

using test::Bytes;
using test::first;
using test::icmpv4;
using test::icmpv6;
using test::ipv4;
using test::ipv6;
using test::kHost;
using test::kServer;
using test::payload;
using test::tcp;

Tunnel local_tunnel() {
  Tunnel tunnel;
  tunnel.path = std::make_shared<Path>();
  tunnel.path->local = *proto::Ipv4Address::from_text("10.0.0.1");
  return tunnel;
}

Bytes answer(const Bytes& inner, std::uint16_t mtu_bytes, const Tunnel& tunnel = local_tunnel(),
             const std::optional<proto::Ipv6Address>& source = {}) {
  ErrorBuffer buffer;
  const auto packet = answer_too_big(buffer, source, tunnel, classify(inner), inner, mtu_bytes);
  return {packet.begin(), packet.end()};
}

TEST(AnswerTooBig, SendsPacketTooBigFromTheDestination) {
  // RFC 4443 3.2: type 2, code 0, the MTU, as much of the packet as fits in 1,280 bytes.
  const Bytes inner = ipv6(kHost, kServer) / tcp(1, 2) / payload(3000);
  EXPECT_EQ(answer(inner, 1400),
            (ipv6(kServer, kHost) / icmpv6(2, 0, 1400) / payload(first(inner, 1232))).bytes());
}

TEST(AnswerTooBig, QuotesASmallPacketWhole) {
  const Bytes inner = ipv6(kHost, kServer) / tcp(1, 2) / payload(100);
  EXPECT_EQ(answer(inner, 1400),
            (ipv6(kServer, kHost) / icmpv6(2, 0, 1400) / payload(inner)).bytes());
}

TEST(AnswerTooBig, UsesTheConfiguredSource) {
  const Bytes inner = ipv6(kHost, kServer) / tcp(1, 2) / payload(100);
  EXPECT_EQ(answer(inner, 1400, local_tunnel(), proto::Ipv6Address::from_text("2001:db8::99")),
            (ipv6("2001:db8::99", kHost) / icmpv6(2, 0, 1400) / payload(inner)).bytes());
}

TEST(AnswerTooBig, SaysAtLeast1280) {
  // RFC 8200 5, RFC 4213 3.2.2.
  const Bytes inner = ipv6(kHost, kServer) / tcp(1, 2) / payload(100);
  EXPECT_EQ(answer(inner, 576),
            (ipv6(kServer, kHost) / icmpv6(2, 0, 1280) / payload(inner)).bytes());
}

TEST(AnswerTooBig, AnswersMulticastFromTheLinkLocalAddress) {
  // RFC 4443 2.4(e.3) allows the answer, 2.2 wants a unicast source, RFC 4213 3.7 names one.
  const Bytes inner = ipv6(kHost, "ff0e::1") / tcp(1, 2) / payload(100);
  EXPECT_EQ(answer(inner, 1400),
            (ipv6("fe80::a00:1", kHost) / icmpv6(2, 0, 1400) / payload(inner)).bytes());
  Tunnel tunnel = local_tunnel();
  tunnel.path->local = proto::Ipv4Address{};
  EXPECT_TRUE(answer(inner, 1400, tunnel).empty());
}

TEST(AnswerTooBig, NeverAnswersWhatRfc4443Names) {
  const auto is_answered = [](const Bytes& inner) { return !answer(inner, 1400).empty(); };
  const auto of_type = [](std::uint8_t type) -> Bytes {
    return ipv6(kHost, kServer) / icmpv6(type, 0) / payload(1300);
  };
  EXPECT_TRUE(is_answered(of_type(128)));                           // echo request
  EXPECT_FALSE(is_answered(of_type(1)));                            // 2.4(e.1)
  EXPECT_FALSE(is_answered(of_type(127)));                          // 2.4(e.1), unassigned
  EXPECT_FALSE(is_answered(of_type(137)));                          // 2.4(e.2)
  EXPECT_FALSE(is_answered(ipv6("::", kServer) / tcp(1, 2)));       // 2.4(e.6)
  EXPECT_FALSE(is_answered(ipv6("ff02::1", kServer) / tcp(1, 2)));  // 2.4(e.6)
}

TEST(AnswerTooBig, AnswersNoGarbage) {
  const Bytes inner = ipv6(kHost, kServer) / tcp(1, 2);
  EXPECT_TRUE(answer({}, 1400).empty());
  EXPECT_TRUE(answer(first(inner, 39), 1400).empty());
  EXPECT_TRUE(answer(Bytes(100, std::byte{0x50}), 1400).empty());
  EXPECT_TRUE(answer(Bytes(100, std::byte{0x45}), 1400).empty());
}

TEST(AnswerTooBig, SendsFragmentationNeededForIpv4) {
  // RFC 1191 4; RFC 1812 4.3.2.3 (576 bytes), 4.3.2.5 (TOS). The source is the packet's
  // destination: a kernel drops packets that arrive with one of its own addresses.
  const Bytes inner = ipv4("192.0.2.1", "198.51.100.1") / tcp(1, 2) / payload(1440);
  const auto expected = [&](std::uint32_t mtu) {
    return (ipv4("198.51.100.1", "192.0.2.1", {.tos = 0xc0}) / icmpv4(3, 4, mtu) /
            payload(first(inner, 548)))
        .bytes();
  };
  EXPECT_EQ(answer(inner, 1400), expected(1400));
  EXPECT_EQ(answer(inner, 20), expected(68)) << "RFC 1191 3";
}

TEST(AnswerTooBig, LeavesIpv4AloneThatMayNotBeAnswered) {
  // RFC 1122 3.2.2.
  const auto is_answered = [](const Bytes& inner) { return !answer(inner, 1400).empty(); };
  EXPECT_TRUE(is_answered(ipv4("192.0.2.1", "192.0.2.2") / icmpv4(8, 0) / payload(1440)));
  EXPECT_FALSE(is_answered(ipv4("192.0.2.1", "192.0.2.2") / icmpv4(3, 1) / payload(1440)));
  EXPECT_FALSE(is_answered(ipv4("192.0.2.1", "224.0.0.1") / tcp(1, 2) / payload(1440)));
  EXPECT_FALSE(is_answered(ipv4("0.0.0.0", "192.0.2.2") / tcp(1, 2) / payload(1440)));
}

TEST(IcmpErrors, AreTheSameForPacketsBehindALinkLayerHeader) {
  const auto answers = [](const Bytes& bytes, std::size_t link_bytes) {
    ErrorBuffer buffer;
    const PacketMeta meta = classify(bytes, link_bytes);
    const auto too_big = answer_too_big(buffer, {}, local_tunnel(), meta, bytes, 1400);
    Bytes both(too_big.begin(), too_big.end());
    const auto unreachable = answer_unreachable(
        buffer, {}, meta, bytes, *unreachable_for(DropReason::no_tunnel_for_destination));
    both.insert(both.end(), unreachable.begin(), unreachable.end());
    return both;
  };
  for (const Bytes inner : {ipv6(kHost, kServer) / tcp(1, 2) / payload(3000),
                            ipv4("192.0.2.1", "198.51.100.1") / tcp(1, 2) / payload(1440)}) {
    EXPECT_GT(answers(inner, 0).size(), 1000u);
    for (const std::size_t link_bytes : test::kLinkHeaderSizes)
      EXPECT_EQ(answers(test::with_link_header(inner, link_bytes), link_bytes), answers(inner, 0));
  }
}

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
