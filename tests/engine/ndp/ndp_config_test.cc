#include "engine/ndp/ndp_config.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "engine/ndp/ndp_counters.h"

namespace culvert {
namespace {

using proto::Ipv6Prefix;

Ipv6Prefix prefix(const char* text) { return *Ipv6Prefix::from_text(text); }

NdpConfig good() {
  NdpConfig config;
  config.interface = "eth0";
  config.rules = {{.prefix = prefix("2001:db8:0:1::/64")}};
  return config;
}

/// The error of a valid configuration after one change; "" if it is still valid.
std::string error_of(const std::function<void(NdpConfig&)>& change) {
  NdpConfig config = good();
  change(config);
  const auto result = validate(config);
  return result ? "" : result.error().message();
}

TEST(NdpConfigValidate, TakesWhatIsMeant) {
  EXPECT_EQ(error_of([](NdpConfig&) {}), "");
  EXPECT_EQ(error_of([](NdpConfig& config) {
              config.rules = {{.prefix = prefix("2001:db8::/32"), .answer = NdpAnswer::always},
                              {.prefix = prefix("2001:db8:1::/48"),
                               .answer = NdpAnswer::probe,
                               .except = {prefix("2001:db8:1:1::/64")}}};
              config.except = {prefix("2001:db8::1/128")};
              config.answers_per_second = 0;
              config.answers_per_second_per_source = 0;
              config.delay = kMaxNdpDelay;
            }),
            "");
}

TEST(NdpConfigValidate, WantsRules) {
  EXPECT_EQ(error_of([](NdpConfig& config) { config.rules.clear(); }),
            "configure ndp eth0: has no rule, so that it would answer nothing: give it one");
}

TEST(NdpConfigValidate, RefusesNamesThatNoInterfaceHas) {
  EXPECT_EQ(error_of([](NdpConfig& config) { config.interface = "eth 0"; }),
            "configure interface 'eth 0': a name has 1 to 15 characters, no space, '/', "
            "':' or '%'");
}

TEST(NdpConfigValidate, RefusesHostBits) {
  EXPECT_EQ(error_of([](NdpConfig& config) { config.rules[0].prefix = prefix("2001:db8::1/64"); }),
            "configure rule 2001:db8::1/64: has bits set behind its length; give the prefix "
            "without them");
  EXPECT_EQ(error_of([](NdpConfig& config) { config.except = {prefix("2001:db8::1/64")}; }),
            "configure except 2001:db8::1/64: has bits set behind its length; give the prefix "
            "without them");
}

TEST(NdpConfigValidate, RefusesTheSamePrefixTwice) {
  EXPECT_EQ(error_of([](NdpConfig& config) {
              config.rules.push_back({.prefix = prefix("2001:db8:2::/48")});
              config.rules.push_back(
                  {.prefix = prefix("2001:db8:0:1::/64"), .answer = NdpAnswer::always});
            }),
            "configure rule 2001:db8:0:1::/64: is there twice: the longest prefix decides, so give "
            "each prefix one rule");
}

TEST(NdpConfigValidate, RefusesTargetsThatNobodyAsksFor) {
  EXPECT_EQ(error_of([](NdpConfig& config) { config.rules[0].prefix = prefix("ff02::/16"); }),
            "configure rule ff02::/16: is multicast: neighbors are never asked for such a target");
  EXPECT_EQ(error_of([](NdpConfig& config) { config.rules[0].prefix = prefix("fe80::/64"); }),
            "configure rule fe80::/64: is link-local: such an address never lies behind another "
            "interface");
}

TEST(NdpConfigValidate, RefusesExceptionsWithoutEffect) {
  EXPECT_EQ(
      error_of([](NdpConfig& config) { config.rules[0].except = {prefix("2001:db8:0:2::/64")}; }),
      "configure rule 2001:db8:0:1::/64: except 2001:db8:0:2::/64: lies outside of the "
      "rule's prefix, where it has no effect");
  EXPECT_EQ(error_of([](NdpConfig& config) { config.rules[0].except = {prefix("2001:db8::/32")}; }),
            "configure rule 2001:db8:0:1::/64: except 2001:db8::/32: takes away the whole of the "
            "rule: remove the rule instead");
}

TEST(NdpConfigValidate, RefusesInterfacesWithoutEffect) {
  const auto error = [](NdpAnswer answer, std::vector<std::string> interfaces) {
    return error_of([&](NdpConfig& config) {
      config.rules[0].answer = answer;
      config.rules[0].interfaces = std::move(interfaces);
    });
  };
  const std::string rule = "configure rule 2001:db8:0:1::/64: interface ";
  EXPECT_EQ(error(NdpAnswer::probe, {"br-lan", "br-guest"}), "");
  EXPECT_EQ(error(NdpAnswer::automatic, {"br-lan"}),
            rule + "br-lan: needs answer = \"probe\": only such a rule asks the hosts");
  EXPECT_EQ(
      error(NdpAnswer::probe, {"br-lan", "eth0"}),
      rule + "eth0: is the interface that asks: name the interface behind which the hosts are");
  EXPECT_EQ(error(NdpAnswer::probe, {"b", "c", "b"}), rule + "b: is there twice: remove one");
  EXPECT_EQ(error(NdpAnswer::probe, {"a b"}),
            rule + "a b: a name has 1 to 15 characters, no space, '/', ':' or '%'");
  EXPECT_EQ(error(NdpAnswer::probe, {"0", "1", "2", "3", "4", "5", "6", "7", "8"}),
            rule + "8: is one too many: a rule has at most 8");
}

TEST(NdpConfigValidate, SaysWhatMayBeAsked) {
  using std::chrono::milliseconds;
  EXPECT_EQ(error_of([](NdpConfig& config) { config.delay = milliseconds{1001}; }),
            "configure delay 1001: must be from 0 to 1000 milliseconds");
  EXPECT_EQ(error_of([](NdpConfig& config) { config.on_link = 1; }),
            "configure on_link 1: must be from 16 to 65536");
  EXPECT_EQ(error_of([](NdpConfig& config) { config.on_link_ttl = milliseconds{1}; }),
            "configure on_link_ttl 1: must be from 100 to 86400000 milliseconds");
  EXPECT_EQ(error_of([](NdpConfig& config) { config.probe.timeout = milliseconds{0}; }),
            "configure probe timeout 0: must be from 10 to 10000 milliseconds");
  EXPECT_EQ(error_of([](NdpConfig& config) { config.probe.tries = 0; }),
            "configure probe tries 0: must be from 1 to 10");
  EXPECT_EQ(error_of([](NdpConfig& config) { config.probe.alive_ttl = milliseconds{99}; }),
            "configure probe alive_ttl 99: must be from 100 to 86400000 milliseconds");
  EXPECT_EQ(error_of([](NdpConfig& config) { config.probe.dead_ttl = milliseconds{99}; }),
            "configure probe dead_ttl 99: must be from 100 to 86400000 milliseconds");
  EXPECT_EQ(error_of([](NdpConfig& config) { config.probe.per_second = 0; }),
            "configure probe per_second 0: must be from 1 to 100000");
  EXPECT_EQ(error_of([](NdpConfig& config) { config.probe.cache = 2'000'000; }),
            "configure probe cache 2000000: must be from 16 to 1048576");
}

TEST(NdpIgnoredFacts, StandInTheOrderOfTheReasons) {
  for (std::size_t i = 0; i < kNdpIgnoredCount; ++i) {
    EXPECT_EQ(static_cast<std::size_t>(kNdpIgnored[i].reason), i);
    EXPECT_FALSE(kNdpIgnored[i].name.empty());
    EXPECT_FALSE(kNdpIgnored[i].meaning.empty());
  }
}

}  // namespace
}  // namespace culvert
