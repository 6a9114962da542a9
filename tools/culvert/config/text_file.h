// Reads a configuration file into memory. Any thread.
#pragma once

#include <string>

#include "io/result.h"

namespace culvert::program {

/// The contents of a file of at most 16 MiB. Fails with an errno (EFBIG: it is larger) and
/// `advice`.
[[nodiscard]] Result<std::string> read_text_file(const std::string& path, std::string advice);

}  // namespace culvert::program
