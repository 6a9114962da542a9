#include "engine/tables/lpm_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>

namespace culvert {
namespace {

using proto::Ipv4Address;
using proto::Ipv4Prefix;
using proto::Ipv6Address;
using proto::Ipv6Prefix;
using Table6 = LpmTable<int>;
using Table4 = LpmTable<int, Ipv4Address>;

Ipv6Prefix prefix6(const char* text) { return Ipv6Prefix::from_text(text).value(); }
Ipv6Address address6(const char* text) { return Ipv6Address::from_text(text).value(); }

/// -1: no prefix contains it.
template <class Table, class Address>
int found(const Table& table, const Address& address) {
  const int* value = table.find(address);
  return value == nullptr ? -1 : *value;
}

TEST(LpmTable, IsEmptyAtFirst) {
  const Table6 table;
  EXPECT_TRUE(table.empty());
  EXPECT_EQ(table.find(address6("2001:db8::1")), nullptr);
  EXPECT_EQ(table.find_exact(prefix6("::/0")), nullptr);
}

TEST(LpmTable, TakesTheLongestPrefix) {
  const std::vector<Table6::Entry> entries{{prefix6("2001:db8::/32"), 32},
                                           {prefix6("2001:db8:1::/48"), 48},
                                           {prefix6("2001:db8:1::7/128"), 128},
                                           {prefix6("2001:db8:1::6/127"), 127},
                                           {prefix6("2001:db8:1:2::/64"), 64}};
  const Table6 table(entries);
  EXPECT_EQ(found(table, address6("2001:db8:1::7")), 128);
  EXPECT_EQ(found(table, address6("2001:db8:1::6")), 127);
  EXPECT_EQ(found(table, address6("2001:db8:1::8")), 48);
  EXPECT_EQ(found(table, address6("2001:db8:1:2:ffff::")), 64);
  EXPECT_EQ(found(table, address6("2001:db8:2::")), 32);
  EXPECT_EQ(found(table, address6("2001:db9::")), -1);
}

TEST(LpmTable, TakesTheDefaultLast) {
  const std::vector<Table6::Entry> only{{prefix6("::/0"), 0}};
  EXPECT_EQ(found(Table6(only), address6("ff02::1")), 0);
  const std::vector<Table6::Entry> both{{prefix6("::/0"), 0}, {prefix6("fe80::/10"), 10}};
  EXPECT_EQ(found(Table6(both), address6("fe80::1")), 10);
  EXPECT_EQ(found(Table6(both), address6("::")), 0);
}

TEST(LpmTable, FindsAPrefixAsItIs) {
  const std::vector<Table6::Entry> entries{{prefix6("2001:db8::/32"), 1},
                                           {prefix6("2001:db8::/48"), 2}};
  const Table6 table(entries);
  EXPECT_EQ(*table.find_exact(prefix6("2001:db8::/32")), 1);
  EXPECT_EQ(*table.find_exact(prefix6("2001:db8::/48")), 2);
  EXPECT_EQ(table.find_exact(prefix6("2001:db8::/40")), nullptr);
  EXPECT_EQ(table.find_exact(prefix6("2001:db8:1::/48")), nullptr);
}

TEST(LpmTable, KeepsTheLastOfEqualPrefixes) {
  const std::vector<Table6::Entry> entries{{prefix6("2001:db8::/32"), 1},
                                           {prefix6("2001:db8::ffff/32"), 2}};  // host bits
  EXPECT_EQ(found(Table6(entries), address6("2001:db8::1")), 2);
}

// ---- compared with a linear search over all prefixes --------------------------------------------

template <class Address>
Address random_address(std::mt19937& random, unsigned clusters) {
  Address address{};
  // Few values per byte, so that prefixes are nested and contain the addresses.
  for (auto& byte : address.bytes) byte = std::byte(random() % clusters * 0x55);
  return address;
}

template <class Address>
void compare_with_a_walk(unsigned seed, std::size_t prefixes, unsigned clusters) {
  using Table = LpmTable<int, Address>;
  using Prefix = typename Table::Prefix;
  std::mt19937 random(seed);
  std::map<Prefix, int> model;
  std::vector<typename Table::Entry> entries;
  for (std::size_t i = 0; i < prefixes; ++i) {
    Prefix prefix{random_address<Address>(random, clusters),
                  static_cast<std::uint8_t>(random() % (sizeof(Address) * 8 + 1))};
    for (std::size_t bit = prefix.length_bits; bit < sizeof(Address) * 8; ++bit)
      prefix.address.bytes[bit / 8] &= ~(std::byte{0x80} >> bit % 8);
    entries.emplace_back(prefix, static_cast<int>(i));
    model[prefix] = static_cast<int>(i);
  }
  const Table table(entries);
  for (int i = 0; i < 2000; ++i) {
    const auto address = random_address<Address>(random, clusters);
    int expected = -1, longest = -1;
    for (const auto& [prefix, value] : model) {
      if (!prefix.contains(address) || prefix.length_bits < longest) continue;
      longest = prefix.length_bits;
      expected = value;
    }
    ASSERT_EQ(found(table, address), expected) << address.to_text() << ", seed " << seed;
  }
  for (const auto& [prefix, value] : model) {
    const int* exact = table.find_exact(prefix);
    ASSERT_TRUE(exact != nullptr && *exact == value) << prefix.to_text() << ", seed " << seed;
  }
}

TEST(LpmTable, FindsWhatAWalkFinds) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    compare_with_a_walk<Ipv6Address>(seed, 1 + seed * 5, 2 + seed % 2);
    compare_with_a_walk<Ipv4Address>(seed, 1 + seed * 5, 2 + seed % 3);
  }
}

TEST(LpmTable, HoldsManyPrefixesOfOneLength) {
  std::vector<Table4::Entry> entries;
  for (int i = 0; i < 10'000; ++i)
    entries.emplace_back(Ipv4Prefix{Ipv4Address::from_host(static_cast<std::uint32_t>(i) << 8), 24},
                         i);
  const Table4 table(entries);
  for (int i = 0; i < 10'000; ++i) {
    const auto host = static_cast<std::uint32_t>(i) << 8 | 77u;
    ASSERT_EQ(found(table, Ipv4Address::from_host(host)), i);
  }
  EXPECT_EQ(table.find(Ipv4Address::from_host(10'000u << 8)), nullptr);
}

}  // namespace
}  // namespace culvert
