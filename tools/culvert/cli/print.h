// Exit statuses, and functions that print to stdout and stderr. Any thread.
#pragma once

#include <string_view>

namespace culvert::program {

inline constexpr int kOk = 0;
inline constexpr int kSystemError =
    1;  ///< the arguments are right, but the system refuses something
inline constexpr int kUsageError = 2;   ///< the arguments or the file are wrong
inline constexpr int kUnsupported = 3;  ///< import: a key of the file is unsupported

/// The prefix of error sentences: "culvert". Each program defines it.
extern const std::string_view kProgramName;

/// Writes the result of a command to stdout. If that fails, finish_output() reports it.
void print(std::string_view text);

/// Returns `status`, or, if print() could not write everything, complains with the first errno and
/// returns kSystemError. Call it last.
[[nodiscard]] int finish_output(int status);

/// Writes to stderr. Ignores errors.
void print_error(std::string_view text);

/// Prints one error sentence to stderr, with the prefix and a newline. Returns `status`.
int complain(std::string_view sentence, int status);

/// Opens /dev/null for each of stdin, stdout and stderr that is closed. Otherwise the next
/// descriptor would get its number, and printed text would go there, for example into a tunnel.
/// A closed stdout becomes read-only, so print() still fails with EBADF. Call it first.
void keep_standard_descriptors();

}  // namespace culvert::program
