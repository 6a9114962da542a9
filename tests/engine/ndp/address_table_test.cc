#include "engine/ndp/address_table.h"

#include <gtest/gtest.h>

namespace culvert {
namespace {

using Numbers = AddressTable<int>;

proto::Ipv6Address numbered_address(int number) {
  auto address = proto::Ipv6Address::from_text("2001:db8::").value();
  address.bytes[14] = std::byte(number >> 8);
  address.bytes[15] = std::byte(number);
  return address;
}
int by_value(int value) { return value; }

TEST(AddressTable, FindsWhatWasAdded) {
  Numbers table(8, 1);
  EXPECT_EQ(table.find(numbered_address(1)), nullptr);
  *table.add(numbered_address(1), by_value) = 7;
  ASSERT_NE(table.find(numbered_address(1)), nullptr);
  EXPECT_EQ(*table.find(numbered_address(1)), 7);
  EXPECT_EQ(table.find(numbered_address(2)), nullptr);
  table.clear();
  EXPECT_EQ(table.find(numbered_address(1)), nullptr);
}

TEST(AddressTable, IsRoundedUpToEightTimesAPowerOfTwo) {
  EXPECT_EQ(Numbers(1, 1).entries().size(), 8u);
  EXPECT_EQ(Numbers(17, 1).entries().size(), 32u);
}

TEST(AddressTable, EvictsTheLowestRankOfAFullSet) {
  Numbers table(8, 1);  // one set
  for (int i = 0; i < 8; ++i) *table.add(numbered_address(i), by_value) = 10 + (i + 3) % 8;
  EXPECT_NE(table.add(numbered_address(100), by_value), nullptr);
  EXPECT_EQ(table.find(numbered_address(5)), nullptr);  // of rank 10
  for (const int kept : {0, 1, 2, 3, 4, 6, 7, 100})
    EXPECT_NE(table.find(numbered_address(kept)), nullptr) << kept;
}

TEST(AddressTable, EvictsNoEntryOfANegativeRank) {
  Numbers table(8, 1);
  for (int i = 0; i < 8; ++i) *table.add(numbered_address(i), by_value) = -1;
  EXPECT_EQ(table.add(numbered_address(100), by_value), nullptr);
  EXPECT_NE(table.find(numbered_address(0)), nullptr);
}

// Addresses that fill one set under one seed are spread under another.
TEST(AddressTable, SpreadsAddressesByItsSeed) {
  constexpr int kSets = 64;
  const auto set_of = [](int number, std::uint64_t seed) {
    return (seeded_hash(numbered_address(number), seed) >> 32) % kSets;
  };
  std::vector<int> together;
  for (int i = 0; i < 4096; ++i)
    if (set_of(i, 1) == 0) together.push_back(i);
  ASSERT_GT(together.size(), 16u);
  Numbers table(8 * kSets, 2);
  for (const int number : together) *table.add(numbered_address(number), by_value) = 1;
  int found = 0;
  for (const int number : together) found += table.find(numbered_address(number)) != nullptr;
  EXPECT_GT(found, 8 * 4);
}

}  // namespace
}  // namespace culvert
