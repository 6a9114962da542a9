// Parses an ndppd.conf to statements. ndppd 0.2 (the version of Debian) and ndppd 1.0-devel have
// different file formats, here called dialects. import_ndppd() interprets the statements. Pure
// functions; any thread.
//
// 0.2: `KEY [=] [VALUE] [{ … }]`. The value and the `{` are in the line of their key. The next
// statement may follow in the same line. Comments are #, // and /* */. A value in ' or " may
// contain blanks. 1.0: the same without `=` and quotes. A statement ends with its line or its
// block. Only # starts a comment.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/result.h"

namespace culvert::program {

enum class NdppdDialect : std::uint8_t { v0_2, v1_0 };

/// One `KEY VALUE { … }`.
struct NdppdStatement {
  std::string key;
  std::string value;  ///< empty: none
  unsigned line = 0;
  std::optional<std::vector<NdppdStatement>> block;  ///< nullopt: there is no `{ … }`
};

/// A whole file.
struct NdppdFile {
  NdppdDialect dialect = NdppdDialect::v0_2;
  /// Why it is this dialect: "it has the key 'ttl' (line 4)".
  std::string dialect_reason;
  /// What speaks for the other dialect: "only ndppd 1.0 has the key 'table' (line 7)". Empty:
  /// nothing.
  std::string dialect_doubt;
  std::vector<NdppdStatement> statements;
};

/// Parses `text`. `file`: the name for errors. `dialect`: nullopt finds it by the keys and the
/// syntax; a key that both dialects have, but in different places, never decides. An error (code 0)
/// names the line, what is wrong and what to do. ndppd 0.2 silently ignores the rest of a file after
/// some mistakes; here these are errors.
[[nodiscard]] Result<NdppdFile> read_ndppd(std::string_view text, std::string_view file,
                                           std::optional<NdppdDialect> dialect = std::nullopt);

}  // namespace culvert::program
