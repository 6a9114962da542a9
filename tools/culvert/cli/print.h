// Exit statuses, and the lines that the programs print. Any thread.
#pragma once

#include <string_view>

namespace culvert::program {

inline constexpr int kOk = 0;
inline constexpr int kSystemError = 1;  ///< the words are right, but the system refused something
inline constexpr int kUsageError = 2;   ///< the words themselves are wrong
inline constexpr int kNotWhole = 3;     ///< import: something is not supported here

/// The name in front of error sentences: "culvert". Each program defines it.
extern const std::string_view kProgramName;

/// Writes to stdout. Errors are ignored: a tunnel does not stop because nobody reads its output.
void print(std::string_view text);

/// The same to stderr.
void print_error(std::string_view text);

/// One sentence on stderr; returns the exit status.
int complain(std::string_view sentence, int status);

/// A closed stdin, stdout or stderr would give its number to the next descriptor that is opened,
/// and printed text would go there: into a tunnel, perhaps. Opens /dev/null in its place.
void keep_standard_descriptors();

}  // namespace culvert::program
