// Random bytes of the kernel, for secrets. Set-up only; any thread.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "io/result.h"

namespace culvert::io {

/// Fills `bytes`, at most 256, with bytes that nobody can predict (getrandom(2)). `object`: their
/// user, for the error.
[[nodiscard]] Result<void> fill_random(std::span<std::byte> bytes, const std::string& object);

}  // namespace culvert::io
