#include "io/interface_name.h"

#include <algorithm>

namespace culvert::io {

bool is_interface_name(std::string_view name) noexcept {
  const auto is_forbidden = [](unsigned char c) {
    constexpr unsigned char kDelete = 0x7f;
    return c <= ' ' || c == '/' || c == ':' || c == kDelete;
  };
  return !name.empty() && name.size() <= kMaxInterfaceNameBytes && name != "." && name != ".." &&
         std::none_of(name.begin(), name.end(), is_forbidden);
}

}  // namespace culvert::io
