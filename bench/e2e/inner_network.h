// InnerNetwork: the network inside the tunnels of a run. It has one IP version, and an address for
// each endpoint. Plain values; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>

#include "proto/address.h"
#include "proto/encapsulation.h"

namespace culvert::bench {

/// An address of either IP version, alone and as that of an interface.
using InnerAddress = std::variant<proto::Ipv6Address, proto::Ipv4Address>;
using InnerPrefix = std::variant<proto::Ipv6Prefix, proto::Ipv4Prefix>;

class InnerNetwork {
 public:
  /// `protocol_type`: proto::kProtocolTypeIpv6 or proto::kProtocolTypeIpv4.
  constexpr explicit InnerNetwork(std::uint16_t protocol_type = proto::kProtocolTypeIpv6) noexcept
      : protocol_type_(protocol_type) {}

  [[nodiscard]] std::uint16_t protocol_type() const noexcept { return protocol_type_; }
  /// The IP protocol of these packets directly in IPv4: 41 (RFC 4213 3.5) or 4 (RFC 2003 3.1).
  [[nodiscard]] std::uint8_t ip_protocol() const noexcept;
  /// The address of endpoint `end`, alone and with its prefix length.
  [[nodiscard]] InnerAddress address(std::size_t end) const;
  [[nodiscard]] InnerPrefix prefix(std::size_t end) const;

 private:
  std::uint16_t protocol_type_;
};

[[nodiscard]] std::string to_text(const InnerPrefix& prefix);

}  // namespace culvert::bench
