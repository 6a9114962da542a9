#include "engine/config.h"

#include "engine/clash.h"
#include "engine/interface_name.h"
#include "proto/ipv4.h"
#include "proto/ipv6.h"

namespace culvert {
namespace {

Unexpected<Error> refuse(std::string object, std::string advice) {
  return Unexpected{Error{.code = 0,
                          .operation = "configure",
                          .object = std::move(object),
                          .advice = std::move(advice)}};
}

Result<void> check_mtu(const Config& config, const TunnelConfig& tunnel) {
  if (!config.mtu) return {};
  const auto overhead = dispatch(tunnel.mode, [](auto encapsulation, const auto& parameters) {
    return proto::kIpv4HeaderBytes + encapsulation.overhead_bytes(parameters);
  });
  const std::size_t largest = 65'535 - overhead;
  if (*config.mtu >= proto::kIpv6MinimumMtu && *config.mtu <= largest) return {};
  return refuse("mtu " + std::to_string(*config.mtu),
                "must be from 1280 (RFC 8200 5: every IPv6 link carries that) to " +
                    std::to_string(largest) + " (the outer packet has at most 65535 bytes)");
}

Result<void> check_endpoints(const TunnelConfig& tunnel) {
  const auto& remote = tunnel.remote;
  const std::string word = "remote " + remote.to_text();
  if (remote.is_unspecified())
    return refuse(word, "a tunnel needs the IPv4 address of its other end");
  if (remote.is_multicast())
    return refuse(word, "is a multicast address; a tunnel has one other end");
  if (remote.is_reserved()) return refuse(word, "is a reserved or broadcast address");
  if (!tunnel.local) return {};
  const auto& local = *tunnel.local;
  if (local.is_unspecified() || local.is_multicast() || local.is_reserved()) {
    return refuse("local " + local.to_text(),
                  "is no address that this host can have; give one of its own, or 'any'");
  }
  if (local == remote)
    return refuse("local " + local.to_text(),
                  "is the same as remote: the tunnel would end in itself");
  return {};
}

Result<void> check_outer_fields(const TunnelConfig& tunnel) {
  if (tunnel.ttl == std::uint8_t{0})
    return refuse("ttl 0", "outer packets would not leave this host; say 1 to 255, or 'inherit'");
  if (tunnel.tos && (*tunnel.tos & 3) != 0) {
    return refuse("tos " + std::to_string(*tunnel.tos),
                  "its two low bits are the ECN field, which the tunnel sets by itself (RFC 6040): "
                  "use a multiple of 4");
  }
  return {};
}

Result<void> check_clashes(const std::vector<TunnelConfig>& tunnels) {
  const auto clash = find_clash(tunnels);
  if (!clash) return {};
  std::string object = tunnels.size() > 1 ? tunnels[clash->second].name + ", " : "";
  object += std::string{clash->word} + (clash->value.empty() ? "" : " " + clash->value);
  return refuse(std::move(object), clash->what + ": " + clash->advice);
}

}  // namespace

Result<void> validate(const Config& config) {
  if (auto name = check_interface_name("device", config.device); !name) return name;
  if (config.workers == 0 || config.workers > kMaxWorkers) {
    return refuse("workers " + std::to_string(config.workers),
                  "must be from 1 to " + std::to_string(kMaxWorkers));
  }
  if (config.busy_poll.count() < 0 || config.busy_poll > kMaxBusyPoll) {
    return refuse("busy_poll " + std::to_string(config.busy_poll.count()),
                  "must be from 0 to " + std::to_string(kMaxBusyPoll.count()) + " microseconds");
  }
  if (config.tunnels.empty()) return refuse("device " + config.device, "has no tunnel");
  if (config.tunnels.size() > kMaxTunnels) {
    return refuse("device " + config.device,
                  "has " + std::to_string(config.tunnels.size()) +
                      " tunnels; a device carries one: give each its own device");
  }
  for (const TunnelConfig& tunnel : config.tunnels) {
    if (auto endpoints = check_endpoints(tunnel); !endpoints) return endpoints;
    if (auto fields = check_outer_fields(tunnel); !fields) return fields;
    if (auto mtu = check_mtu(config, tunnel); !mtu) return mtu;
  }
  return check_clashes(config.tunnels);
}

}  // namespace culvert
