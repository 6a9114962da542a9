// Common parts of the fuzz targets. A target defines LLVMFuzzerTestOneInput and checks properties
// with require(). The sanitizers detect invalid memory accesses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace culvert::fuzz {

/// Aborts the program if a property does not hold. libFuzzer reports that as a finding.
inline void require(bool holds, const char* property) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", property);
  std::abort();
}

[[nodiscard]] inline std::span<const std::byte> bytes_of(const std::uint8_t* data,
                                                         std::size_t size) noexcept {
  return std::as_bytes(std::span{data, size});
}
/// A copy of exactly this size, so that the sanitizer detects an access beyond its end.
[[nodiscard]] inline std::vector<std::byte> copy_of(std::span<const std::byte> bytes) {
  return {bytes.begin(), bytes.end()};
}
/// Whether `part` lies within `whole`.
[[nodiscard]] inline bool lies_within(std::span<const std::byte> part,
                                      std::span<const std::byte> whole) noexcept {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

}  // namespace culvert::fuzz
