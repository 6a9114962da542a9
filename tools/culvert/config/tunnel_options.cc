// The words of a tunnel, for the option table.
#include "tools/culvert/config/option_lists.h"

#include <array>
#include <utility>

#include "tools/culvert/config/encapsulation_options.h"
#include "tools/culvert/config/parse_value.h"
#include "tools/culvert/config/setters.h"

namespace culvert::program {
namespace {

using Scope = Option::Scope;
using Kind = Option::Kind;

Unexpected<std::string> refuse(std::string why) { return {std::move(why)}; }

Check set_name(const Target& target, const RawValue& given) {
  if (given.text.empty()) return refuse("is empty: write a name, or leave out the key");
  target.tunnel.config.name = given.text;
  return {};
}

Check set_remote(const Target& target, const RawValue& given) {
  target.tunnel.has_remote = true;
  if (given.text == "any") return target.tunnel.config.remote = {}, Check{};
  return store(parse_endpoint(given.text), target.tunnel.config.remote);
}

Check set_local(const Target& target, const RawValue& given) {
  if (given.text == "any") return target.tunnel.config.local.reset(), Check{};
  const auto address = parse_endpoint(given.text);
  if (!address) return refuse(address.error() + "; or write any");
  if (address->is_unspecified()) return target.tunnel.config.local.reset(), Check{};
  target.tunnel.config.local = *address;
  return {};
}

/// A duplicate prefix is found after all words are set (engine/model/config_conflict.h).
Check set_prefix(const Target& target, const RawValue& given) {
  const auto prefix = parse_route(given.text);
  if (!prefix) return refuse(prefix.error());
  TunnelConfig& tunnel = target.tunnel.config;
  if (std::exchange(target.tunnel.has_old_prefixes, false)) {
    tunnel.prefixes6.clear();
    tunnel.prefixes4.clear();
  }
  prefix->is_ipv6 ? tunnel.prefixes6.push_back(prefix->ipv6)
                  : tunnel.prefixes4.push_back(prefix->ipv4);
  return {};
}

/// The list is complete: if it has no IPv4 prefix, the tunnel may bring in no IPv4 source.
Check set_accept(const Target& target, const RawValue& given) {
  const auto prefix = parse_route(given.text);
  if (!prefix) return refuse(prefix.error());
  TunnelConfig& tunnel = target.tunnel.config;
  const bool is_first = !tunnel.accept6 || std::exchange(target.tunnel.has_old_accept, false);
  if (is_first) tunnel.accept6.emplace(), tunnel.accept4.emplace();
  prefix->is_ipv6 ? tunnel.accept6->push_back(prefix->ipv6)
                  : tunnel.accept4->push_back(prefix->ipv4);
  return {};
}

Check set_metric(const Target& target, const RawValue& given) {
  return store(parse_number(given.text, 0, 0xffff'ffff), target.tunnel.config.metric);
}

Check set_weight(const Target& target, const RawValue& given) {
  return store(parse_number(given.text, 1, 65'535), target.tunnel.config.weight);
}

Check set_ttl(const Target& target, const RawValue& given) {
  if (given.text == "inherit") return target.tunnel.config.ttl.reset(), Check{};
  const auto ttl = parse_number(given.text, 0, 255);
  if (!ttl) return refuse(ttl.error() + ", or inherit");
  // 0 means inherit, as for `ip`.
  if (*ttl == 0) return target.tunnel.config.ttl.reset(), Check{};
  target.tunnel.config.ttl = static_cast<std::uint8_t>(*ttl);
  return {};
}

Check set_tos(const Target& target, const RawValue& given) {
  if (given.text == "inherit") return target.tunnel.config.tos.reset(), Check{};
  return store(parse_tos(given.text, given.is_number), target.tunnel.config.tos);
}

Check set_ecn(const Target& target, const RawValue& given) {
  auto& ecn = target.tunnel.config.ecn;
  if (given.text == "normal") return ecn = proto::EcnMode::normal, Check{};
  if (given.text == "compatibility") return ecn = proto::EcnMode::compatibility, Check{};
  return refuse("must be normal or compatibility (RFC 6040 4.1)");
}

Check set_dev(const Target& target, const RawValue& given) {
  return store(parse_interface(given.text), target.tunnel.config.dev);
}

template <bool TunnelConfig::*kMember>
Check set_flag(const Target& target, const RawValue& given) {
  return store(parse_flag(given.text), target.tunnel.config.*kMember);
}

constexpr Option kName{
    "name",
    "",
    Scope::tunnel,
    Kind::key,
    "NAME",
    "name of the tunnel for `show` and `tunnel`; default of a device's only tunnel: the device's "
    "name",
    set_name};

/// The words between `mode` and those of the encapsulations' options.
constexpr auto kWords = std::to_array<Option>({
    {"remote", "", Scope::tunnel, Kind::value, "A|any",
     "IPv4 address of the remote endpoint; any: accept every sender, and send only replies",
     set_remote},
    {"local", "", Scope::tunnel, Kind::value, "A|any",
     "IPv4 address of the local endpoint; any (default): the source of the route to remote",
     set_local},
    {"prefix", "", Scope::tunnel, Kind::list, "P/LENGTH",
     "inner prefix behind the tunnel; may be repeated; default of the only tunnel: every packet",
     set_prefix},
    {"accept", "", Scope::tunnel, Kind::list, "P/LENGTH",
     "inner source prefix that the tunnel may bring in; may be repeated; default: its prefixes",
     set_accept},
    {"metric", "", Scope::tunnel, Kind::value, "N",
     "of tunnels with the same prefix, new flows use the lowest metric that is up; default 0",
     set_metric},
    {"weight", "", Scope::tunnel, Kind::value, "N",
     "share of new flows among tunnels with the same prefix and metric, 1 (default) to 65535",
     set_weight},
    {"up", "", Scope::tunnel, Kind::flag, "",
     "the tunnel carries packets (default); down: it carries none, and its flows move",
     set_flag<&TunnelConfig::up>},
    {"ttl", "hoplimit", Scope::tunnel, Kind::value, "N|inherit",
     "TTL of the outer header; inherit (default, or 0): hop limit or TTL of the inner packet",
     set_ttl},
    {"tos", "dsfield", Scope::tunnel, Kind::value, "N|inherit",
     "DSCP bits of the outer header, 0 (default) to 0xfc; inherit: those of the inner header",
     set_tos},
    {"ecn", "", Scope::tunnel, Kind::value, "normal|compatibility",
     "ECN bits of the outer header (RFC 6040 4.1); normal (default): those of the inner header; "
     "compatibility: for a remote endpoint that ignores them",
     set_ecn},
});

/// The words behind those of the encapsulations' options.
constexpr auto kLastWords = std::to_array<Option>({
    {"pmtudisc", "", Scope::tunnel, Kind::flag, "",
     "the tunnel MTU follows the path MTU, DF is set (default); nopmtudisc: the tunnel MTU is the "
     "device's MTU, DF is never set",
     set_flag<&TunnelConfig::pmtudisc>},
    {"mssclamp", "", Scope::tunnel, Kind::flag, "",
     "lower the TCP MSS to what fits the tunnel MTU, in both directions (default)",
     set_flag<&TunnelConfig::mssclamp>},
    {"coalesce", "", Scope::tunnel, Kind::flag, "",
     "join received segments of one flow to a super-packet (GRO; default)",
     set_flag<&TunnelConfig::coalesce>},
    {"dev", "", Scope::tunnel, Kind::value, "IF", "send and receive by this interface only",
     set_dev},
});

}  // namespace

std::span<const Option> tunnel_words() {
  static const std::vector<Option> all = [] {
    std::vector<Option> words{kName, mode_word()};
    words.insert(words.end(), kWords.begin(), kWords.end());
    const std::vector<Option> parameters = parameter_words();
    words.insert(words.end(), parameters.begin(), parameters.end());
    words.insert(words.end(), kLastWords.begin(), kLastWords.end());
    return words;
  }();
  return all;
}

}  // namespace culvert::program
