#include "tools/culvert/daemon/ecn_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace culvert::program {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TunnelStatus marked(const std::string& name, std::uint64_t received, std::uint64_t dropped) {
  TunnelStatus status;
  status.config.name = name;
  status.totals.in_received = received;
  status.totals.drops[static_cast<std::size_t>(DropReason::ecn_ce_on_not_ect)] = dropped;
  return status;
}

/// The sentences about one tunnel.
std::vector<std::string> check_one(EcnCheck& check, std::uint64_t received, std::uint64_t dropped,
                                   EcnCheck::Time now = {}) {
  const TunnelStatus status = marked("a", received, dropped);
  return check.check({&status, 1}, now + 1h);
}

TEST(EcnCheck, NamesTheTunnelWhosePacketsAreMarked) {
  EcnCheck check;
  const std::vector tunnels{marked("a", 200, 0), marked("b", 200, 180), marked("c", 200, 100)};
  EXPECT_THAT(check.check(tunnels, {} /* the clock's start */),
              ElementsAre(HasSubstr("tunnel b: 180 of the last 200 packets were dropped")));
}

TEST(EcnCheck, WaitsUntilATunnelHasReceivedEnough) {
  EcnCheck check;
  EXPECT_THAT(check_one(check, 99, 99), IsEmpty());
  EXPECT_THAT(check_one(check, 100, 100), ElementsAre(HasSubstr("100 of the last 100 packets")));
}

TEST(EcnCheck, JudgesThePacketsSinceItsLastLook) {
  EcnCheck check;
  EXPECT_THAT(check_one(check, 100'000, 7), IsEmpty());   // congestion in fact
  EXPECT_THAT(check_one(check, 100'050, 57), IsEmpty());  // too few since
  EXPECT_THAT(check_one(check, 100'120, 67), IsEmpty());  // half of 120 is not most of them
  EXPECT_THAT(check_one(check, 100'240, 128), ElementsAre(HasSubstr("61 of the last 120 packets")));
}

TEST(EcnCheck, SaysItOnceInTenMinutesForEachTunnel) {
  EcnCheck check;
  const EcnCheck::Time start{};
  EXPECT_EQ(check_one(check, 200, 200, start).size(), 1u);
  EXPECT_THAT(check_one(check, 400, 400, start + 10min - 1s), IsEmpty());
  EXPECT_EQ(check_one(check, 600, 600, start + 10min).size(), 1u);
  const TunnelStatus other = marked("b", 200, 200);
  EXPECT_EQ(check.check({&other, 1}, start + 1h + 10min).size(), 1u);
}

TEST(EcnCheck, StartsAnewWithTheCountersOfATunnelThatWasAddedAgain) {
  EcnCheck check;
  EXPECT_THAT(check_one(check, 1'000, 1), IsEmpty());
  EXPECT_EQ(check_one(check, 150, 150).size(), 1u);
}

}  // namespace
}  // namespace culvert::program
