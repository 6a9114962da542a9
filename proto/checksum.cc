#include "proto/checksum.h"

#include <cstring>

namespace culvert::proto {
namespace {

template <class Word>
Word read(const std::byte* data) noexcept {
  Word word;
  std::memcpy(&word, data, sizeof word);
  return word;
}

// Each iteration sums eight 64-bit words. The two halves of a word are added separately, so that no
// carry is lost. The compiler can vectorise the loop for any instruction set.
constexpr std::size_t kBlockBytes = 64;

std::uint64_t sum_blocks(const std::byte* data, std::size_t block_count) noexcept {
  std::uint64_t low[8] = {};
  std::uint64_t high[8] = {};
  for (; block_count != 0; --block_count, data += kBlockBytes) {
    std::uint64_t words[8];
    std::memcpy(words, data, sizeof words);
    for (int lane = 0; lane < 8; ++lane) {
      low[lane] += words[lane] & 0xffff'ffff;
      high[lane] += words[lane] >> 32;
    }
  }
  std::uint64_t total = 0;
  for (int lane = 0; lane < 8; ++lane) total += low[lane] + high[lane];
  return total;
}

}  // namespace

ChecksumSum sum(std::span<const std::byte> bytes) noexcept {
  const std::byte* data = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t total = 0;
  if (left >= kBlockBytes) {
    total = sum_blocks(data, left / kBlockBytes);
    data += left - left % kBlockBytes;
    left %= kBlockBytes;
  }
  for (; left >= 8; left -= 8, data += 8) {
    const auto word = read<std::uint64_t>(data);
    total += (word & 0xffff'ffff) + (word >> 32);
  }
  if ((left & 4) != 0) {
    total += read<std::uint32_t>(data);
    data += 4;
  }
  if ((left & 2) != 0) {
    total += read<std::uint16_t>(data);
    data += 2;
  }
  if ((left & 1) != 0) {
    const std::byte padded[2] = {*data, std::byte{0}};
    total += read<std::uint16_t>(padded);
  }
  return {fold({total}).wire()};
}

}  // namespace culvert::proto
