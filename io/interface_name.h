// The rules of Linux for names of network interfaces. Pure functions; any thread.
#pragma once

#include <cstddef>
#include <string_view>

namespace culvert::io {

inline constexpr std::size_t kMaxInterfaceNameBytes = 15;  ///< IFNAMSIZ without the final zero

/// Returns whether an interface can have this name: the kernel's rules (dev_valid_name()), and no
/// control characters, which would garble messages. '%' is allowed: in the name of a new device the
/// kernel replaces "%d" by a number.
[[nodiscard]] bool is_interface_name(std::string_view name) noexcept;

}  // namespace culvert::io
