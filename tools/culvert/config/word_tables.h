// The two parts of the table of words. Immutable; any thread.
#pragma once

#include <span>

#include "tools/culvert/config/words.h"

namespace culvert::control {

[[nodiscard]] std::span<const Word> tunnel_words();
[[nodiscard]] std::span<const Word> device_words();

}  // namespace culvert::control
