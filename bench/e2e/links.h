// Creates and configures network devices (rtnetlink, with libnl-3). One thread.
#pragma once

#include <cstdint>
#include <string>

#include "bench/e2e/namespace.h"
#include "io/next_hop.h"
#include "io/result.h"
#include "proto/address.h"

namespace culvert::bench {

/// Creates a veth pair: a device `name` in each namespace.
[[nodiscard]] Result<void> add_veth(const std::string& name, const Namespace& a,
                                    const Namespace& b);

enum class KernelTunnel : std::uint8_t { vxlan, sit, ipip, gre };

struct TunnelEndpoints {
  proto::Ipv4Address local;
  proto::Ipv4Address remote;
};

/// Creates a kernel tunnel over the device `wire` of the calling thread's namespace. Fails with
/// EOPNOTSUPP if the kernel does not have this kind.
[[nodiscard]] Result<void> add_kernel_tunnel(KernelTunnel kind, const std::string& name,
                                             const std::string& wire, const TunnelEndpoints& ends);

/// The link-layer address of a device of the calling thread's namespace.
[[nodiscard]] Result<io::EthernetAddress> link_address(const std::string& device);

/// Sets MTU and address of a device of the calling thread's namespace and brings it up.
[[nodiscard]] Result<void> bring_up(const std::string& device, std::uint16_t mtu_bytes,
                                    const proto::Ipv6Prefix& address);
[[nodiscard]] Result<void> bring_up(const std::string& device, std::uint16_t mtu_bytes,
                                    const proto::Ipv4Prefix& address);
/// The same without an address. MTU 0: the MTU stays unchanged.
[[nodiscard]] Result<void> bring_up(const std::string& device, std::uint16_t mtu_bytes = 0);

/// Whether the calling thread's namespace has the device, and the device is up.
[[nodiscard]] bool is_up(const std::string& device);

/// Takes a device down. It keeps its addresses.
[[nodiscard]] Result<void> bring_down(const std::string& device);

}  // namespace culvert::bench
