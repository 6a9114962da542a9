#include "io/pages.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
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

TEST(Pages, AreResidentFromTheStartOnlyIfAskedTo) {
  EXPECT_EQ(resident(*Pages::map(kBytes, Pages::Kind::on_demand, "test")), 0u);
  EXPECT_EQ(resident(*Pages::map(kBytes, Pages::Kind::sparse, "test")), 0u);
  EXPECT_EQ(resident(*Pages::map(kBytes, Pages::Kind::resident, "test")), 8u);
}

TEST(Pages, AreZerosThatCanBeWritten) {
  for (const auto kind : {Pages::Kind::on_demand, Pages::Kind::sparse, Pages::Kind::resident}) {
    const auto pages = Pages::map(kBytes, kind, "test");
    ASSERT_TRUE(pages);
    EXPECT_EQ(std::count(pages->data(), pages->data() + kBytes, std::byte{0}),
              std::ptrdiff_t{kBytes});
    std::fill_n(pages->data(), kBytes, std::byte{1});
  }
}

TEST(Pages, BelongToOneOwner) {
  auto first = *Pages::map(kBytes, Pages::Kind::resident, "test");
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
