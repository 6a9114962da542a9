// The words of one tunnel.
#include "tools/culvert/config/option_lists.h"

#include <array>
#include <utility>

#include "tools/culvert/config/parse_value.h"
#include "tools/culvert/config/setters.h"

namespace culvert::program {
namespace {

using Scope = Option::Scope;
using Kind = Option::Kind;

Unexpected<std::string> refuse(std::string why) { return {std::move(why)}; }

Check set_name(const Target& target, const RawValue& given) {
  if (given.text.empty()) return refuse("is empty: give the tunnel a name, or leave the key out");
  target.tunnel.config.name = given.text;
  return {};
}

Check set_mode(const Target& target, const RawValue& given) {
  // `ip tunnel` knows these two names as well.
  const std::string_view name = given.text == "ipv6/ip"  ? "sit"
                                : given.text == "gre/ip" ? "gre"
                                                         : std::string_view{given.text};
  std::string known;
  for_each_encapsulation([&](auto encapsulation) {
    using E = decltype(encapsulation);
    if (name == E::kName) target.tunnel.mode = typename E::Parameters{};
    known += (known.empty() ? "" : " or ") + std::string{E::kName};
  });
  if (!target.tunnel.mode) return refuse("is no mode of culvert: write " + known);
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

/// That a prefix is given twice is found when all are there (engine/model/config_conflict.h).
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

/// The list is all that the tunnel may bring in: without an IPv4 prefix no IPv4 at all.
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
  // As for `ip`: 0 is another word for inherit.
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

/// One or both directions of a GRE key or flag.
template <auto kMember, auto... kMembers>
Check set_gre(const Target& target, const RawValue& given) {
  auto& gre = target.tunnel.gre;
  const auto value = [&] {
    if constexpr (std::is_same_v<decltype(kMember), bool proto::Gre::Parameters::*>) {
      return parse_flag(given.text);
    } else {
      return parse_key(given.text);
    }
  }();
  if (!value) return refuse(value.error());
  gre.*kMember = *value;
  ((gre.*kMembers = *value), ...);
  return {};
}
using Gre = proto::Gre::Parameters;

constexpr auto kWords = std::to_array<Option>({

    {"name", "", Scope::tunnel, Kind::key, "NAME",
     "what `show` calls the tunnel; of one tunnel alone by default the device's name", "",
     set_name},
    {"mode", "type", Scope::tunnel, Kind::value, "sit|gre",
     "sit: IPv6 in IPv4, protocol 41 (RFC 4213); gre: IPv6 and IPv4 in GRE (RFC 2784)", "",
     set_mode},
    {"remote", "", Scope::tunnel, Kind::value, "A|any",
     "IPv4 address of the other end; any: whoever sends, and only answers go out", "", set_remote},
    {"local", "", Scope::tunnel, Kind::value, "A|any",
     "IPv4 address of this end; any (default): the one that the route to remote uses", "",
     set_local},
    {"prefix", "", Scope::tunnel, Kind::list, "P/LENGTH",
     "what is behind the tunnel; may be repeated; left out: everything, of one tunnel alone", "",
     set_prefix},
    {"accept", "", Scope::tunnel, Kind::list, "P/LENGTH",
     "inner sources that the tunnel may bring in; may be repeated; left out: those of its prefixes",
     "", set_accept},
    {"metric", "", Scope::tunnel, Kind::value, "N",
     "of several tunnels with one prefix, new flows go by the lowest that is up; 0 if left out", "",
     set_metric},
    {"weight", "", Scope::tunnel, Kind::value, "N",
     "of several with one prefix and one metric, each gets its share of new flows, 1 to 65535", "",
     set_weight},
    {"up", "", Scope::tunnel, Kind::flag, "",
     "the tunnel may carry packets (default); down: it does not, and its flows move", "",
     set_flag<&TunnelConfig::up>},
    {"ttl", "hoplimit", Scope::tunnel, Kind::value, "N|inherit",
     "TTL of outer packets; inherit (default, or 0): that of the inner packet", "", set_ttl},
    {"tos", "dsfield", Scope::tunnel, Kind::value, "N|inherit",
     "DSCP bits of outer packets, 0 (default) to 0xfc; inherit: those of the inner packet", "",
     set_tos},
    {"ecn", "", Scope::tunnel, Kind::value, "normal|compatibility",
     "ECN bits of outer packets (RFC 6040 4.1); compatibility: for a far end that ignores them", "",
     set_ecn},
    {"key", "", Scope::tunnel, Kind::value, "K",
     "GRE key both ways, a number or a dotted quad (RFC 2890)", "gre",
     set_gre<&Gre::ikey, &Gre::okey>},
    {"ikey", "", Scope::tunnel, Kind::value, "K", "GRE key of received packets", "gre",
     set_gre<&Gre::ikey>},
    {"okey", "", Scope::tunnel, Kind::value, "K", "GRE key of sent packets", "gre",
     set_gre<&Gre::okey>},
    {"csum", "", Scope::tunnel, Kind::flag, "",
     "GRE checksum both ways; one that is there is always verified", "gre",
     set_gre<&Gre::icsum, &Gre::ocsum>},
    {"icsum", "", Scope::tunnel, Kind::flag, "", "received packets must have a GRE checksum", "gre",
     set_gre<&Gre::icsum>},
    {"ocsum", "", Scope::tunnel, Kind::flag, "", "sent packets have a GRE checksum", "gre",
     set_gre<&Gre::ocsum>},
    {"seq", "", Scope::tunnel, Kind::flag, "", "GRE sequence numbers both ways (RFC 2890)", "gre",
     set_gre<&Gre::iseq, &Gre::oseq>},
    {"iseq", "", Scope::tunnel, Kind::flag, "",
     "received packets must have a sequence number, and not an old one", "gre",
     set_gre<&Gre::iseq>},
    {"oseq", "", Scope::tunnel, Kind::flag, "", "sent packets have a sequence number", "gre",
     set_gre<&Gre::oseq>},
    {"pmtudisc", "", Scope::tunnel, Kind::flag, "",
     "tunnel MTU follows the path, DF set (default); nopmtudisc: it is fixed, DF never set", "",
     set_flag<&TunnelConfig::pmtudisc>},
    {"mssclamp", "", Scope::tunnel, Kind::flag, "",
     "lower the TCP MSS to what fits the tunnel, both ways (default)", "",
     set_flag<&TunnelConfig::mssclamp>},
    {"coalesce", "", Scope::tunnel, Kind::flag, "",
     "pass received segments of one flow on as one large packet (default)", "",
     set_flag<&TunnelConfig::coalesce>},
    {"dev", "", Scope::tunnel, Kind::value, "IF", "send and receive by this interface only", "",
     set_dev},
});

}  // namespace

std::span<const Option> tunnel_words() { return kWords; }

}  // namespace culvert::program
