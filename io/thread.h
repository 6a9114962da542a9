// Sets the name and the CPU of the calling thread.
#pragma once

#include <cstddef>
#include <string>

#include "io/result.h"

namespace culvert::io {

/// Names the calling thread; `top -H` shows the name. Longer names are cut to 15 bytes.
void set_thread_name(const std::string& name) noexcept;

/// Pins the calling thread to one of the CPUs that it may use now: number `index` modulo their
/// count.
[[nodiscard]] Result<void> pin_to_cpu(std::size_t index);

}  // namespace culvert::io
