// The words and options of a device, for the option table.
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

Check set_address(const Target& target, const RawValue& given) {
  const auto address = parse_address(given.text);
  if (!address) return refuse(address.error());
  return address->is_ipv6 ? append(target.device.addresses6, address->ipv6)
                          : append(target.device.addresses4, address->ipv4);
}

Check set_route(const Target& target, const RawValue& given) {
  const auto route = parse_route(given.text);
  if (!route) return refuse(route.error());
  return route->is_ipv6 ? append(target.device.routes6, route->ipv6)
                        : append(target.device.routes4, route->ipv4);
}

Check set_routed(const Target& target, const RawValue& given) {
  const auto prefix = parse_route(given.text);
  if (!prefix) return refuse(prefix.error());
  if ((prefix->is_ipv6 ? prefix->ipv6.length_bits : prefix->ipv4.length_bits) == 0)
    return refuse(
        "is everything: write the prefix that the remote endpoint routes into the tunnel");
  return prefix->is_ipv6 ? append(target.device.routed6, prefix->ipv6)
                         : append(target.device.routed4, prefix->ipv4);
}

/// The exact range depends on the mode; validate() checks it.
Check set_mtu(const Target& target, const RawValue& given) {
  return store(parse_number(given.text, 1, 65'535), target.device.config.mtu);
}

Check set_min_pmtu(const Target& target, const RawValue& given) {
  return store(parse_number(given.text, proto::kIpv4MinimumMtu, 65'535),
               target.device.config.min_pmtu);
}

Check set_workers(const Target& target, const RawValue& given) {
  return store(parse_number(given.text, 1, kMaxWorkers), target.device.config.workers);
}

Check set_io(const Target& target, const RawValue& given) {
  return choose(
      given,
      {{"auto", IoChoice::automatic}, {"uring", IoChoice::uring}, {"epoll", IoChoice::epoll}},
      target.device.config.io);
}

Check set_receive(const Target& target, const RawValue& given) {
  return choose(given,
                {{"auto", ReceiveChoice::automatic},
                 {"packet", ReceiveChoice::packet},
                 {"raw", ReceiveChoice::raw}},
                target.device.config.receive);
}

Check set_send(const Target& target, const RawValue& given) {
  return choose(
      given,
      {{"auto", SendChoice::automatic}, {"raw", SendChoice::raw}, {"packet", SendChoice::packet}},
      target.device.config.send);
}

Check set_offload(const Target& target, const RawValue& given) {
  return choose(given, {{"auto", true}, {"off", false}}, target.device.config.offload);
}

Check set_busy_poll(const Target& target, const RawValue& given) {
  const auto limit = parse_number(given.text, 0, static_cast<std::uint32_t>(kMaxBusyPoll.count()));
  if (!limit) return refuse(limit.error());
  target.device.config.busy_poll = std::chrono::microseconds{*limit};
  return {};
}

Check set_flows(const Target& target, const RawValue& given) {
  return store(parse_number(given.text, kMinFlows, kMaxFlows), target.device.config.flows);
}

Check set_pinning(const Target& target, const RawValue& given) {
  return choose(given, {{"on", true}, {"off", false}}, target.device.config.pinning);
}

Check set_forwarding(const Target& target, const RawValue& given) {
  return store(parse_flag(given.text), target.device.forwarding);
}

constexpr auto kWords = std::to_array<Option>({
    {"mtu", "", Scope::device, Kind::value, "N",
     "MTU of the device; default: the MTU that fits the route to remote", set_mtu},
    {"min_pmtu", "min-pmtu", Scope::device, Kind::value, "N",
     "smallest path MTU that ICMPv4 errors can set, 68 to 65535; default: that of the host, "
     "net.ipv4.route.min_pmtu",
     set_min_pmtu},
    {"address", "", Scope::device, Kind::list, "A/LENGTH",
     "IPv6 or IPv4 address of the device; may be repeated", set_address},
    {"route", "", Scope::device, Kind::list, "P/LENGTH",
     "kernel route by the device; may be repeated", set_route},
    {"routed", "", Scope::device, Kind::list, "P/LENGTH",
     "prefix that the remote endpoint routes into the tunnel: the kernel answers with unreachable "
     "for what no other route leads to; may be repeated",
     set_routed},
    {"forwarding", "", Scope::device, Kind::flag, "",
     "let the kernel forward between the device and the interfaces of the default routes and of "
     "[ndp] while culvert runs",
     set_forwarding},
    {"workers", "", Scope::device, Kind::option, "N",
     "number of threads that forward packets, 1 (default) to 64; each flow stays with one",
     set_workers},
    {"io", "", Scope::device, Kind::option, "auto|uring|epoll",
     "how workers wait for packets; auto (default): io_uring, or epoll if the kernel refuses it",
     set_io},
    {"busy_poll", "", Scope::device, Kind::option, "USEC",
     "microseconds that an idle worker spins at most before it sleeps, 0 (default) to 100000; 0: "
     "up to 50, and only if an answer is probably imminent",
     set_busy_poll},
    {"receive", "", Scope::device, Kind::option, "auto|packet|raw",
     "how outer packets are received; auto (default): packet, or raw if the kernel refuses it; "
     "packet: packet sockets, which bypass the firewall's INPUT; raw: raw sockets, behind the "
     "firewall",
     set_receive},
    {"send", "", Scope::device, Kind::option, "auto|raw|packet",
     "how outer packets are sent; auto (default): packet, unless that bypasses a firewall, an "
     "IPsec policy or a routing rule; packet: Ethernet frames to the next hop, which bypass the "
     "firewall's OUTPUT; raw: raw sockets and the kernel's route",
     set_send},
    {"offload", "", Scope::device, Kind::option, "auto|off",
     "super-packets between the TUN device and culvert; auto (default): used, unless the kernel "
     "refuses them; off: none in either direction, whatever coalesce states",
     set_offload},
    {"pinning", "", Scope::device, Kind::option, "on|off",
     "on (default): replies leave by the tunnel by which the flow came in; off: prefix, metric and "
     "weight alone select the tunnel",
     set_pinning},
    {"flows", "", Scope::device, Kind::option, "N",
     "size of the flow table in flows, 1024 to 16777216; default 65536; 65 bytes each", set_flows},
});

}  // namespace

std::span<const Option> device_words() { return kWords; }

}  // namespace culvert::program
