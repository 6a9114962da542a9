#include "io/next_hop.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace culvert::io {
namespace {

/// A next hop whose every part contains its number.
NextHop numbered_hop(std::uint32_t number) {
  const auto high = static_cast<std::uint8_t>(number >> 8), low = static_cast<std::uint8_t>(number);
  return {.interface_index = number,
          .kernel_gso = number % 2 == 1,
          .source = {{0x02, high, low, high, low, 1}},
          .destination = {{0x02, high, low, high, low, 2}}};
}

TEST(AtomicNextHop, LoadsWhatWasStored) {
  AtomicNextHop hop;
  EXPECT_FALSE(hop.load());
  const NextHop extreme{.interface_index = 0xffff'ffff,
                        .kernel_gso = true,
                        .source = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
                        .destination = {{0, 0, 0, 0, 0, 1}}};
  for (const NextHop& each : {numbered_hop(2), numbered_hop(3), extreme}) {
    hop.store(each);
    EXPECT_EQ(hop.load(), each);
  }
}

TEST(AtomicNextHop, LoadsNothingAfterItWasCleared) {
  AtomicNextHop hop;
  hop.store(numbered_hop(2));
  hop.clear();
  EXPECT_FALSE(hop.load());
  hop.store(numbered_hop(2));
  EXPECT_EQ(hop.load(), numbered_hop(2));
  hop.store({});
  EXPECT_FALSE(hop.load());
}

TEST(AtomicNextHop, IsNotClearedOfAnotherOne) {
  AtomicNextHop hop;
  hop.store(numbered_hop(3));
  hop.clear(numbered_hop(2));
  EXPECT_EQ(hop.load(), numbered_hop(3));
  hop.clear(numbered_hop(3));
  EXPECT_FALSE(hop.load());
}

TEST(AtomicNextHop, CountsItsStoresWithoutEnd) {
  AtomicNextHop hop;
  for (std::uint32_t i = 1; i < 200'000; ++i) {  // the number of a store has 16 bits
    hop.store(numbered_hop(i));
    ASSERT_EQ(hop.load().interface_index, i);
  }
}

TEST(AtomicNextHop, IsNeverMixed) {
  AtomicNextHop hop;
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> whole{0}, mixed{0};
  const auto read = [&] {
    while (!stop) {
      const NextHop seen = hop.load();
      if (!seen) continue;
      ++(seen == numbered_hop(seen.interface_index) ? whole : mixed);
    }
  };
  std::thread reader(read), other_reader(read);
  std::thread clearer([&] {
    while (!stop) hop.clear(hop.load());
  });
  std::uint32_t stores = 0;
  for (; stores < 300'000 || (whole < 1000 && stores < 30'000'000); ++stores)
    hop.store(numbered_hop(1 + stores % 0xffff));  // wraps around as the number of the store does
  stop = true;
  reader.join();
  other_reader.join();
  clearer.join();
  EXPECT_EQ(mixed, 0u);
  EXPECT_GT(whole, 0u) << "in " << stores << " stores nothing was ever seen";
}

}  // namespace
}  // namespace culvert::io
