// A thread's name and CPU.
#pragma once

#include <cstddef>
#include <string>

#include "io/result.h"

namespace culvert::io {

/// Names the calling thread, cut to 15 bytes: what `top -H` shows.
void set_thread_name(const std::string& name) noexcept;

/// Pins the calling thread to the `index`-th of the CPUs that it may use now, counted around.
[[nodiscard]] Result<void> pin_to_cpu(std::size_t index);

}  // namespace culvert::io
