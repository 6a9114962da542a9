// Ipv4Fragmenter compared with a slow implementation of RFC 791 3.2.
#include <gtest/gtest.h>

#include "tests/support/cut.h"
#include "tests/support/transport_packet.h"

namespace culvert {
namespace {

using test::Bytes;

struct Option {
  bool is_copied;
  Bytes bytes;
};

/// An IPv4 packet, as its header's fields.
struct Original {
  std::vector<Option> options;
  std::uint16_t identification = 0x1234;
  std::size_t offset_units = 0;
  bool more_fragments = false;
  Bytes payload;
};

Bytes pad(Bytes options) {
  options.resize((options.size() + 3) / 4 * 4);
  return options;
}

/// One fragment of `original`; `done` bytes of its payload precede it.
Bytes slow_fragment(const Original& original, const Bytes& options, std::size_t done,
                    std::size_t size) {
  const std::size_t offset = original.offset_units + done / 8;
  const bool more = original.more_fragments || done + size < original.payload.size();
  const std::size_t header_bytes = 20 + options.size();
  const std::size_t total = header_bytes + size;
  Bytes bytes = {std::byte(0x40 | header_bytes / 4),
                 std::byte{0},
                 std::byte(total >> 8),
                 std::byte(total),
                 std::byte{0x12},
                 std::byte{0x34},
                 std::byte(offset >> 8 | more << 5),
                 std::byte(offset),
                 std::byte{64},
                 std::byte{17},
                 std::byte{0},
                 std::byte{0}};
  for (const int b : {192, 0, 2, 1, 198, 51, 100, 1}) bytes.push_back(std::byte(b));
  bytes.insert(bytes.end(), options.begin(), options.end());
  const std::uint16_t checksum = test::slow_checksum(bytes);
  bytes[10] = std::byte(checksum >> 8);
  bytes[11] = std::byte(checksum);
  bytes.insert(bytes.end(), original.payload.begin() + done,
               original.payload.begin() + done + size);
  return bytes;
}

Bytes all_options(const Original& original) {
  Bytes all;
  for (const auto& option : original.options) {
    all.insert(all.end(), option.bytes.begin(), option.bytes.end());
  }
  return pad(all);
}

std::vector<Bytes> slow_fragments(const Original& original, std::size_t mtu) {
  Bytes copied;
  for (const auto& option : original.options) {
    if (option.is_copied) copied.insert(copied.end(), option.bytes.begin(), option.bytes.end());
  }
  std::vector<Bytes> fragments;
  std::size_t done = 0;
  do {
    const Bytes options = fragments.empty() ? all_options(original) : pad(copied);
    std::size_t size = original.payload.size() - done;
    if (20 + options.size() + size > mtu) size = (mtu - 20 - options.size()) / 8 * 8;
    fragments.push_back(slow_fragment(original, options, done, size));
    done += size;
  } while (done < original.payload.size());
  return fragments;
}

std::vector<Bytes> fragments(const Original& original, std::size_t split, std::uint16_t mtu) {
  const Bytes packet = slow_fragment(original, all_options(original), 0, original.payload.size());
  return test::cut_to_fragments(packet, packet.size() - original.payload.size(), split, mtu);
}

Original random_original(std::mt19937& random) {
  Original original;
  std::size_t left = 40;
  while (left >= 4 && test::one_in(random, 2)) {
    const std::size_t size = test::pick(random, 3, std::min<std::size_t>(left, 11));
    Bytes bytes = test::random_bytes(random, size);
    const bool is_copied = test::one_in(random, 2);
    bytes[0] = std::byte(is_copied ? 0x94 : 0x44);
    bytes[1] = std::byte(size);
    original.options.push_back({is_copied, std::move(bytes)});
    left -= size;
  }
  original.more_fragments = test::one_in(random, 3);
  if (test::one_in(random, 3)) original.offset_units = test::pick(random, 1, 4000);
  std::size_t size = test::pick(random, 0, 5000);
  if (original.more_fragments) size -= size % 8;
  original.payload = test::random_bytes(random, size);
  return original;
}

TEST(Ipv4Fragmenter, CutsAsTheSlowReferenceDoes) {
  std::mt19937 random(3);
  for (int round = 0; round < 2000; ++round) {
    const Original original = random_original(random);
    const std::size_t split = test::pick(random, 0, original.payload.size());
    const auto mtu = static_cast<std::uint16_t>(
        test::one_in(random, 4) ? test::pick(random, 68, 90) : test::pick(random, 68, 2000));
    ASSERT_EQ(fragments(original, split, mtu), slow_fragments(original, mtu)) << "round " << round;
  }
}

TEST(Ipv4Fragmenter, LeavesWhatFitsWhole) {
  Original original;
  original.payload = Bytes(1480, std::byte{5});
  EXPECT_EQ(fragments(original, 1000, 1500).size(), 1u);
  original.payload.push_back({});
  EXPECT_EQ(fragments(original, 1000, 1500).size(), 2u);
}

TEST(CountFragments, CountsWhatTheFragmenterMakes) {
  for (const std::size_t mtu : {68u, 576u, 1199u, 1200u, 1299u, 1300u, 1500u}) {
    for (const std::size_t size : {100u, 1196u, 1200u, 1300u, 1324u, 2000u}) {
      Original original;
      original.payload = Bytes(size - 20);
      EXPECT_EQ(count_fragments(size, mtu),
                fragments(original, 0, static_cast<std::uint16_t>(mtu)).size())
          << size << " in " << mtu;
    }
  }
}

TEST(Ipv4Fragmenter, StopsWhereNoOffsetReaches) {
  // RFC 791 3.1: the offset has 13 bits, in units of 8 bytes. A malformed fragment must not wrap to
  // the first.
  Original original;
  original.offset_units = 8190;
  original.more_fragments = true;
  original.payload = Bytes(400);
  const auto result = fragments(original, 400, 68);
  ASSERT_EQ(result.size(), 1u);
  EXPECT_EQ(result[0].size(), 68u);
}

}  // namespace
}  // namespace culvert
