#include "engine/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
    {"PrefixTwice",
     [](Config& c) {
       c.tunnels[0].prefixes6.assign(2, *proto::Ipv6Prefix::from_text("2001:db8::/32"));
     },
     "prefix 2001:db8::/32", "is given twice: remove one of them"},
    {"TwoTunnels", [](Config& c) { c.tunnels.push_back(c.tunnels[0]); }, "tun-he",
     "its own device"},
    {"NoRemote", [](Config& c) { c.tunnels[0].remote = {}; }, "remote 0.0.0.0", "other end"},
    {"MulticastRemote", [](Config& c) { c.tunnels[0].remote = address("224.0.0.1"); },
     "remote 224.0.0.1", "multicast"},
    {"BroadcastRemote", [](Config& c) { c.tunnels[0].remote = address("255.255.255.255"); },
     "remote", "broadcast"},
    {"MulticastLocal", [](Config& c) { c.tunnels[0].local = address("239.1.1.1"); },
     "local 239.1.1.1", "its own"},
    {"Itself", [](Config& c) { c.tunnels[0].local = c.tunnels[0].remote; }, "local 198.51.100.1",
     "end in itself"},
    {"NoTtl", [](Config& c) { c.tunnels[0].ttl = std::uint8_t{0}; }, "ttl 0", "inherit"},
    {"EcnInTos", [](Config& c) { c.tunnels[0].tos = std::uint8_t{3}; }, "tos 3", "RFC 6040"},
    {"SmallMtu", [](Config& c) { c.mtu = std::uint16_t{1279}; }, "mtu 1279", "1280"},
    {"LargeMtu", [](Config& c) { c.mtu = std::uint16_t{65516}; }, "mtu 65516", "65515"},
};
INSTANTIATE_TEST_SUITE_P(All, ValidateConfigRefuses, ::testing::ValuesIn(kBad),
                         [](const auto& test) { return test.param.name; });

TEST(ValidateConfig, CountsTheEncapsulationInTheLargestMtu) {
  Config config = good();
  config.tunnels[0].mode = proto::Gre::Parameters{.okey = 1, .ocsum = true, .oseq = true};
  config.mtu = std::uint16_t{65'535 - 20 - 16};
  EXPECT_TRUE(validate(config));
  config.mtu = static_cast<std::uint16_t>(*config.mtu + 1);
  EXPECT_FALSE(validate(config));
}

}  // namespace
}  // namespace culvert
