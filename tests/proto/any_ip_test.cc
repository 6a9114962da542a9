#include "proto/any_ip.h"

#include <gtest/gtest.h>

namespace culvert::proto {
namespace {

TEST(AnyIp, CarriesBothIpVersions) {
  EXPECT_TRUE(AnyIp::carries(kProtocolTypeIpv6));
  EXPECT_TRUE(AnyIp::carries(kProtocolTypeIpv4));
  EXPECT_FALSE(AnyIp::carries(0x8847));  // MPLS
}

TEST(AnyIp, HasTheProtocolOfEachVersion) {
  ASSERT_EQ(AnyIp::kDemux.size(), 2u);
  for (const DemuxRule& rule : AnyIp::kDemux)
    EXPECT_EQ(rule.ip_protocol, rule.protocol_type == kProtocolTypeIpv6 ? 41 : 4);
}

}  // namespace
}  // namespace culvert::proto
