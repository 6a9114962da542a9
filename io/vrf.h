// Which interfaces belong to which VRF (l3mdev): outer packets of a VRF arrive on its members. For set-up
// and refreshes, never on the hot path. Any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace culvert::io {

/// An interface whose master is a VRF device.
struct VrfMember {
  std::uint32_t vrf_index = 0, interface_index = 0;
  friend constexpr auto operator<=>(const VrfMember&, const VrfMember&) = default;
};

/// The members of those of the interfaces that are VRF devices, sorted. Empty if there are none, or if the
/// kernel cannot be asked.
[[nodiscard]] std::vector<VrfMember> vrf_members(std::span<const std::string> interfaces);

}  // namespace culvert::io
