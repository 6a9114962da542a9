#include "engine/control/words.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "engine/control/store.h"
#include "engine/control/values.h"

namespace culvert::control {
namespace {

using Scope = Word::Scope;
using Kind = Word::Kind;

Unexpected<std::string> refuse(std::string why) { return {std::move(why)}; }

// ---- the device ---------------------------------------------------------------------------------
Check set_address(const Target& target, const Given& given) {
  const auto address = parse_address(given.text);
  if (!address) return refuse(address.error());
  return address->is_ipv6 ? append(target.device.addresses6, address->ipv6)
                          : append(target.device.addresses4, address->ipv4);
}

Check set_route(const Target& target, const Given& given) {
  const auto route = parse_route(given.text);
  if (!route) return refuse(route.error());
  return route->is_ipv6 ? append(target.device.routes6, route->ipv6)
                        : append(target.device.routes4, route->ipv4);
}

/// The range that makes sense depends on the mode: validate() checks it.
Check set_mtu(const Target& target, const Given& given) {
  return store(parse_number(given.text, 1, 65'535), target.device.config.mtu);
}

Check set_workers(const Target& target, const Given& given) {
  return store(parse_number(given.text, 1, kMaxWorkers), target.device.config.workers);
}

Check set_io(const Target& target, const Given& given) {
  return choose(
      given,
      {{"auto", IoChoice::automatic}, {"uring", IoChoice::uring}, {"epoll", IoChoice::epoll}},
      target.device.config.io);
}

Check set_receive(const Target& target, const Given& given) {
  return choose(given,
                {{"auto", ReceiveChoice::automatic},
                 {"packet", ReceiveChoice::packet},
                 {"raw", ReceiveChoice::raw}},
                target.device.config.receive);
}

Check set_send(const Target& target, const Given& given) {
  return choose(
      given,
      {{"auto", SendChoice::automatic}, {"raw", SendChoice::raw}, {"packet", SendChoice::packet}},
      target.device.config.send);
}

Check set_busy_poll(const Target& target, const Given& given) {
  const auto limit = parse_number(given.text, 0, static_cast<std::uint32_t>(kMaxBusyPoll.count()));
  if (!limit) return refuse(limit.error());
  target.device.config.busy_poll = std::chrono::microseconds{*limit};
  return {};
}

// ---- the tunnel ---------------------------------------------------------------------------------
Check set_name(const Target& target, const Given& given) {
  if (given.text.empty()) return refuse("is empty: give the tunnel a name, or leave the key out");
  target.tunnel.config.name = given.text;
  return {};
}

Check set_mode(const Target& target, const Given& given) {
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

Check set_remote(const Target& target, const Given& given) {
  if (given.text == "any") {
    return refuse("is not supported: write the IPv4 address of the other end");
  }
  target.tunnel.has_remote = true;
  return store(parse_endpoint(given.text), target.tunnel.config.remote);
}

Check set_local(const Target& target, const Given& given) {
  if (given.text == "any") return target.tunnel.config.local.reset(), Check{};
  const auto address = parse_endpoint(given.text);
  if (!address) return refuse(address.error() + "; or write any");
  if (address->is_unspecified()) return target.tunnel.config.local.reset(), Check{};
  target.tunnel.config.local = *address;
  return {};
}

Check set_ttl(const Target& target, const Given& given) {
  if (given.text == "inherit") return target.tunnel.config.ttl.reset(), Check{};
  const auto ttl = parse_number(given.text, 0, 255);
  if (!ttl) return refuse(ttl.error() + ", or inherit");
  // As for `ip`: 0 is another word for inherit.
  if (*ttl == 0) return target.tunnel.config.ttl.reset(), Check{};
  target.tunnel.config.ttl = static_cast<std::uint8_t>(*ttl);
  return {};
}

Check set_tos(const Target& target, const Given& given) {
  if (given.text == "inherit") return target.tunnel.config.tos.reset(), Check{};
  return store(parse_tos(given.text, given.is_number), target.tunnel.config.tos);
}

Check set_ecn(const Target& target, const Given& given) {
  auto& ecn = target.tunnel.config.ecn;
  if (given.text == "normal") return ecn = proto::EcnMode::normal, Check{};
  if (given.text == "compatibility") return ecn = proto::EcnMode::compatibility, Check{};
  return refuse("must be normal or compatibility (RFC 6040 4.1)");
}

Check set_dev(const Target& target, const Given& given) {
  return store(parse_interface(given.text), target.tunnel.config.dev);
}

template <bool TunnelConfig::*kMember>
Check set_flag(const Target& target, const Given& given) {
  return store(parse_flag(given.text), target.tunnel.config.*kMember);
}

/// One or both directions of a GRE key or flag.
template <auto kMember, auto... kMembers>
Check set_gre(const Target& target, const Given& given) {
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

constexpr auto kWords = std::to_array<Word>({
    {"name", "", Scope::tunnel, Kind::key, "NAME",
     "what `show` calls the tunnel; the device's name if it is left out", "", set_name},
    {"mode", "type", Scope::tunnel, Kind::value, "sit|gre",
     "sit: IPv6 in IPv4, protocol 41 (RFC 4213); gre: IPv6 and IPv4 in GRE (RFC 2784)", "",
     set_mode},
    {"remote", "", Scope::tunnel, Kind::value, "A", "IPv4 address of the other end", "",
     set_remote},
    {"local", "", Scope::tunnel, Kind::value, "A|any",
     "IPv4 address of this end; any (default): the one that the route to remote uses", "",
     set_local},
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
    {"mtu", "", Scope::device, Kind::value, "N",
     "MTU of the device; left out: what fits the route to remote", "", set_mtu},
    {"address", "", Scope::device, Kind::list, "A/LENGTH",
     "an IPv6 or IPv4 address of the device; may be repeated", "", set_address},
    {"route", "", Scope::device, Kind::list, "P/LENGTH",
     "a prefix that is reached by the device; may be repeated", "", set_route},
    {"workers", "", Scope::device, Kind::option, "N",
     "threads that forward, 1 (default) to 64; each flow stays with one", "", set_workers},
    {"io", "", Scope::device, Kind::option, "auto|uring|epoll",
     "how workers wait; auto (default): io_uring, or epoll where it is forbidden", "", set_io},
    {"busy_poll", "", Scope::device, Kind::option, "USEC",
     "spin that long before a worker sleeps, if the last wait was shorter; 0 (default): never", "",
     set_busy_poll},
    {"receive", "", Scope::device, Kind::option, "auto|packet|raw",
     "packet: packet sockets, before the firewall; raw: raw sockets, behind it", "", set_receive},
    {"send", "", Scope::device, Kind::option, "auto|raw|packet",
     "packet: frames to the next hop, past the firewall's output; raw: by the kernel's route; auto "
     "(default): packet where there is no such firewall",
     "", set_send},
});

/// Insertions, deletions, substitutions and swaps of neighbours that make `a` into `b`.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  std::iota(above.begin(), above.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1])});
      const bool is_swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (is_swap) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, above);
    std::swap(above, row);
  }
  return above[b.size()];
}

}  // namespace

std::span<const Word> words() { return kWords; }

const Word* find_word(std::string_view name) {
  if (name.empty()) return nullptr;
  const auto* word = std::find_if(kWords.begin(), kWords.end(), [&](const Word& candidate) {
    return candidate.name == name || candidate.alias == name;
  });
  return word == kWords.end() ? nullptr : word;
}

std::string option_name(std::string_view word) {
  std::string name = "--" + std::string{word};
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

std::string_view nearest(std::string_view name, std::span<const std::string_view> candidates) {
  constexpr std::size_t kLongestBytes = 32;  // longer input is not a misspelling
  if (name.size() > kLongestBytes) return {};
  std::string_view best;
  std::size_t best_distance = name.size() < 4 ? 2 : 3;  // one edit of a short word, two of a long
  for (const std::string_view candidate : candidates) {
    const std::size_t distance = edit_distance(name, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace culvert::control
