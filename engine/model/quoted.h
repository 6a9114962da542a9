// Text from outside, for an error message. Pure functions; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace culvert {

/// `text` for an error message: on one line, without control characters, and not endless.
[[nodiscard]] std::string printable(std::string_view text, std::size_t longest_bytes = 80);
/// The same between quotes.
[[nodiscard]] std::string quoted(std::string_view text);

}  // namespace culvert
