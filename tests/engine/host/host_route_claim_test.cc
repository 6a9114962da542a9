#include "engine/host/host_route_claim.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "tests/io/rig.h"

namespace culvert::host {
namespace {

class HostRouteClaimOf : public io::NamespaceTest {};

TEST_F(HostRouteClaimOf, IsTheFirstMetricThatNobodyElseHas) {
  std::vector<std::uint32_t> begun;
  const auto claim = [&](HostRouteClaim& by) {
    return by.claim([&](std::uint32_t metric) { begun.push_back(metric); });
  };
  std::optional<HostRouteClaim> first, second, third;
  for (auto* each : {&first, &second, &third}) each->emplace();
  EXPECT_EQ(claim(*first), 1024u);
  EXPECT_EQ(claim(*second), 1025u);
  EXPECT_EQ(claim(*first), 1024u) << "it keeps its own";
  first.reset();  // also when a process is killed
  EXPECT_EQ(claim(*third), 1024u);
  EXPECT_EQ(claim(*second), 1025u);
  EXPECT_THAT(begun, testing::ElementsAre(1024, 1025, 1024));
}

TEST_F(HostRouteClaimOf, IsNoneIfAllAreTaken) {
  std::vector<HostRouteClaim> others(HostRouteClaim::kMetrics);
  for (HostRouteClaim& each : others) EXPECT_NE(each.claim([](std::uint32_t) {}), 0u);
  HostRouteClaim late;
  EXPECT_EQ(late.claim([](std::uint32_t) { FAIL(); }), 0u);
}

}  // namespace
}  // namespace culvert::host
