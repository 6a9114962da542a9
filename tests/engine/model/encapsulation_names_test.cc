// The names of encapsulations, which messages are made of.
#include "engine/model/encapsulation_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/model/encapsulations.h"

namespace culvert {
namespace {

using testing::Contains;
using testing::Not;

TEST(EncapsulationNames, AreThoseOfTheList) {
  std::vector<std::string_view> expected;
  for_each_encapsulation([&](auto encapsulation) { expected.push_back(encapsulation.kName); });
  EXPECT_EQ(encapsulation_names(), expected);
  EXPECT_EQ(expected.size(), std::variant_size_v<Parameters>);
}

TEST(EncapsulationNames, SayWhichIpVersionsAreCarried) {
  EXPECT_THAT(encapsulations_that_carry(proto::kProtocolTypeIpv6), Contains("sit"));
  EXPECT_THAT(encapsulations_that_carry(proto::kProtocolTypeIpv6), Contains("gre"));
  EXPECT_THAT(encapsulations_that_carry(proto::kProtocolTypeIpv4), Contains("gre"));
  EXPECT_THAT(encapsulations_that_carry(proto::kProtocolTypeIpv4), Not(Contains("sit")));
  EXPECT_TRUE(carries(proto::Gre::Parameters{}, proto::kProtocolTypeIpv4));
  EXPECT_FALSE(carries(proto::SixInFour::Parameters{}, proto::kProtocolTypeIpv4));
  EXPECT_EQ(ip_version_name(proto::kProtocolTypeIpv4), "IPv4");
  EXPECT_EQ(ip_version_name(proto::kProtocolTypeIpv6), "IPv6");
}

TEST(EncapsulationNames, SayWhichHaveAnOption) {
  EXPECT_THAT(encapsulations_with_option("key"), Contains("gre"));
  EXPECT_THAT(encapsulations_with_option("key"), Not(Contains("sit")));
  EXPECT_TRUE(encapsulations_with_option("ttl").empty());
}

}  // namespace
}  // namespace culvert
