// Finds rules of this host's firewall that break a tunnel although everything is configured: a forward
// hook that drops by policy, as Docker sets it, and a masquerade that rewrites outer packets. One
// thread.
#pragma once

#include <string>
#include <vector>

#include "engine/host/device_settings.h"
#include "io/netlink/netlink.h"

namespace culvert::host {

/// One sentence with its remedy for each such part of nftables; rules of iptables-nft are among them,
/// those of legacy iptables are not read. Empty: nothing is known.
/// - A chain on the forward hook drops by policy, and no rule of its table names the device. Only if
///   the kernel forwards for the device: it has `forwarding`, or its tunnels have prefixes.
/// - A rule on postrouting masquerades, and `local` of a tunnel is not the address that the kernel's
///   route to `remote` has, so it is rewritten. Not with SendChoice::packet, which bypasses the rule.
[[nodiscard]] std::vector<std::string> firewall_warnings(netlink::Netlink& netlink,
                                                         const DeviceSettings& settings);

}  // namespace culvert::host
