// Members of VRFs. A kernel without VRF devices makes none, so tests/netns/vrf_test.py shows them with
// another kernel; here it is that other interfaces are none.
#include "io/vrf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/in_namespace.h"

namespace culvert::io {
namespace {

TEST(VrfMembers, AreNoneOfOtherInterfaces) {
  test::in_namespace([] {
    EXPECT_THAT(vrf_members({}), testing::IsEmpty());
    EXPECT_THAT(vrf_members(std::vector<std::string>{"lo", "nosuch", ""}), testing::IsEmpty());
  });
}

}  // namespace
}  // namespace culvert::io
