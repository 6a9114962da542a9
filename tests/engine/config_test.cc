#include "engine/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/model/encapsulation_names.h"
#include "engine/model/quoted.h"

namespace culvert {
namespace {

using ::testing::HasSubstr;

proto::Ipv4Address address(std::string_view text) {
  return proto::Ipv4Address::from_text(text).value();
}

Config good() {
  Config config;
  config.device = "tun-he";
  config.tunnels.push_back({.name = "broker",
                            .mode = proto::SixInFour::Parameters{},
                            .local = address("192.0.2.1"),
                            .remote = address("198.51.100.1")});
  return config;
}

proto::Ipv6Prefix prefix(const char* text) { return proto::Ipv6Prefix::from_text(text).value(); }

/// A second tunnel that is valid beside the first one, which has 2001:db8:1::/48.
TunnelConfig& second(Config& config) {
  config.tunnels[0].prefixes6 = {prefix("2001:db8:1::/48")};
  TunnelConfig other = config.tunnels[0];
  other.name = "other";
  other.remote = address("198.51.100.2");
  other.prefixes6 = {prefix("2001:db8:2::/48")};
  return config.tunnels.emplace_back(other);
}

TEST(ValidateConfig, AcceptsTunnelsThatCanBeToldApart) {
  Config config = good();
  TunnelConfig& other = second(config);
  EXPECT_TRUE(validate(config));
  other.remote = config.tunnels[0].remote;
  other.local = address("192.0.2.2");
  EXPECT_TRUE(validate(config)) << "by local";
  other.local = config.tunnels[0].local;
  other.mode = proto::Gre::Parameters{};
  EXPECT_TRUE(validate(config)) << "by protocol";
  config.tunnels[0].mode = proto::Gre::Parameters{.ikey = 0};
  EXPECT_TRUE(validate(config)) << "by key: none and 0 differ";  // RFC 2890 2.1
}

TEST(ValidateConfig, AcceptsAPrefixOfSeveralThatAreRanked) {
  Config config = good();
  TunnelConfig& other = second(config);
  other.prefixes6 = config.tunnels[0].prefixes6;
  other.metric = 1;
  config.tunnels[0].weight = std::uint16_t{3};
  EXPECT_TRUE(validate(config));
}

TEST(ValidateConfig, AcceptsRemoteAnyThatIsKnownByItsLocalOrKey) {
  Config config = good();
  config.tunnels[0].remote = {};
  EXPECT_TRUE(validate(config));
  config.tunnels[0].local.reset();
  config.tunnels[0].mode = proto::Gre::Parameters{.ikey = 7};
  EXPECT_TRUE(validate(config));
}

TEST(ValidateConfig, AcceptsATunnel) { EXPECT_TRUE(validate(good())); }

struct Bad {
  const char* name;
  void (*spoil)(Config&);
  const char* object;
  const char* advice;
};
class ValidateConfigRefuses : public ::testing::TestWithParam<Bad> {};

TEST_P(ValidateConfigRefuses, WithWordValueAndAdvice) {
  Config config = good();
  GetParam().spoil(config);
  const auto valid = validate(config);
  ASSERT_FALSE(valid);
  EXPECT_THAT(valid.error().object, HasSubstr(GetParam().object));
  EXPECT_THAT(valid.error().advice, HasSubstr(GetParam().advice));
}

const Bad kBad[] = {
    {"NoDevice", [](Config& c) { c.device = ""; }, "device ''", "1 to 15"},
    {"LongDevice", [](Config& c) { c.device = "sixteencharacter"; }, "sixteencharacter",
     "16 characters"},
    {"SlashInDevice", [](Config& c) { c.device = "a/b"; }, "a/b", "no space"},
    {"DotDevice", [](Config& c) { c.device = ".."; }, "'..'", "1 to 15"},
    {"NoWorkers", [](Config& c) { c.workers = 0; }, "workers 0", "from 1"},
    {"ManyWorkers", [](Config& c) { c.workers = 65; }, "workers 65", "to 64"},
    {"NegativeBusyPoll", [](Config& c) { c.busy_poll = std::chrono::microseconds{-1}; },
     "busy_poll -1", "from 0"},
    {"EndlessBusyPoll", [](Config& c) { c.busy_poll = std::chrono::seconds{1}; },
     "busy_poll 1000000", "to 100000"},
    {"NoTunnel", [](Config& c) { c.tunnels.clear(); }, "tun-he", "no tunnel"},
    {"TooManyTunnels", [](Config& c) { c.tunnels.resize(kMaxTunnels + 1, c.tunnels[0]); }, "tun-he",
     "at most 10000"},
    {"TwoOfOneName", [](Config& c) { second(c).name = "broker"; }, "broker, name broker",
     "name of its own"},
    {"NoName", [](Config& c) { second(c).name = ""; }, "name", "is missing"},
    {"NoPrefixBesideOthers", [](Config& c) { second(c).prefixes6.clear(); }, "other, prefix",
     "is missing"},
    {"SameOnTheWire", [](Config& c) { second(c).remote = address("198.51.100.1"); },
     "other, remote 198.51.100.1", "told apart"},
    {"SamePrefix", [](Config& c) { second(c).prefixes6.push_back(prefix("2001:db8:1::/48")); },
     "other, prefix 2001:db8:1::/48", "metric or a weight"},
    {"PrefixTwice", [](Config& c) { c.tunnels[0].prefixes6.assign(2, prefix("2001:db8:1::/48")); },
     "prefix 2001:db8:1::/48", "twice"},
    {"ProblemOfOneOfSeveral", [](Config& c) { second(c).ttl = std::uint8_t{0}; }, "other, ttl 0",
     "inherit"},
    {"HostBits", [](Config& c) { c.tunnels[0].prefixes6.push_back(prefix("2001:db8::1/64")); },
     "prefix 2001:db8::1/64", "write 2001:db8::/64"},
    {"HostBitsInAccept", [](Config& c) { c.tunnels[0].accept6 = {prefix("2001:db8::1/64")}; },
     "accept 2001:db8::1/64", "write 2001:db8::/64"},
    {"Ipv4PrefixInSit",
     [](Config& c) {
       c.tunnels[0].prefixes4.push_back({address("10.0.0.0"), 8});
     },
     "prefix 10.0.0.0/8", "sit does not carry"},
    {"Ipv4AcceptInSit",
     [](Config& c) {
       c.tunnels[0].accept4 = {{address("10.0.0.0"), 8}};
     },
     "accept 10.0.0.0/8", "sit does not carry"},
    {"NoWeight", [](Config& c) { c.tunnels[0].weight = std::uint16_t{0}; }, "weight 0", "up"},
    {"AnyToAny",
     [](Config& c) {
       c.tunnels[0].remote = {};
       c.tunnels[0].local.reset();
     },
     "remote any", "needs local, or a key"},
    {"AnyWithoutPinning",
     [](Config& c) {
       c.tunnels[0].remote = {};
       c.pinning = false;
     },
     "remote any", "needs pinning"},
    {"AnyInSequence",
     [](Config& c) {
       c.tunnels[0].remote = {};
       c.tunnels[0].mode = proto::Gre::Parameters{.iseq = true};
     },
     "seq", "remote any"},
    {"MulticastRemote", [](Config& c) { c.tunnels[0].remote = address("224.0.0.1"); },
     "remote 224.0.0.1", "multicast"},
    {"BroadcastRemote", [](Config& c) { c.tunnels[0].remote = address("255.255.255.255"); },
     "remote", "broadcast"},
    {"ZeroNetworkRemote", [](Config& c) { c.tunnels[0].remote = address("0.1.2.3"); },
     "remote 0.1.2.3", "no destinations"},
    {"LoopbackRemote", [](Config& c) { c.tunnels[0].remote = address("127.0.0.1"); },
     "remote 127.0.0.1", "loopback address as local too"},
    {"SmallestPathMtu", [](Config& c) { c.min_pmtu = std::uint16_t{67}; }, "min_pmtu 67",
     "at least 68"},
    {"MulticastLocal", [](Config& c) { c.tunnels[0].local = address("239.1.1.1"); },
     "local 239.1.1.1", "its own"},
    {"Itself", [](Config& c) { c.tunnels[0].local = c.tunnels[0].remote.address(); },
     "local 198.51.100.1", "end in itself"},
    {"NoTtl", [](Config& c) { c.tunnels[0].ttl = std::uint8_t{0}; }, "ttl 0", "inherit"},
    {"EcnInTos", [](Config& c) { c.tunnels[0].tos = std::uint8_t{3}; }, "tos 3", "RFC 6040"},
    {"SmallMtu", [](Config& c) { c.mtu = std::uint16_t{1279}; }, "mtu 1279", "1280"},
    {"LargeMtu", [](Config& c) { c.mtu = std::uint16_t{65516}; }, "mtu 65516", "65515"},
};
INSTANTIATE_TEST_SUITE_P(All, ValidateConfigRefuses, ::testing::ValuesIn(kBad),
                         [](const auto& test) { return test.param.name; });

TEST(ValidateConfig, NamesTheModesThatCarryAPrefix) {
  Config config = good();
  config.tunnels[0].prefixes4.push_back({address("10.0.0.0"), 8});
  const auto names = encapsulations_that_carry(proto::kProtocolTypeIpv4);
  EXPECT_EQ(validate(config).error().advice,
            "is IPv4, which sit does not carry; " + alternatives(names) + " does");
}

TEST(ValidateConfig, CountsTheEncapsulationInTheLargestMtu) {
  Config config = good();
  config.tunnels[0].mode = proto::Gre::Parameters{.okey = 1, .ocsum = true, .oseq = true};
  config.mtu = std::uint16_t{65'535 - 20 - 16};
  EXPECT_TRUE(validate(config));
  config.mtu = static_cast<std::uint16_t>(*config.mtu + 1);
  EXPECT_FALSE(validate(config));
}

TEST(ValidateConfig, AllowsASmallMtuWithoutIpv6) {
  Config config = good();
  config.tunnels[0].prefixes6.clear();
  config.tunnels[0].mode = proto::Gre::Parameters{};
  config.mtu = std::uint16_t{576};
  EXPECT_EQ(validate(config).error().object, "mtu 576");
  config.needs_ipv6 = false;
  EXPECT_TRUE(validate(config));
  config.tunnels[0].prefixes6.push_back(prefix("2001:db8::/32"));
  EXPECT_THAT(validate(config).error().advice, testing::HasSubstr("none of IPv6"));
  config.tunnels[0].prefixes6.clear();
  config.tunnels[0].mode = proto::SixInFour::Parameters{};  // it carries nothing else
  EXPECT_THAT(validate(config).error().advice,
              testing::AllOf(testing::HasSubstr("from 1280"),
                             testing::Not(testing::HasSubstr("none of IPv6"))));
}

TEST(FindFixedChange, FindsEachOptionThatCannotChange) {
  const std::pair<void (*)(Config&), std::string_view> changes[] = {
      {[](Config& c) { c.device = "other"; }, "device"},
      {[](Config& c) { c.workers = 3; }, "workers"},
      {[](Config& c) { c.io = IoChoice::epoll; }, "io"},
      {[](Config& c) { c.receive = ReceiveChoice::raw; }, "receive"},
      {[](Config& c) { c.send = SendChoice::raw; }, "send"},
      {[](Config& c) { c.busy_poll = std::chrono::microseconds{7}; }, "busy_poll"},
      {[](Config& c) { c.pinning = false; }, "pinning"},
      {[](Config& c) { c.offload = false; }, "offload"},
      {[](Config& c) { c.flows = 2048; }, "flows"}};
  for (const auto& [change, word] : changes) {
    Config next = good();
    change(next);
    EXPECT_EQ(find_fixed_change(good(), 1, next), word);
  }
}

TEST(FindFixedChange, FindsNoneInOptionsThatCanChange) {
  Config next = good();
  next.mtu = std::uint16_t{1400};
  next.icmp_source = prefix("2001:db8::1/128").address;
  second(next);
  EXPECT_EQ(find_fixed_change(good(), 1, next), std::nullopt);
}

TEST(FindFixedChange, AllowsTheNumberOfWorkersThatWasRequestedOrOpened) {
  Config open = good(), next = good();
  open.workers = 4;
  for (const unsigned workers : {1u, 4u}) {
    next.workers = workers;
    EXPECT_EQ(find_fixed_change(open, 1, next), std::nullopt);
  }
  next.workers = 2;
  EXPECT_EQ(find_fixed_change(open, 1, next), "workers");
}

TEST(PathKey, DependsOnRemoteLocalAndInterface) {
  const TunnelConfig tunnel = good().tunnels[0];
  TunnelConfig other = tunnel;
  other.name = "other";
  other.prefixes6 = {prefix("2001:db8:5::/48")};
  EXPECT_EQ(path_key(tunnel), path_key(other));
  other.remote = address("203.0.113.1");
  EXPECT_NE(path_key(tunnel), path_key(other));
  other = tunnel;
  other.local = address("192.0.2.77");
  EXPECT_NE(path_key(tunnel), path_key(other));
  other = tunnel;
  other.dev = "eth9";
  EXPECT_NE(path_key(tunnel), path_key(other));
}

}  // namespace
}  // namespace culvert
