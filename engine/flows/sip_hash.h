// SipHash (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012) of a few 64-bit words.
// Without the secret key an attacker cannot choose inputs that collide in one bucket. The flow
// table uses SipHash-1-3, as do the hash tables of Rust, Ruby and Python, and of Linux with
// HalfSipHash. Pure functions; any thread.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace culvert {

/// The secret key: from the kernel (io/random.h), a new one for each table.
struct SipKey {
  std::uint64_t k0 = 0, k1 = 0;
};

namespace detail {

struct SipState {
  std::uint64_t v0, v1, v2, v3;

  constexpr void round() noexcept {
    v0 += v1;
    v2 += v3;
    v1 = std::rotl(v1, 13) ^ v0;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 = std::rotl(v0, 32);
    v2 += v1;
    v0 += v3;
    v1 = std::rotl(v1, 17) ^ v2;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 = std::rotl(v2, 32);
  }
};

}  // namespace detail

/// SipHash with `kCompressions` rounds per word and `kFinalizations` rounds at the end. `words`:
/// the message as little-endian words. The caller stores the bytes after the last whole word in the
/// low bytes of the last word, and the message length modulo 256 in its top byte (section 2.2).
template <int kCompressions, int kFinalizations, std::size_t kWords>
[[nodiscard]] constexpr std::uint64_t sip_hash(
    const SipKey& key, const std::array<std::uint64_t, kWords>& words) noexcept {
  detail::SipState state{key.k0 ^ 0x736f6d6570736575, key.k1 ^ 0x646f72616e646f6d,
                         key.k0 ^ 0x6c7967656e657261, key.k1 ^ 0x7465646279746573};
  for (const std::uint64_t word : words) {
    state.v3 ^= word;
    for (int i = 0; i < kCompressions; ++i) state.round();
    state.v0 ^= word;
  }
  state.v2 ^= 0xff;
  for (int i = 0; i < kFinalizations; ++i) state.round();
  return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

}  // namespace culvert
