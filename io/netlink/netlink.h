// What the kernel is told and asked about devices, addresses and routes (rtnetlink(7), by libnl-3).
// Whatever is added here hangs on a TUN device and goes with it. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "io/result.h"
#include "proto/address.h"

struct nl_sock;
struct nl_msg;

namespace culvert::netlink {

struct NlSocketFree {
  void operator()(nl_sock* socket) const noexcept;
};
using NlSocket = std::unique_ptr<nl_sock, NlSocketFree>;

/// The route that packets to an IPv4 address take.
struct RouteFound {
  bool is_local = false;                      ///< the address is one of this host
  proto::Ipv4Address source;                  ///< the local address that the route uses
  unsigned device_index = 0;                  ///< where it leaves
  std::uint8_t length_bits = 0;               ///< how specific the route is
  std::optional<proto::Ipv4Address> gateway;  ///< nothing: the link itself
};

class Netlink {
 public:
  [[nodiscard]] static Result<Netlink> open();

  /// Before the device is up: no automatic link-local address (ours follows RFC 4213 3.7).
  [[nodiscard]] Result<void> disable_address_generation(unsigned device_index);
  [[nodiscard]] Result<void> set_mtu(unsigned device_index, std::uint16_t mtu_bytes);
  [[nodiscard]] Result<void> set_up(unsigned device_index);
  [[nodiscard]] Result<std::uint16_t> mtu(unsigned device_index);

  /// IPv6 addresses are used at once: on a tunnel nobody else has them, so there is no duplicate
  /// address detection.
  [[nodiscard]] Result<void> add_address(unsigned device_index, const proto::Ipv6Prefix& address);
  [[nodiscard]] Result<void> add_address(unsigned device_index, const proto::Ipv4Prefix& address);

  /// One that is not there is no error, here and below.
  [[nodiscard]] Result<void> remove_address(unsigned device_index,
                                            const proto::Ipv6Prefix& address);
  [[nodiscard]] Result<void> remove_address(unsigned device_index,
                                            const proto::Ipv4Prefix& address);

  /// A route by the device, in the main table. If there is one already the error says where it
  /// leads.
  [[nodiscard]] Result<void> add_route(unsigned device_index, const proto::Ipv6Prefix& route);
  [[nodiscard]] Result<void> add_route(unsigned device_index, const proto::Ipv4Prefix& route);

  [[nodiscard]] Result<void> remove_route(unsigned device_index, const proto::Ipv6Prefix& route);
  [[nodiscard]] Result<void> remove_route(unsigned device_index, const proto::Ipv4Prefix& route);

  /// Nothing: there is no route. `device_index`: only routes by it; 0: any.
  [[nodiscard]] Result<std::optional<RouteFound>> route_to(proto::Ipv4Address address,
                                                           unsigned device_index = 0);

  /// For requests of other files.
  [[nodiscard]] nl_sock* socket() noexcept { return socket_.get(); }

 private:
  explicit Netlink(NlSocket socket) : socket_(std::move(socket)) {}
  NlSocket socket_;
};

/// Tells that links, IPv4 addresses or IPv4 routes have changed, but not how: who waits asks again.
class NetlinkWatch {
 public:
  [[nodiscard]] static Result<NetlinkWatch> open();

  /// Readable: something has changed.
  [[nodiscard]] int fd() const noexcept;
  /// Forgets what was reported so far.
  void drain() noexcept;

 private:
  explicit NetlinkWatch(NlSocket socket) : socket_(std::move(socket)) {}
  NlSocket socket_;
};

/// "eth0"; "interface 7" if it has no name (any more).
[[nodiscard]] std::string interface_name(unsigned index);

}  // namespace culvert::netlink
