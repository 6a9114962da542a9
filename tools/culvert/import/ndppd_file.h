// An ndppd.conf as statements. Two programs of that name read two languages: 0.2 (what Debian has)
// and 1.0-devel. What the statements mean is import_ndppd's. Pure functions; any thread.
//
// 0.2: `KEY [=] [VALUE] [{ … }]`. A value and a `{` stand in the line of their key, and the next
// statement may follow in the same line. Comments are #, // and /* */; a value between ' or " may
// have blanks.
// 1.0: the same without `=` and quotes; a statement ends with its line or its block; # alone begins
// a comment.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/result.h"

namespace culvert::program {

enum class NdppdDialect : std::uint8_t { v0_2, v1_0 };

struct NdppdStatement {
  std::string key;
  std::string value;  ///< empty: none
  unsigned line = 0;
  std::optional<std::vector<NdppdStatement>> block;
};

struct NdppdFile {
  NdppdDialect dialect = NdppdDialect::v0_2;
  /// The first key that only one of the two has; empty: there is none, and it is read as 0.2.
  std::string told_by;
  std::vector<NdppdStatement> statements;
};

/// Reads `text`. `file` is what errors call it; they name the line and say what is wrong and what
/// to do. Where 0.2 would go on with half of the file, and say nothing, that is an error.
[[nodiscard]] Result<NdppdFile> read_ndppd(std::string_view text, std::string_view file);

}  // namespace culvert::program
