// Pieces of error messages: untrusted text, and lists of alternatives. Pure functions; any thread.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace culvert {

/// Returns `text` as one line: control characters become '?', and text beyond `longest_bytes`
/// becomes "...".
[[nodiscard]] std::string printable(std::string_view text, std::size_t longest_bytes = 80);
/// The same in single quotes.
[[nodiscard]] std::string quoted(std::string_view text);

/// The words with commas and "or" between them: "a", "a or b", "a, b or c".
[[nodiscard]] std::string alternatives(std::span<const std::string_view> words);

/// The first words of a list of any length, with commas between them: "a, b, c and 7997 more".
/// `most`: the number of words that are listed.
[[nodiscard]] std::string shortened(std::span<const std::string> words, std::size_t most);

}  // namespace culvert
