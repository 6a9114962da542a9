#include "engine/flows/sip_hash.h"

#include <gtest/gtest.h>

namespace culvert {
namespace {

// Appendix A of the paper: key 00 01 .. 0f, message 00 01 .. 0e, SipHash-2-4.
TEST(SipHash, GivesWhatThePaperGives) {
  constexpr SipKey kKey{0x0706050403020100, 0x0f0e0d0c0b0a0908};
  constexpr std::array<std::uint64_t, 2> kMessage{0x0706050403020100, 0x0f0e0d0c0b0a0908};
  EXPECT_EQ((sip_hash<2, 4>(kKey, kMessage)), 0xa129ca6149be45e5);
}

// CPython 3.11 hashes bytes with SipHash-1-3, and PYTHONHASHSEED=0 makes its key 0:
// hash(bytes(range(37))) and hash(bytes(range(8, 45))) modulo 2^64.
TEST(SipHash, GivesWhatPythonGives) {
  constexpr std::uint64_t kLength = std::uint64_t{37} << 56;
  EXPECT_EQ(
      (sip_hash<1, 3>(SipKey{}, std::array<std::uint64_t, 5>{0x0706050403020100, 0x0f0e0d0c0b0a0908,
                                                             0x1716151413121110, 0x1f1e1d1c1b1a1918,
                                                             kLength | 0x2423222120})),
      0x422a9751192ff266);
  EXPECT_EQ(
      (sip_hash<1, 3>(SipKey{}, std::array<std::uint64_t, 5>{0x0f0e0d0c0b0a0908, 0x1716151413121110,
                                                             0x1f1e1d1c1b1a1918, 0x2726252423222120,
                                                             kLength | 0x2c2b2a2928})),
      0xd5792112fa780303);
}

}  // namespace
}  // namespace culvert
