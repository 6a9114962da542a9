#include "io/pages.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

namespace culvert::io {
namespace {

/// The number of pages in memory now.
std::size_t resident(const Pages& pages) {
  const auto page_bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> states((pages.size_bytes() + page_bytes - 1) / page_bytes);
  EXPECT_EQ(::mincore(pages.data(), pages.size_bytes(), states.data()), 0);
  return static_cast<std::size_t>(
      std::count_if(states.begin(), states.end(), [](auto state) { return (state & 1) != 0; }));
}

constexpr std::size_t kBytes = 8 * 4096;

constexpr std::array kKinds{Pages::Kind::on_demand, Pages::Kind::sparse, Pages::Kind::scattered};

TEST(Pages, BecomeResidentWhenTheyAreWritten) {
  for (const auto kind : kKinds) {
    const auto pages = *Pages::map(kBytes, kind, "test");
    EXPECT_EQ(resident(pages), 0u);
    pages.data()[3 * 4096 + 7] = std::byte{1};
    EXPECT_EQ(resident(pages), 1u);
  }
}

TEST(Pages, AreNeverHugeIfTheyAreScattered) {
  const auto pages = *Pages::map(Pages::kMinHugeBytes, Pages::Kind::scattered, "test");
  std::ifstream maps{"/proc/self/smaps"};
  std::ostringstream first;
  first << std::hex << reinterpret_cast<std::uintptr_t>(pages.data()) << '-';
  std::string line;
  while (std::getline(maps, line) && !line.starts_with(first.str())) {
  }
  while (std::getline(maps, line) && !line.starts_with("VmFlags:")) {
  }
  EXPECT_NE(line.find(" nh"), std::string::npos) << line;  // MADV_NOHUGEPAGE
}

TEST(Pages, AreZerosThatCanBeWritten) {
  for (const auto kind : kKinds) {
    const auto pages = Pages::map(kBytes, kind, "test");
    ASSERT_TRUE(pages);
    EXPECT_EQ(std::count(pages->data(), pages->data() + kBytes, std::byte{0}),
              std::ptrdiff_t{kBytes});
    std::fill_n(pages->data(), kBytes, std::byte{1});
  }
}

TEST(Pages, BelongToOneOwner) {
  auto first = *Pages::map(kBytes, Pages::Kind::on_demand, "test");
  const std::byte* const data = first.data();
  Pages second = std::move(first);
  EXPECT_FALSE(first);
  EXPECT_EQ(second.data(), data);
  first = std::move(second);
  EXPECT_FALSE(second);
  EXPECT_EQ(first.size_bytes(), kBytes);
}

TEST(Pages, SayWhatTheyWereFor) {
  const auto pages = Pages::map(std::numeric_limits<std::size_t>::max() / 2, Pages::Kind::on_demand,
                                "flow table", "configure fewer flows");
  ASSERT_FALSE(pages);
  EXPECT_EQ(pages.error().message(),
            "map flow table 9223372036854775807 bytes: ENOMEM (configure fewer flows)");
}

}  // namespace
}  // namespace culvert::io
