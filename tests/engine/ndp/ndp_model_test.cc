// The responder compared with a model of its rules, and in a storm.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/support/ndp_rig.h"

namespace culvert {
namespace {

using namespace culvert::test;

TEST(NdpStorm, AMillionRandomTargetsStayWithinTheTables) {
  // Memory is fixed; this checks that every message is counted.
  for (const NdpAnswer answer : {NdpAnswer::always, NdpAnswer::probe}) {
    NdpRig rig{config_with(answer)};
    std::mt19937 random{6583};
    Bytes frame = routers_solicitation();
    constexpr std::size_t kTargetOffset = 14 + 40 + 8, kChecksumOffset = 14 + 40 + 2;
    for (int i = 0; i < 500'000; ++i) {
      proto::store_be32(frame, kTargetOffset + 8, static_cast<std::uint32_t>(random()));
      proto::store_be32(frame, kTargetOffset + 12, static_cast<std::uint32_t>(random()));
      proto::store_be16(frame, kChecksumOffset, 0);
      std::span<const std::byte> packet = std::span{frame}.subspan(14);
      std::uint32_t sum = slow_sum(packet.subspan(8, 32)) + slow_sum(packet.subspan(40)) +
                          static_cast<std::uint32_t>(packet.size() - 40) + 58;
      while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
      proto::store_be16(frame, kChecksumOffset, static_cast<std::uint16_t>(~sum));
      rig.now += 5us;  // 200,000 a second
      rig.receive(frame);
      if (rig.now >= rig.responder().next_due()) rig.expire();
    }
    const auto totals = rig.responder().counters().totals();
    EXPECT_EQ(totals.received, 500'000u);
    EXPECT_EQ(totals.ignored[std::size_t(NdpIgnored::checksum_bad)], 0u);
    if (answer == NdpAnswer::always) {
      EXPECT_NEAR(static_cast<double>(totals.answers), 5'000 + 2.5 * 5'000, 10);
    }
    EXPECT_LE(rig.responder().probes(rig.now).probing, NdpConfig{}.probe.cache);
    EXPECT_LE(rig.responder().on_link(rig.now), NdpConfig{}.on_link);
    rig.expect_balance();
  }
}

/// The rules again, written literally, without tables and bounds.
struct Model {
  NdpConfig config;
  std::vector<NdpTunnelPrefix> tunnels;

  bool answers(const proto::Ipv6Address& target) const {
    for (const auto& except : config.except)
      if (except.contains(target)) return false;
    int longest = -1;
    bool is_answered = false;
    const auto consider = [&](const proto::Ipv6Prefix& prefix, bool answered) {
      if (!prefix.contains(target) || prefix.length_bits <= longest) return;
      longest = prefix.length_bits;
      is_answered = answered;
    };
    for (const auto& rule : config.rules)
      consider(rule.prefix, rule.answer == NdpAnswer::always || tunnel_is_up(target));
    for (const auto& rule : config.rules)
      for (const auto& except : rule.except) consider(except, false);
    return is_answered;
  }
  bool tunnel_is_up(const proto::Ipv6Address& target) const {
    int longest = -1;
    bool is_up = false;
    for (const auto& tunnel : tunnels) {
      if (!tunnel.prefix.contains(target) || tunnel.prefix.length_bits < longest) continue;
      is_up = tunnel.is_up || (tunnel.prefix.length_bits == longest && is_up);
      longest = tunnel.prefix.length_bits;
    }
    return is_up;
  }
};

TEST(NdpModel, SaysTheSameOfRandomRulesAndTargets) {
  std::mt19937 random{4861};
  // Few bits, so that prefixes overlap: 2001:db8::/112 and 16 bits of host.
  const auto some_address = [&] {
    auto address = address6("2001:db8::");
    proto::store_be16(address.bytes, 14, static_cast<std::uint16_t>(random()));
    return address;
  };
  const auto some_prefix = [&](unsigned shortest) {
    auto address = some_address();
    const auto host_bits = random() % (128 - shortest + 1);
    const auto mask = static_cast<std::uint16_t>(0xffffu << host_bits);
    proto::store_be16(address.bytes, 14, proto::load_be16(address.bytes, 14) & mask);
    return proto::Ipv6Prefix{address, static_cast<std::uint8_t>(128 - host_bits)};
  };
  std::size_t answered = 0, solicited = 0;
  for (int round = 0; round < 200; ++round) {
    Model model;
    model.config.interface = "eth0";
    model.config.answers_per_second = model.config.answers_per_second_per_source = 0;
    for (int i = 0; i < 6; ++i) {
      const auto prefix = some_prefix(112);
      const bool is_there = std::any_of(model.config.rules.begin(), model.config.rules.end(),
                                        [&](const NdpRule& rule) { return rule.prefix == prefix; });
      if (is_there) continue;
      model.config.rules.push_back(
          {.prefix = prefix, .answer = random() % 2 ? NdpAnswer::always : NdpAnswer::automatic});
      const auto except = some_prefix(prefix.length_bits);
      if (prefix.contains(except.address) && except.length_bits > prefix.length_bits)
        model.config.rules.back().except.push_back(except);
      model.tunnels.push_back({some_prefix(114), random() % 3 != 0});
      model.tunnels.push_back({some_prefix(114), random() % 3 != 0});
    }
    model.config.except.push_back(some_prefix(118));
    ASSERT_TRUE(validate(model.config)) << validate(model.config).error().message();
    NdpRig rig{model.config, model.tunnels};
    for (int i = 0; i < 200; ++i) {
      const auto target = some_address();
      const bool got = !rig.receive(routers_solicitation(target.to_text())).empty();
      ASSERT_EQ(got, model.answers(target)) << target.to_text();
      answered += got ? 1 : 0;
      ++solicited;
    }
    rig.expect_balance();
  }
  EXPECT_GT(answered, solicited / 5) << "the model rejects nearly every target";
  EXPECT_LT(answered, solicited * 4 / 5);
}

}  // namespace
}  // namespace culvert
