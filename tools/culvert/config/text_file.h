// A file that people have written, as one text. Any thread.
#pragma once

#include <string>

#include "io/result.h"

namespace culvert::program {

/// The whole of a file of at most 16 MiB. An error with an errno, and `advice`: it cannot be read.
[[nodiscard]] Result<std::string> read_text_file(const std::string& path, std::string advice);

}  // namespace culvert::program
