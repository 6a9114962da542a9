// The words that come from the encapsulations' own tables (proto/parameter_option.h): `mode`, and
// the words of their parameters. No other file of the program knows an encapsulation. Immutable; any
// thread.
#pragma once

#include <string_view>
#include <vector>

#include "tools/culvert/config/option_table.h"

namespace culvert::program {

/// The word `mode`.
[[nodiscard]] Option mode_word();

/// The words of all encapsulations' options, in the order of their tables. Encapsulations that have
/// an option of the same name share its word, which sets the parameters of each.
[[nodiscard]] std::vector<Option> parameter_words();

/// The names of the mode's other options whose parameters the word `name` sets as well: those of
/// `key` are `ikey` and `okey`. Empty if the mode has no option of this name.
[[nodiscard]] std::vector<std::string_view> included_words(const Parameters& mode,
                                                           std::string_view name);

}  // namespace culvert::program
