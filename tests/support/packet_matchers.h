// GoogleTest matchers for packets, and printers that show the differences.
#pragma once

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdio>
#include <ostream>
#include <string>

#include "proto/parsed.h"
#include "tests/support/packet_builder.h"

namespace culvert::proto {

inline void PrintTo(Malformed malformed, std::ostream* out) { *out << name_of(malformed); }

}  // namespace culvert::proto

namespace culvert::test {

/// "45 00 00 1c", sixteen bytes per line.
inline std::string to_hex(std::span<const std::byte> bytes) {
  std::string text;
  for (std::size_t index = 0; index < bytes.size(); ++index) {
    char digits[4];
    std::snprintf(digits, sizeof digits, "%02x%c", std::to_integer<unsigned>(bytes[index]),
                  index % 16 == 15 ? '\n' : ' ');
    text += digits;
  }
  return text;
}

/// Matches equal bytes. Reports the first difference.
MATCHER_P(SameBytes, expected,
          "bytes\n" + to_hex(Bytes(std::begin(expected), std::end(expected)))) {
  const auto first =
      std::mismatch(std::begin(arg), std::end(arg), std::begin(expected), std::end(expected));
  if (first.first == std::end(arg) && first.second == std::end(expected)) return true;
  *result_listener << std::size(arg) << " bytes, first difference at "
                   << std::distance(std::begin(arg), first.first) << ":\n"
                   << to_hex(Bytes(std::begin(arg), std::end(arg)));
  return false;
}

/// Matches packets whose checksums are all right, by the reference implementation.
MATCHER(HasValidChecksums, "has valid checksums") {
  const std::string bad = bad_checksum(arg);
  *result_listener << "bad: " << bad;
  return bad.empty();
}

/// Matches an Expected that holds this error.
MATCHER_P(FailsWith, error, "fails with " + testing::PrintToString(error)) {
  if (arg.has_value()) {
    *result_listener << "which has a value";
    return false;
  }
  *result_listener << "which fails with " << testing::PrintToString(arg.error());
  return arg.error() == error;
}

}  // namespace culvert::test
