#include "proto/ecn.h"

#include <gtest/gtest.h>

namespace culvert::proto {
namespace {

constexpr auto kNotEct = Ecn::not_ect, kEct0 = Ecn::ect0, kEct1 = Ecn::ect1, kCe = Ecn::ce;

TEST(Ecn, CodePointsAreTheTwoLowBits) {
  // RFC 3168 5: ECT(1) is 01, ECT(0) is 10.
  EXPECT_EQ(ecn_of(0b101110'00), kNotEct);
  EXPECT_EQ(ecn_of(0b101110'01), kEct1);
  EXPECT_EQ(ecn_of(0b101110'10), kEct0);
  EXPECT_EQ(ecn_of(0b101110'11), kCe);
}

TEST(Ecn, ReplacingItLeavesTheDscpAlone) {
  for (unsigned tos = 0; tos < 256; ++tos) {
    for (const Ecn ecn : {kNotEct, kEct0, kEct1, kCe}) {
      const std::uint8_t changed = with_ecn(static_cast<std::uint8_t>(tos), ecn);
      EXPECT_EQ(changed >> 2, tos >> 2);
      EXPECT_EQ(ecn_of(changed), ecn);
    }
  }
}

TEST(EcnOuter, FollowsFigure3) {
  // RFC 6040 4.1, figure 3: incoming | compatibility mode | normal mode.
  struct Row {
    Ecn incoming, compatibility, normal;
  };
  constexpr Row kFigure3[] = {
      {kNotEct, kNotEct, kNotEct},
      {kEct0, kNotEct, kEct0},
      {kEct1, kNotEct, kEct1},
      {kCe, kNotEct, kCe},
  };
  for (const Row& row : kFigure3) {
    EXPECT_EQ(outer_ecn(row.incoming, EcnMode::compatibility), row.compatibility);
    EXPECT_EQ(outer_ecn(row.incoming, EcnMode::normal), row.normal);
  }
}

TEST(EcnCombine, FollowsFigure4) {
  // RFC 6040 4.2, figure 4: arriving inner | arriving outer | outgoing | marked (!!!) or (!).
  constexpr auto kDrop = std::nullopt;
  struct Row {
    Ecn inner, outer;
    std::optional<Ecn> outgoing;
    bool is_marked;
  };
  constexpr Row kFigure4[] = {
      {kNotEct, kNotEct, kNotEct, false},
      {kNotEct, kEct0, kNotEct, true},
      {kNotEct, kEct1, kNotEct, true},
      {kNotEct, kCe, kDrop, true},
      {kEct0, kNotEct, kEct0, false},
      {kEct0, kEct0, kEct0, false},
      {kEct0, kEct1, kEct1, false},
      {kEct0, kCe, kCe, false},
      {kEct1, kNotEct, kEct1, false},
      {kEct1, kEct0, kEct1, true},
      {kEct1, kEct1, kEct1, false},
      {kEct1, kCe, kCe, false},
      {kCe, kNotEct, kCe, false},
      {kCe, kEct0, kCe, false},
      {kCe, kEct1, kCe, true},
      {kCe, kCe, kCe, false},
  };
  for (const Row& row : kFigure4) {
    SCOPED_TRACE(testing::Message() << "inner " << int(row.inner) << ", outer " << int(row.outer));
    const auto combined = combine_ecn(row.outer, row.inner);
    ASSERT_EQ(combined.has_value(), row.outgoing.has_value());
    if (!combined) continue;
    EXPECT_EQ(combined->inner, *row.outgoing);
    EXPECT_EQ(combined->is_anomalous, row.is_marked);
  }
}

}  // namespace
}  // namespace culvert::proto
