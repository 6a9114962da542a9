// The slots, and how much of them is resident before the first packet.
#include "io/packet_pool.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

namespace culvert::io {
namespace {

std::size_t resident_pages(const std::byte* first, std::size_t bytes, std::size_t page_bytes) {
  std::vector<unsigned char> states((bytes + page_bytes - 1) / page_bytes);
  EXPECT_EQ(::mincore(const_cast<std::byte*>(first), bytes, states.data()), 0);
  return static_cast<std::size_t>(
      std::count_if(states.begin(), states.end(), [](auto state) { return (state & 1) != 0; }));
}

TEST(PacketPool, IsResidentAsFarAsItIsUsed) {
  constexpr std::size_t kSlots = 128, kSlotBytes = 66'000;
  const auto page_bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  auto pool = *PacketPool::open(kSlots, kSlotBytes);
  EXPECT_EQ(pool.count(), kSlots);
  const std::byte* const first = pool.slot(0).data();
  // 2,048 bytes lie on one page or on two.
  const std::size_t resident = resident_pages(first, kSlots * kSlotBytes, page_bytes);
  EXPECT_GE(resident, kSlots);
  EXPECT_LE(resident, 2 * kSlots);
  pool.use(PacketPool::kResidentBytes);
  EXPECT_EQ(resident_pages(first, kSlots * kSlotBytes, page_bytes), resident);
  pool.use(PacketPool::kResidentBytes + 1);
  EXPECT_EQ(resident_pages(first, kSlots * kSlotBytes, page_bytes),
            (kSlots * kSlotBytes + page_bytes - 1) / page_bytes);
  for (std::size_t i = 0; i < kSlots; ++i) {
    const auto slot = pool.slot(i);
    EXPECT_EQ(slot.size(), kSlotBytes);
    EXPECT_EQ(slot.data(), first + i * kSlotBytes);
    std::fill(slot.begin(), slot.end(), std::byte{1});
  }
}

TEST(PacketPool, TakesSmallSlots) {
  const auto pool = *PacketPool::open(3, 100);
  EXPECT_EQ(pool.slot(2).size(), 100u);
}

}  // namespace
}  // namespace culvert::io
