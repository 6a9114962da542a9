#include "io/interface_features.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>

#include <cerrno>
#include <filesystem>

#include "tests/io/rig.h"

namespace culvert::io {
namespace {

class InterfaceFeatures : public NamespaceTest {
 protected:
  static bool leaves_undone(const std::string& interface) {
    const auto answer = may_leave_unsegmented(::if_nametoindex(interface.c_str()));
    EXPECT_TRUE(answer) << answer.error().message();
    return answer && *answer;
  }
};

TEST_F(InterfaceFeatures, VethLeavesCuttingAndChecksumsToItsPeer) {
  ip("link add near type veth peer name far");
  EXPECT_TRUE(leaves_undone("near"));
  run("ethtool -K near tso off > /dev/null");
  EXPECT_TRUE(leaves_undone("near")) << "checksums are still left to the peer";
  run("ethtool -K near tx off > /dev/null");
  EXPECT_FALSE(leaves_undone("near"));
  EXPECT_TRUE(leaves_undone("far")) << "each end has its own";
  run("ethtool -K near tx on tso on > /dev/null");
  EXPECT_TRUE(leaves_undone("near"));
}

TEST_F(InterfaceFeatures, BridgeLeavesThemToItsPorts) {
  ip("link add bridge0 type bridge");
  ip("link add near master bridge0 type veth peer name far");
  EXPECT_TRUE(leaves_undone("bridge0"));
  run("ethtool -K bridge0 tx off > /dev/null");
  EXPECT_FALSE(leaves_undone("bridge0"));
}

TEST_F(InterfaceFeatures, MacvlanLeavesThemToItsSiblings) {
  ip("link add near type veth peer name far");
  run("ethtool -K near tx off > /dev/null");
  ip("link add macvlan0 link near type macvlan mode bridge");
  EXPECT_TRUE(leaves_undone("macvlan0"));
}

TEST_F(InterfaceFeatures, NameOfACardElsewhereIsNoCard) {
  // /sys shows the interfaces of the namespace that mounted it, which has the machine's NICs.
  std::string card;
  for (const auto& entry : std::filesystem::directory_iterator{"/sys/class/net"}) {
    if (std::filesystem::exists(entry.path() / "device")) card = entry.path().filename();
  }
  if (card.empty()) GTEST_SKIP() << "this machine has no network card";
  ip("link add " + card + " type veth peer name far");
  EXPECT_TRUE(leaves_undone(card));
}

TEST_F(InterfaceFeatures, SaysThatAnInterfaceIsGone) {
  const auto answer = may_leave_unsegmented(999);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ENODEV);
  EXPECT_THAT(answer.error().message(), testing::HasSubstr("interface 999"));
}

}  // namespace
}  // namespace culvert::io
