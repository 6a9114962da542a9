// LinkType: what the packets of a device begin with, and so the kind of the device. Each
// encapsulation says which one it carries. Plain values; any thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "proto/ethernet.h"

namespace culvert::proto {

enum class LinkType : std::uint8_t {
  ip,        ///< an IP header: the device is a TUN device
  ethernet,  ///< an Ethernet header: the device is a TAP device
};

/// Size in bytes of the link-layer header, without VLAN tags.
[[nodiscard]] constexpr std::size_t link_header_bytes(LinkType link_type) noexcept {
  return link_type == LinkType::ethernet ? kEthernetHeaderBytes : 0;
}

}  // namespace culvert::proto
