#include "engine/config.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "engine/model/config_conflict.h"
#include "engine/model/device_name.h"
#include "engine/model/encapsulation_names.h"
#include "engine/model/quoted.h"
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
  const bool has_ipv6 = must_carry_ipv6(config);
  const std::uint16_t smallest = has_ipv6 ? proto::kIpv6MinimumMtu : proto::kIpv4MinimumMtu;
  if (*config.mtu >= smallest && *config.mtu <= largest) return {};
  const bool is_small = *config.mtu < smallest;
  const bool may_be_smaller = is_small && carries(tunnel.mode, proto::kProtocolTypeIpv4);
  return refuse(
      "mtu " + std::to_string(*config.mtu),
      "must be from " + std::to_string(smallest) +
          (has_ipv6 ? " (RFC 8200 5: every IPv6 link carries that) to "
                    : " (RFC 791 3.2: every IPv4 link carries that) to ") +
          std::to_string(largest) + " (the outer packet has at most 65535 bytes)" +
          (may_be_smaller ? "; less needs a device with IPv4 addresses, prefixes or routes "
                            "and none of IPv6"
                          : ""));
}

Result<void> check_endpoints(const TunnelConfig& tunnel) {
  if (tunnel.remote.is_fixed()) {
    const auto& remote = tunnel.remote.address();
    const std::string word = "remote " + remote.to_text();
    if (remote.is_multicast())
      return refuse(word,
                    "is a multicast address: write the unicast address of the remote endpoint");
    if (remote.is_reserved()) return refuse(word, "is a reserved or broadcast address");
    if (remote.host() >> 24 == 0)
      return refuse(
          word,
          "is in 0.0.0.0/8, whose addresses are no destinations (RFC 1122 3.2.1.3): write "
          "the address of the remote endpoint, or 'any'");
    if (remote.is_loopback() && !(tunnel.local && tunnel.local->is_loopback()))
      return refuse(word,
                    "is a loopback address: write the address of the remote endpoint, or for two "
                    "tunnel endpoints on this host a loopback address as local too");
  }
  if (!tunnel.local) return {};
  const auto& local = *tunnel.local;
  if (local.is_unspecified() || local.is_multicast() || local.is_reserved()) {
    return refuse("local " + local.to_text(),
                  "is no address that this host can have; give one of its own, or 'any'");
  }
  if (tunnel.remote == local)
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

/// `remote any`: the outer source does not identify the tunnel, so the local address or a key must.
Result<void> check_remote_any(const Config& config, const TunnelConfig& tunnel) {
  if (!tunnel.remote.is_any()) return {};
  const auto has_key = dispatch(tunnel.mode, [](auto encapsulation, const auto& parameters) {
    return encapsulation.key_in(parameters).has_value();
  });
  if (!tunnel.local && !has_key)
    return refuse(
        "remote any",
        "needs local, or a key: otherwise it would match the packets of all tunnels to this "
        "host");
  const auto is_ordered = dispatch(tunnel.mode, [](auto encapsulation, const auto& parameters) {
    return encapsulation.sends_sequence(parameters) || encapsulation.wants_sequence(parameters);
  });
  if (is_ordered)
    return refuse("seq",
                  "numbers the packets between two endpoints, and with remote any there are more");
  if (!config.pinning)
    return refuse(
        "remote any",
        "needs pinning, which is off: packets are sent only to the outer source of a flow");
  return {};
}

template <class Prefix>
Result<void> check_host_bits(const char* word, const std::vector<Prefix>& prefixes) {
  for (const Prefix& prefix : prefixes) {
    if (!prefix.has_host_bits()) continue;
    return refuse(word + (" " + prefix.to_text()),
                  "has bits set behind its length; write " + prefix.network().to_text());
  }
  return {};
}

/// One IP version: its prefixes need a mode that carries its protocol type.
template <class Prefix>
Result<void> check_carried(const Parameters& mode, std::uint16_t protocol_type,
                           const std::vector<Prefix>& prefixes,
                           const std::optional<std::vector<Prefix>>& accept) {
  const bool has_prefix = !prefixes.empty(), has_accept = accept && !accept->empty();
  if (carries(mode, protocol_type) || (!has_prefix && !has_accept)) return {};
  const Prefix& prefix = has_prefix ? prefixes.front() : accept->front();
  return refuse((has_prefix ? "prefix " : "accept ") + prefix.to_text(),
                "is " + std::string{ip_version_name(protocol_type)} + ", which " +
                    std::string{encapsulation_name(mode)} + " does not carry; " +
                    alternatives(encapsulations_that_carry(protocol_type)) + " does");
}

Result<void> check_prefixes(const TunnelConfig& tunnel) {
  auto checked =
      check_carried(tunnel.mode, proto::kProtocolTypeIpv6, tunnel.prefixes6, tunnel.accept6);
  if (checked)
    checked =
        check_carried(tunnel.mode, proto::kProtocolTypeIpv4, tunnel.prefixes4, tunnel.accept4);
  if (!checked) return checked;
  if (tunnel.weight == std::uint16_t{0})
    return refuse("weight 0", "would take no flow; say 1 to 65535, or up = false");
  checked = check_host_bits("prefix", tunnel.prefixes6);
  if (checked) checked = check_host_bits("prefix", tunnel.prefixes4);
  if (checked && tunnel.accept6) checked = check_host_bits("accept", *tunnel.accept6);
  if (checked && tunnel.accept4) checked = check_host_bits("accept", *tunnel.accept4);
  return checked;
}

Result<void> check_tunnel(const Config& config, const TunnelConfig& tunnel) {
  auto checked = check_endpoints(tunnel);
  if (checked) checked = check_remote_any(config, tunnel);
  if (checked) checked = check_outer_fields(tunnel);
  if (checked) checked = check_mtu(config, tunnel);
  if (checked) checked = check_prefixes(tunnel);
  if (checked || config.tunnels.size() == 1) return checked;
  Error error = checked.error();
  error.object = tunnel.name + ", " + error.object;
  return Unexpected{std::move(error)};
}

Result<void> check_conflicts(const std::vector<TunnelConfig>& tunnels) {
  const auto conflict = find_conflict(tunnels);
  if (!conflict) return {};
  std::string object = tunnels.size() > 1 ? tunnels[conflict->second].name + ", " : "";
  object += std::string{conflict->word} + (conflict->value.empty() ? "" : " " + conflict->value);
  return refuse(std::move(object), conflict->problem + ": " + conflict->advice);
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
  if (config.min_pmtu && *config.min_pmtu < proto::kIpv4MinimumMtu) {
    return refuse(
        "min_pmtu " + std::to_string(*config.min_pmtu),
        "must be at least " + std::to_string(proto::kIpv4MinimumMtu) + " bytes (RFC 791 3.2)");
  }
  if (config.tunnels.empty()) return refuse("device " + config.device, "has no tunnel");
  if (config.tunnels.size() > kMaxTunnels) {
    return refuse("device " + config.device, "has " + std::to_string(config.tunnels.size()) +
                                                 " tunnels; a device carries at most " +
                                                 std::to_string(kMaxTunnels));
  }
  for (const TunnelConfig& tunnel : config.tunnels) {
    if (auto checked = check_tunnel(config, tunnel); !checked) return checked;
  }
  return check_conflicts(config.tunnels);
}

bool has_ipv6_prefix(const std::vector<TunnelConfig>& tunnels) noexcept {
  return std::any_of(tunnels.begin(), tunnels.end(),
                     [](const TunnelConfig& tunnel) { return !tunnel.prefixes6.empty(); });
}

bool has_ipv4_prefix(const std::vector<TunnelConfig>& tunnels) noexcept {
  return std::any_of(tunnels.begin(), tunnels.end(),
                     [](const TunnelConfig& tunnel) { return !tunnel.prefixes4.empty(); });
}

bool must_carry_ipv6(const Config& config) {
  return std::any_of(config.tunnels.begin(), config.tunnels.end(), [&](const TunnelConfig& tunnel) {
    if (!carries(tunnel.mode, proto::kProtocolTypeIpv6)) return false;
    return config.needs_ipv6 || tunnel.expects_ipv6() ||
           !carries(tunnel.mode, proto::kProtocolTypeIpv4);
  });
}

PathKey path_key(const TunnelConfig& tunnel) {
  return {.remote = tunnel.remote, .local = tunnel.local, .dev = tunnel.dev};
}

std::optional<std::string_view> find_fixed_change(const Config& open, unsigned workers,
                                                  const Config& next) noexcept {
  const bool has_same_workers = next.workers == open.workers || next.workers == workers;
  const std::pair<bool, std::string_view> fixed[] = {
      {next.device == open.device, "device"},
      {has_same_workers, "workers"},
      {next.io == open.io, "io"},
      {next.receive == open.receive, "receive"},
      {next.send == open.send, "send"},
      {next.offload == open.offload, "offload"},
      {next.busy_poll == open.busy_poll, "busy_poll"},
      {next.pinning == open.pinning, "pinning"},
      {next.flows == open.flows, "flows"}};
  for (const auto& [is_same, word] : fixed)
    if (!is_same) return word;
  return std::nullopt;
}

}  // namespace culvert
