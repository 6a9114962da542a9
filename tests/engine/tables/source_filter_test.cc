// The sources that a tunnel may deliver, with few prefixes and with an LPM table of many.
#include "engine/tables/source_filter.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/packet_builder.h"
#include "tests/support/tunnel_rig.h"

namespace culvert::test {
namespace {

proto::Ipv6Prefix v6(const std::string& text) { return proto::Ipv6Prefix::from_text(text).value(); }
proto::Ipv4Prefix v4(const std::string& text) { return proto::Ipv4Prefix::from_text(text).value(); }

bool accepts(const TunnelConfig& config, const char* source) {
  const bool is_ipv6 = std::string{source}.find(':') != std::string::npos;
  const Bytes packet = is_ipv6 ? ipv6(source, kServer) / udp(1, 2) / payload(8)
                               : ipv4(source, kB4) / udp(1, 2) / payload(8);
  return accepts_source(culvert::make_tunnel(config), classify(packet), packet);
}

TEST(SourceFilter, AcceptsAllSourcesOfACatchAll) {
  EXPECT_TRUE(accepts(gre_config(), "2001:db8:9::1"));
  EXPECT_TRUE(accepts(gre_config(), "203.0.113.9"));
}

/// The prefixes 0 to `count` - 1: 2001:db8:N::/48 and 10.N.0.0/16.
TunnelConfig with_prefixes(unsigned count) {
  TunnelConfig config = gre_config();
  for (unsigned i = 0; i < count; ++i) {
    config.prefixes6.push_back(v6("2001:db8:" + std::to_string(i) + "::/48"));
    config.prefixes4.push_back(v4("10." + std::to_string(i) + ".0.0/16"));
  }
  return config;
}

class SourceFilterOf : public ::testing::TestWithParam<unsigned> {
 protected:
  TunnelConfig config_ = with_prefixes(GetParam());
  std::string last_ = std::to_string(GetParam() - 1), next_ = std::to_string(GetParam());
};

TEST_P(SourceFilterOf, AcceptsItsPrefixesAndNoOthers) {
  EXPECT_EQ(make_source_tables(config_) != nullptr, GetParam() > kMaxLinearPrefixes);
  EXPECT_TRUE(accepts(config_, "2001:db8:0:ffff::1"));
  EXPECT_TRUE(accepts(config_, ("2001:db8:" + last_ + "::1").c_str()));
  EXPECT_FALSE(accepts(config_, ("2001:db8:" + next_ + "::1").c_str()));
  EXPECT_TRUE(accepts(config_, ("10." + last_ + ".255.255").c_str()));
  EXPECT_FALSE(accepts(config_, ("10." + next_ + ".0.1").c_str()));
}

TEST_P(SourceFilterOf, AcceptsWhatNeighborDiscoverySends) {
  EXPECT_TRUE(accepts(config_, "fe80::1"));
  EXPECT_TRUE(accepts(config_, "::"));  // RFC 4862 5.4.2
}

TEST_P(SourceFilterOf, PrefersWhatAcceptNames) {
  config_.accept6 = {v6("2001:db8:ffff::/48")};
  EXPECT_TRUE(accepts(config_, "2001:db8:ffff::1"));
  EXPECT_FALSE(accepts(config_, "2001:db8::1"));
  EXPECT_FALSE(accepts(config_, "fe80::1"));
  EXPECT_TRUE(accepts(config_, "10.0.0.1"));  // of IPv4 `accept` says nothing
  config_.accept4.emplace();
  EXPECT_FALSE(accepts(config_, "10.0.0.1"));
}

INSTANTIATE_TEST_SUITE_P(Prefixes, SourceFilterOf, ::testing::Values(1, 8, 9));

}  // namespace
}  // namespace culvert::test
