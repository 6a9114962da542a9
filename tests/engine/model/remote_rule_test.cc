#include "engine/model/remote_rule.h"

#include <gtest/gtest.h>

namespace culvert {
namespace {

const proto::Ipv4Address kRemote = *proto::Ipv4Address::from_text("198.51.100.1");
const proto::Ipv4Address kOther = *proto::Ipv4Address::from_text("203.0.113.1");

TEST(RemoteRule, IsAnyUnlessItHasAnAddress) {
  EXPECT_TRUE(RemoteRule{}.is_any());
  EXPECT_TRUE(RemoteRule{proto::Ipv4Address{}}.is_any());  // iproute2 writes `any` as 0.0.0.0
  EXPECT_FALSE(RemoteRule{}.is_fixed());
  EXPECT_TRUE(RemoteRule{kRemote}.is_fixed());
  EXPECT_FALSE(RemoteRule{kRemote}.is_any());
}

TEST(RemoteRule, GivesItsAddressOrAnother) {
  EXPECT_EQ(RemoteRule{kRemote}.address(), kRemote);
  EXPECT_EQ(RemoteRule{kRemote}.address_or(kOther), kRemote);
  EXPECT_EQ(RemoteRule{}.address_or(kOther), kOther);
}

TEST(RemoteRule, IsWrittenAsItIsConfigured) {
  EXPECT_EQ(RemoteRule{kRemote}.to_text(), "198.51.100.1");
  EXPECT_EQ(RemoteRule{}.to_text(), "any");
}

TEST(RemoteRule, IsEqualToItsAddress) {
  EXPECT_EQ(RemoteRule{kRemote}, kRemote);
  EXPECT_NE(RemoteRule{kRemote}, kOther);
  EXPECT_EQ(RemoteRule{}, proto::Ipv4Address{});
}

}  // namespace
}  // namespace culvert
