#include "tools/culvert/import/ndppd_keys.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "tools/culvert/config/parse_value.h"

namespace culvert::program {
namespace {

using Into = NdppdTarget;
using Level = NdppdLevel;

// ---- values as ndppd reads them -----------------------------------------------------------------
/// A boolean. 0.2 reads yes and true, in upper or lower case, as yes, and every other value as no.
/// 1.0 reads a missing value as yes too.
bool is_yes(const Into& into, std::string value) {
  std::transform(value.begin(), value.end(), value.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return value == "yes" || value == "true" || (value.empty() && into.dialect == NdppdDialect::v1_0);
}

/// Whether ndppd reads the value as a boolean without guessing. 1.0 refuses any other value.
bool is_boolean(const Into& into, const std::string& value) {
  return is_yes(into, value) || value == "no" || value == "false";
}

/// A number as atoi() reads it: the leading digits; 0 if there are none. Saturates.
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

/// Stores a number in `member`, limited to culvert's range. A negative number means ndppd's
/// default.
template <class Member>
Outcome map_number(const std::string& name, const std::string& value, Member& member,
                   std::int64_t least, std::int64_t most) {
  const std::int64_t given = as_integer(value);
  if (given < 0) return differs("a negative number is ndppd's default, so the key is left out");
  const std::int64_t number = std::clamp(given, least, most);
  member = Member(number);
  const std::string text = name + " = " + std::to_string(number);
  if (number != given) {
    return differs(text + ", which is culvert's " + (number == least ? "minimum" : "maximum"));
  }
  if (std::to_string(number) != value) return mapped(text + ", as ndppd reads it");
  return mapped(text);
}

// ---- the keys -----------------------------------------------------------------------------------
Outcome map_timeout(const Into& into, const std::string& value) {
  return map_number("probe.timeout", value, into.probe.timeout, kMinNdpTimeout.count(),
                    kMaxNdpTimeout.count());
}
Outcome map_tries(const Into& into, const std::string& value) {
  return map_number("probe.tries", value, into.probe.tries, 1, kMaxNdpTries);
}
Outcome map_alive_ttl(const Into& into, const std::string& value) {
  return map_number("probe.alive_ttl", value, into.probe.alive_ttl, kMinNdpTtl.count(),
                    kMaxNdpTtl.count());
}
Outcome map_dead_ttl(const Into& into, const std::string& value) {
  return map_number("probe.dead_ttl", value, into.probe.dead_ttl, kMinNdpTtl.count(),
                    kMaxNdpTtl.count());
}

Outcome map_router(const Into& into, const std::string& value) {
  if (is_yes(into, value)) return into.section->router = true, mapped("router = true");
  if (!is_boolean(into, value) && into.dialect == NdppdDialect::v1_0)
    return unsupported("router = true; ndppd 1.0 refuses this value: write yes or no");
  into.section->router = false;
  if (is_boolean(into, value)) return mapped("router = false");
  return mapped("router = false, because ndppd 0.2 reads only yes and true as yes");
}

Outcome map_reload_time(const Into&, const std::string&) {
  return differs("is not needed: culvert follows changes of routes and addresses by netlink");
}

Outcome map_keepalive(const Into& into, const std::string& value) {
  if (is_yes(into, value)) {
    return differs(
        "culvert probes a host again only if it is solicited in the second half of "
        "probe.alive_ttl");
  }
  return differs(
      "culvert probes a host again if it is solicited in the second half of probe.alive_ttl");
}

Outcome map_renew(const Into&, const std::string&) {
  return differs(
      "culvert probes a host again if it is solicited in the second half of probe.alive_ttl");
}

/// The importer sets `wire` of the rules with `iface`, since the key may stand before `iface`, and in
/// 0.2 before the rules.
Outcome map_autowire(const Into& into, const std::string& value) {
  *into.wires = is_yes(into, value);
  if (!*into.wires) return mapped("wire = false");
  return mapped("wire = true in rules with iface");
}

Outcome map_autovia(const Into& into, const std::string& value) {
  if (!is_yes(into, value)) return mapped("routes to single hosts have no next hop");
  return differs(
      "culvert's routes to single hosts (wire = true) have no next hop: the host itself must "
      "answer on the interface");
}

Outcome map_promiscuous(const Into& into, const std::string& value) {
  if (!is_yes(into, value)) return mapped("culvert does not make the interface promiscuous");
  return differs(
      "culvert does not make the interface promiscuous, but receives its multicast: for "
      "solicitations on another interface add a section for that interface");
}

Outcome map_use_kernel(const Into& into, const std::string& value) {
  if (!is_yes(into, value)) return mapped("culvert itself answers");
  return differs("culvert itself answers, and adds no proxy entries to the kernel");
}

Outcome map_target(const Into&, const std::string&) {
  return unsupported("answers always have the interface's own link-layer address");
}

Outcome map_rewrite(const Into&, const std::string&) {
  return unsupported(
      "culvert does not rewrite targets: give the hosts addresses in the rule's prefix");
}

Outcome map_table(const Into&, const std::string& value) {
  if (as_integer(value) == 254)
    return mapped("culvert uses the kernel's routes, which are in the main table");
  return differs(
      "culvert reads no routing table: `auto` uses the tunnels' prefixes, `probe` the "
      "kernel's route");
}

/// The remark about the value of a key that has none; empty: it has no value. In 0.2 the next key
/// in the same line is the value.
std::string describe_ignored(const Into& into, const std::string& value) {
  if (into.dialect != NdppdDialect::v0_2 || value.empty()) return "";
  const auto keys = ndppd_keys();
  const bool is_key = std::any_of(keys.begin(), keys.end(),
                                  [&](const NdppdKey& each) { return each.name == value; });
  return is_key ? "; ndppd ignores the value " + quoted(value) +
                      ": if a key is meant, write it in a line of its own"
                : "; ndppd ignores the value";
}

Outcome map_static(const Into& into, const std::string& value) {
  into.rule->answer = NdpAnswer::always;
  const std::string difference =
      into.dialect == NdppdDialect::v0_2
          ? "culvert also answers duplicate address detection, which ndppd 0.2 never does"
          : "culvert's answers have the Override flag clear, but ndppd 1.0 sets it";
  return differs("answer = \"static\": " + difference + describe_ignored(into, value));
}
Outcome map_auto(const Into& into, const std::string& value) {
  into.rule->answer = NdpAnswer::automatic;
  return differs(
      "answer = \"auto\": culvert too goes by the kernel's route, without its default routes, but "
      "answers at once; ndppd first solicits the host on the interface of that route. To have the "
      "host asked, write \"probe\"" +
      describe_ignored(into, value));
}
Outcome map_iface(const Into& into, const std::string& value) {
  into.rule->answer = NdpAnswer::probe;
  if (value == into.section->interface) {
    return unsupported(
        "answer = \"probe\": this is the interface that asks, where hosts answer for themselves: "
        "name the interface behind which the hosts are");
  }
  into.rule->interfaces = {value};
  return differs("answer = \"probe\", interface = \"" + printable(value) +
                 "\": culvert sends an ICMPv6 echo request too, and believes either answer");
}

constexpr auto kOld = NdppdDialect::v0_2;
constexpr auto kNew = NdppdDialect::v1_0;
constexpr auto kKeys = std::to_array<NdppdKey>({
    {"route-ttl", Level::top, kOld, map_reload_time},
    {"address-ttl", Level::top, kOld, map_reload_time},
    {"router", Level::proxy, kOld, map_router},
    {"timeout", Level::proxy, kOld, map_timeout},
    {"ttl", Level::proxy, kOld, map_alive_ttl},
    {"deadtime", Level::proxy, kOld, map_dead_ttl},
    {"retries", Level::proxy, kOld, map_tries},
    {"autowire", Level::proxy, kOld, map_autowire},
    {"keepalive", Level::proxy, kOld, map_keepalive},
    {"promiscuous", Level::proxy, kOld, map_promiscuous},
    {"static", Level::rule, kOld, map_static},
    {"auto", Level::rule, kOld, map_auto},
    {"iface", Level::rule, kOld, map_iface},
    {"autovia", Level::rule, kOld, map_autovia},
    {"valid-ttl", Level::top, kNew, map_alive_ttl},
    {"invalid-ttl", Level::top, kNew, map_dead_ttl},
    {"renew", Level::top, kNew, map_renew},
    {"retrans-limit", Level::top, kNew, map_tries},
    {"retrans-time", Level::top, kNew, map_timeout},
    {"keepalive", Level::top, kNew, map_keepalive},
    {"use-kernel", Level::top, kNew, map_use_kernel},
    {"router", Level::proxy, kNew, map_router},
    {"target", Level::proxy, kNew, map_target},
    {"static", Level::rule, kNew, map_static},
    {"auto", Level::rule, kNew, map_auto},
    {"iface", Level::rule, kNew, map_iface},
    {"autowire", Level::rule, kNew, map_autowire},
    {"table", Level::rule, kNew, map_table},
    {"rewrite", Level::rule, kNew, map_rewrite},
    {"target", Level::rule, kNew, map_target},
});

}  // namespace

std::span<const NdppdKey> ndppd_keys() { return kKeys; }

}  // namespace culvert::program
