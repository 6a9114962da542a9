// OuterClaim: which outer packets belong to a tunnel. A plain value; any thread.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/config.h"
#include "engine/model/encapsulations.h"
#include "engine/model/remote_rule.h"
#include "proto/address.h"

namespace culvert {

/// The key of TunnelTable (tunnel_table.h).
struct OuterClaim {
  std::uint8_t ip_protocol = 0;
  std::optional<std::uint32_t> key{};  ///< nullopt: packets without a key
  RemoteRule remote{};
  proto::Ipv4Address local{};  ///< 0.0.0.0: any

  friend auto operator<=>(const OuterClaim&, const OuterClaim&) = default;
};

/// Calls `each(claim)` for each IP protocol of the tunnel.
template <class Each>
void for_each_outer_claim(const TunnelConfig& tunnel, Each each) {
  const auto key = dispatch(tunnel.mode, [](auto encapsulation, const auto& parameters) {
    return std::optional<std::uint32_t>{encapsulation.key_in(parameters)};
  });
  for_each_demux_rule(tunnel.mode, [&](const proto::DemuxRule& rule) {
    each(OuterClaim{.ip_protocol = rule.ip_protocol,
                    .key = key,
                    .remote = tunnel.remote,
                    .local = tunnel.local.value_or(proto::Ipv4Address{})});
  });
}

}  // namespace culvert
