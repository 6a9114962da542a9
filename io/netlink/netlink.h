// Netlink: reads and changes devices, addresses and routes by rtnetlink(7), with libnl-3. Every
// address and route that is added here belongs to a TUN device; the kernel removes it together with
// the device. Only unreachable routes belong to none, and stay until they are removed. One thread at
// a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "io/result.h"
#include "proto/address.h"

struct nl_sock;
struct nl_msg;

namespace culvert::netlink {

struct NlSocketFree {
  void operator()(nl_sock* socket) const noexcept;
};
using NlSocket = std::unique_ptr<nl_sock, NlSocketFree>;

/// The kernel's route to an IPv4 address.
struct RouteFound {
  bool is_local = false;                      ///< the address belongs to this host
  proto::Ipv4Address source;                  ///< the preferred source; 0.0.0.0: none
  unsigned device_index = 0;                  ///< the output interface
  std::uint8_t length_bits = 0;               ///< prefix length of the route, 0 to 32
  std::optional<proto::Ipv4Address> gateway;  ///< nullopt: the destination is on-link
};

/// A device as the kernel has it. Each list is sorted.
struct DeviceFound {
  bool is_up = false;  ///< set up by an administrator
  std::vector<proto::Ipv6Prefix> addresses6;
  std::vector<proto::Ipv4Prefix> addresses4;
  /// The unicast routes by the device in all tables but `local`. The routes to the networks of its
  /// addresses, which the kernel makes, are among them.
  std::vector<proto::Ipv6Prefix> routes6;
  std::vector<proto::Ipv4Prefix> routes4;
};

/// The unreachable routes that Netlink::add_unreachable_route() makes. Each list is sorted.
struct UnreachableFound {
  std::vector<proto::Ipv6Prefix> routes6;
  std::vector<proto::Ipv4Prefix> routes4;
};

/// One NETLINK_ROUTE socket. A failed request returns the kernel's errno, the object, and advice if
/// there is a known remedy. Changes need CAP_NET_ADMIN.
class Netlink {
 public:
  [[nodiscard]] static Result<Netlink> open();

  /// Stops the kernel from generating a link-local address: ours follows RFC 4213 3.7. Call it
  /// before the device is up.
  [[nodiscard]] Result<void> disable_address_generation(unsigned device_index);
  [[nodiscard]] Result<void> set_mtu(unsigned device_index, std::uint16_t mtu_bytes);
  [[nodiscard]] Result<void> set_up(unsigned device_index);

  /// Adds an address to a device. EEXIST: the device has it already. An IPv6 address gets
  /// IFA_F_NODAD: no other host on a tunnel can have it, so duplicate address detection would only
  /// delay its use.
  [[nodiscard]] Result<void> add_address(unsigned device_index, const proto::Ipv6Prefix& address);
  [[nodiscard]] Result<void> add_address(unsigned device_index, const proto::Ipv4Prefix& address);

  /// True: packets to this address that arrive by the device are for this host. The kernel makes an
  /// IPv6 address so a little after add_address() has returned, in a thread of its own, and only
  /// while the device is up.
  [[nodiscard]] Result<bool> is_local(unsigned device_index, const proto::Ipv6Address& address);

  /// Removes an address. A missing address or device is not an error, here and in remove_route().
  [[nodiscard]] Result<void> remove_address(unsigned device_index,
                                            const proto::Ipv6Prefix& address);
  [[nodiscard]] Result<void> remove_address(unsigned device_index,
                                            const proto::Ipv4Prefix& address);

  /// Adds a route by the device to the main table. EEXIST: there is a route to exactly this prefix;
  /// the advice names its interface.
  [[nodiscard]] Result<void> add_route(unsigned device_index, const proto::Ipv6Prefix& route);
  [[nodiscard]] Result<void> add_route(unsigned device_index, const proto::Ipv4Prefix& route);

  [[nodiscard]] Result<void> remove_route(unsigned device_index, const proto::Ipv6Prefix& route);
  [[nodiscard]] Result<void> remove_route(unsigned device_index, const proto::Ipv4Prefix& route);

  /// Adds the route to the network of an address of the device again, as the kernel has made it with
  /// the address. It is not an error if the route is there.
  [[nodiscard]] Result<void> add_network_route(unsigned device_index,
                                               const proto::Ipv6Prefix& address);
  [[nodiscard]] Result<void> add_network_route(unsigned device_index,
                                               const proto::Ipv4Prefix& address);

  /// Adds a route to the main table for whose packets the kernel answers with ICMPv6 no route or
  /// ICMPv4 host unreachable. It has the largest metric, so that every other route to the same prefix
  /// wins. It is not an error if the route is there: a process that was killed may have left it.
  [[nodiscard]] Result<void> add_unreachable_route(const proto::Ipv6Prefix& route);
  [[nodiscard]] Result<void> add_unreachable_route(const proto::Ipv4Prefix& route);
  /// Removes such a route. A missing one is not an error.
  [[nodiscard]] Result<void> remove_unreachable_route(const proto::Ipv6Prefix& route);
  [[nodiscard]] Result<void> remove_unreachable_route(const proto::Ipv4Prefix& route);
  /// Some may be missing: see read_device().
  [[nodiscard]] Result<UnreachableFound> read_unreachable_routes();

  /// Reads the addresses of a device and the routes by it. While others change addresses or routes,
  /// some may be missing: the kernel resumes a long list at the wrong place. It marks that for
  /// addresses (NLM_F_DUMP_INTR), which are read again a few times, but not for routes. So before
  /// an object counts as missing, it must be missing in several readings.
  [[nodiscard]] Result<DeviceFound> read_device(unsigned device_index);

  /// Looks up the route to `address`. `device_index`: only routes by this interface; 0: any.
  /// nullopt: there is no route, or it is a prohibit or blackhole route.
  [[nodiscard]] Result<std::optional<RouteFound>> route_to(proto::Ipv4Address address,
                                                           unsigned device_index = 0);

  /// The socket, for requests that other files build. Not null; owned by this object.
  [[nodiscard]] nl_sock* socket() noexcept { return socket_.get(); }

 private:
  explicit Netlink(NlSocket socket) : socket_(std::move(socket)) {}
  NlSocket socket_;
};

/// Reports that links, addresses or IPv4 routes have changed. It does not report the change
/// itself: the caller reads the present state again. On a host with thousands of route changes a second
/// call set_destinations().
class NetlinkWatch {
 public:
  [[nodiscard]] static Result<NetlinkWatch> open();

  /// Reports only changes of routes that can lead to these addresses, from now on.
  void set_destinations(std::span<const proto::Ipv4Address> addresses);

  /// The descriptor is readable after a change.
  [[nodiscard]] int fd() const noexcept;
  /// Discards the events received so far. Does not block.
  void drain() noexcept;

 private:
  explicit NetlinkWatch(NlSocket socket) : socket_(std::move(socket)) {}
  NlSocket socket_;
};

/// The name of an interface, like "eth0"; "interface 7" if there is no interface 7 (any more).
[[nodiscard]] std::string interface_name(unsigned index);

}  // namespace culvert::netlink
