#include "tools/culvert/import/ndppd_keys.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "tools/culvert/config/parse_value.h"

namespace culvert::program {
namespace {

using Into = NdppdTarget;
using Level = NdppdLevel;

// ---- values as ndppd reads them
// -------------------------------------------------------------------
/// 0.2 takes yes and true in any case, and everything else for no; 1.0 also nothing for yes.
bool is_yes(const Into& into, std::string value) {
  std::transform(value.begin(), value.end(), value.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return value == "yes" || value == "true" || (value.empty() && into.dialect == NdppdDialect::v1_0);
}

/// atoi(): the digits in front, whatever follows; 0 if there are none. Saturates.
std::int64_t as_integer(std::string_view text) {
  const bool is_negative = text.starts_with('-');
  if (is_negative || text.starts_with('+')) text.remove_prefix(1);
  std::int64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') break;
    value = std::min<std::int64_t>(value * 10 + (c - '0'), INT32_MAX);
  }
  return is_negative ? -value : value;
}

/// A number into `member`, as far as culvert's range goes. A negative one is ndppd's default.
template <class Member>
Outcome take_number(const std::string& name, const std::string& value, Member& member,
                    std::int64_t least, std::int64_t most) {
  const std::int64_t given = as_integer(value);
  if (given < 0) return differs("a negative number is ndppd's default, so the key is left out");
  const std::int64_t number = std::clamp(given, least, most);
  member = Member(number);
  const std::string text = name + " = " + std::to_string(number);
  if (number != given) {
    return differs(text + ", which is the " + (number == least ? "least" : "most") +
                   " that there is here");
  }
  if (std::to_string(number) != value) return mapped(text + ", as ndppd reads it");
  return mapped(text);
}

// ---- the keys
// ---------------------------------------------------------------------------------------
Outcome take_timeout(const Into& into, const std::string& value) {
  return take_number("probe.timeout", value, into.probe.timeout, kMinNdpTimeout.count(),
                     kMaxNdpTimeout.count());
}
Outcome take_tries(const Into& into, const std::string& value) {
  return take_number("probe.tries", value, into.probe.tries, 1, kMaxNdpTries);
}
Outcome take_alive_ttl(const Into& into, const std::string& value) {
  return take_number("probe.alive_ttl", value, into.probe.alive_ttl, kMinNdpTtl.count(),
                     kMaxNdpTtl.count());
}
Outcome take_dead_ttl(const Into& into, const std::string& value) {
  return take_number("probe.dead_ttl", value, into.probe.dead_ttl, kMinNdpTtl.count(),
                     kMaxNdpTtl.count());
}

Outcome take_router(const Into& into, const std::string& value) {
  into.section->router = is_yes(into, value);
  return mapped(into.section->router ? "router = true" : "router = false");
}

Outcome take_reload_time(const Into&, const std::string&) {
  return differs("is not needed: culvert follows routes and addresses by netlink, at once");
}

Outcome take_keepalive(const Into& into, const std::string& value) {
  if (is_yes(into, value)) {
    return differs(
        "a host is asked again from half of probe.alive_ttl on when somebody asks for "
        "it, and not before");
  }
  return differs("a host that is still asked for is asked again before probe.alive_ttl ends");
}

Outcome take_renew(const Into&, const std::string&) {
  return differs("a host that is still asked for is asked again from half of probe.alive_ttl on");
}

Outcome take_autowire(const Into& into, const std::string& value) {
  if (!is_yes(into, value)) return mapped("no routes are made");
  return unsupported(
      "culvert makes no routes to single hosts: route the prefix to the tunnel's "
      "device");
}

Outcome take_promiscuous(const Into& into, const std::string& value) {
  if (!is_yes(into, value)) return mapped("the interface is not made promiscuous");
  return differs(
      "the interface is not made promiscuous: solicitations are heard by their groups; "
      "give hosts that ask on another interface a section for that one");
}

Outcome take_use_kernel(const Into& into, const std::string& value) {
  if (!is_yes(into, value)) return mapped("culvert answers by itself");
  return differs("culvert answers by itself, and makes no proxy entries of the kernel");
}

Outcome take_target(const Into&, const std::string&) {
  return unsupported("answers have the interface's own link-layer address, always");
}

Outcome take_rewrite(const Into&, const std::string&) {
  return unsupported("targets are not rewritten: give the hosts addresses in the rule's prefix");
}

Outcome take_table(const Into&, const std::string& value) {
  if (as_integer(value) == 254) return mapped("the main table is what the kernel's routes come of");
  return differs(
      "no table is asked: with `auto` the tunnels' prefixes decide, with `probe` the "
      "kernel's own choice of a route");
}

Outcome take_static(const Into& into, const std::string& value) {
  into.rule->answer = NdpAnswer::always;
  const bool is_odd = into.dialect == NdppdDialect::v0_2 && !value.empty();
  return mapped(std::string{"answer = \"static\""} +
                (is_odd ? "; ndppd does not look at its value" : ""));
}
Outcome take_auto(const Into& into, const std::string&) {
  into.rule->answer = NdpAnswer::automatic;
  return differs(
      "answer = \"auto\": answered where the target is behind one of culvert's tunnels "
      "that is up; ndppd asks the host, by the interface of its route. For that, or "
      "for hosts that are behind no tunnel, write \"probe\"");
}
Outcome take_iface(const Into& into, const std::string& value) {
  into.rule->answer = NdpAnswer::probe;
  return differs(
      "answer = \"probe\": the host is asked by ICMPv6 echo request by the kernel's "
      "route, and not by a neighbor solicitation on " +
      printable(value) + "; it has to answer pings, and to be routed there");
}

constexpr auto kOld = NdppdDialect::v0_2;
constexpr auto kNew = NdppdDialect::v1_0;
constexpr auto kKeys = std::to_array<NdppdKey>({
    {"route-ttl", Level::top, kOld, take_reload_time},
    {"address-ttl", Level::top, kOld, take_reload_time},
    {"router", Level::proxy, kOld, take_router},
    {"timeout", Level::proxy, kOld, take_timeout},
    {"ttl", Level::proxy, kOld, take_alive_ttl},
    {"deadtime", Level::proxy, kOld, take_dead_ttl},
    {"retries", Level::proxy, kOld, take_tries},
    {"autowire", Level::proxy, kOld, take_autowire},
    {"keepalive", Level::proxy, kOld, take_keepalive},
    {"promiscuous", Level::proxy, kOld, take_promiscuous},
    {"static", Level::rule, kOld, take_static},
    {"auto", Level::rule, kOld, take_auto},
    {"iface", Level::rule, kOld, take_iface},
    {"autovia", Level::rule, kOld, take_autowire},
    {"valid-ttl", Level::top, kNew, take_alive_ttl},
    {"invalid-ttl", Level::top, kNew, take_dead_ttl},
    {"renew", Level::top, kNew, take_renew},
    {"retrans-limit", Level::top, kNew, take_tries},
    {"retrans-time", Level::top, kNew, take_timeout},
    {"keepalive", Level::top, kNew, take_keepalive},
    {"use-kernel", Level::top, kNew, take_use_kernel},
    {"router", Level::proxy, kNew, take_router},
    {"target", Level::proxy, kNew, take_target},
    {"static", Level::rule, kNew, take_static},
    {"auto", Level::rule, kNew, take_auto},
    {"iface", Level::rule, kNew, take_iface},
    {"autowire", Level::rule, kNew, take_autowire},
    {"table", Level::rule, kNew, take_table},
    {"rewrite", Level::rule, kNew, take_rewrite},
    {"target", Level::rule, kNew, take_target},
});

}  // namespace

std::span<const NdppdKey> ndppd_keys() { return kKeys; }

}  // namespace culvert::program
