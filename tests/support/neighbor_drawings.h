// Neighbor discovery messages for tests of the NDP proxy: Ethernet frames of solicitations and
// advertisements, built by tests/support/packet_builder, which shares no code with proto/ndp.
#pragma once

#include <string>
#include <string_view>

#include "proto/address.h"
#include "proto/ethernet.h"
#include "tests/support/packet_builder.h"

namespace culvert::test {

inline proto::Ipv6Address address6(std::string_view text) {
  return *proto::Ipv6Address::from_text(text);
}
inline proto::Ipv6Prefix prefix6(std::string_view text) {
  return *proto::Ipv6Prefix::from_text(text);
}

/// "02 00 00 00 00 01".
using EthernetText = std::string;

inline Bytes ethernet_frame(const EthernetText& destination, const EthernetText& source,
                            const Bytes& packet) {
  Bytes frame = hex(destination + source + "86 dd");
  frame.insert(frame.end(), packet.begin(), packet.end());
  return frame;
}

/// The solicited-node group of a target, and its Ethernet address, as text.
inline std::string solicited_node(std::string_view target) {
  const auto bytes = address6(target).bytes;
  proto::Ipv6Address group = address6("ff02::1:ff00:0");
  for (std::size_t i = 13; i < 16; ++i) group.bytes[i] = bytes[i];
  return group.to_text();
}
inline EthernetText group_ethernet(std::string_view group) {
  const auto bytes = address6(group).bytes;
  EthernetText text = "33 33";
  constexpr char kDigits[] = "0123456789abcdef";
  for (std::size_t i = 12; i < 16; ++i) {
    const auto value = std::to_integer<unsigned>(bytes[i]);
    text += {' ', kDigits[value >> 4], kDigits[value & 0xf]};
  }
  return text;
}

/// The ICMPv6 message, from its type. `flags`: the highest byte of the second word. `option`: the
/// Ethernet address in the link-layer address option; empty: no option.
inline Drawing neighbor_message(std::uint8_t type, std::uint8_t flags, std::string_view target,
                                const EthernetText& option) {
  const auto bytes = address6(target).bytes;
  Bytes body(bytes.begin(), bytes.end());
  if (!option.empty()) {
    const Bytes more = hex((type == 135 ? "01 01" : "02 01") + option);
    body.insert(body.end(), more.begin(), more.end());
  }
  return icmpv6(type, 0, std::uint32_t{flags} << 24) / payload(body);
}

struct SolicitationExtra {
  std::string destination = {};  ///< the solicited-node group if empty
  EthernetText option = {};      ///< source link-layer address
  EthernetText ethernet_destination = {};
  std::uint8_t hop_limit = 255;
};
/// A complete frame; `sender`: its Ethernet source.
inline Bytes solicitation(std::string_view source, std::string_view target,
                          const EthernetText& sender, SolicitationExtra extra = {}) {
  if (extra.destination.empty()) extra.destination = solicited_node(target);
  if (extra.ethernet_destination.empty())
    extra.ethernet_destination = group_ethernet(extra.destination);
  const Bytes packet = ipv6(source, extra.destination, {.hop_limit = extra.hop_limit}) /
                       neighbor_message(135, 0, target, extra.option);
  return ethernet_frame(extra.ethernet_destination, sender, packet);
}

inline constexpr std::uint8_t kRouterFlag = 0x80, kSolicitedFlag = 0x40, kOverrideFlag = 0x20;

inline Bytes advertisement(std::string_view source, std::string_view destination,
                           std::string_view target, std::uint8_t flags, const EthernetText& to,
                           const EthernetText& from) {
  const Bytes packet =
      ipv6(source, destination, {.hop_limit = 255}) / neighbor_message(136, flags, target, from);
  return ethernet_frame(to, from, packet);
}

}  // namespace culvert::test
