#include "tools/culvert/show/ndp_report.h"

#include <algorithm>

#include "tools/culvert/config/ndp_options.h"
#include "tools/culvert/show/report_text.h"

namespace culvert::program {
namespace {

/// The meaning of a reason; empty: only a newer process knows the reason.
std::string_view meaning_of(std::string_view name) {
  const auto found = std::find_if(kNdpIgnored.begin(), kNdpIgnored.end(),
                                  [&](const NdpIgnoredFacts& each) { return each.name == name; });
  return found == kNdpIgnored.end() ? std::string_view{} : found->meaning;
}

std::string link_layer_text(const proto::EthernetAddress& address) {
  std::string text;
  for (const std::uint8_t byte : address.bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    if (!text.empty()) text += ':';
    text += {kDigits[byte >> 4], kDigits[byte & 0xf]};
  }
  return text;
}

/// The source address of the answers; empty: there is none yet, or it is each target itself.
std::string source_text(const NdpStatus& status) {
  const auto source = ndp_source(status.config.source, status.interface, {});
  return source.is_unspecified() ? "" : source.to_text();
}

Json rules_json(const NdpConfig& config) {
  Json rules = Json::array();
  for (const NdpRule& rule : config.rules) {
    Json json;
    json["prefix"] = rule.prefix.to_text();
    json["answer"] = answer_word(rule.answer);
    if (!rule.interfaces.empty()) {
      json["interface"] = rule.interfaces;
      json["wire"] = rule.wire;
    }
    rules.push_back(std::move(json));
  }
  return rules;
}

/// Counters that get a row only if they are not 0.
constexpr std::pair<const char*, const char*> kCounted[] = {
    {"duplicate_answers", "answers to duplicate address detection of the target (RFC 4862 5.4)"},
    {"announcements", "addresses announced to the link (announce)"},
    {"advertisements", "advertisements of other hosts, which are on the link"},
    {"questions", "solicitations sent, to confirm neighbors on the link"},
    {"probes", "tries to reach targets: an echo request and, on a link, a solicitation"},
    {"probes_answered", "targets found alive"},
    {"probes_unanswered", "targets found dead"},
    {"routes_added", "routes to single hosts added (wire)"},
    {"routes_removed", "routes to single hosts removed"},
    {"routes_refused", "routes to single hosts that the kernel refused, or above 1,024"},
    {"receive_queue_full", "dropped by the kernel before culvert received them"},
};

}  // namespace

Json ndp_json(const NdpReport& report) {
  const auto& [status, waits_because] = report;
  const NdpTotals& totals = status.totals;
  Json json;
  json["interface"] = status.config.interface;
  json["state"] = waits_because.empty() ? "serving" : "waiting";
  json["waits_because"] = waits_because;
  json["router"] = status.config.router;
  json["source"] = source_word(status.config.source);
  json["source_address"] = source_text(status);
  json["rules"] = rules_json(status.config);
  json["groups"] = status.groups;
  json["all_multicast"] = status.all_multicast;
  json["membership"] = status.membership;
  json["received"] = totals.received;
  json["answers"] = totals.answers;
  json["duplicate_answers"] = totals.duplicate_answers;
  json["announcements"] = totals.announcements;
  json["advertisements"] = totals.advertisements;
  json["questions"] = totals.questions;
  json["probes"] = totals.probes;
  json["probes_answered"] = totals.probes_answered;
  json["probes_unanswered"] = totals.probes_unanswered;
  json["routes_added"] = totals.routes_added;
  json["routes_removed"] = totals.routes_removed;
  json["routes_refused"] = totals.routes_refused;
  json["receive_queue_full"] = totals.receive_queue_full;
  json["waiting"] = status.waiting;
  json["cache"] = {{"alive", status.alive}, {"dead", status.dead}, {"probing", status.probing}};
  json["on_link"] = status.on_link;
  json["confirmed"] = Json::array();
  for (const NdpNeighbor& each : status.confirmed)
    json["confirmed"].push_back(
        {{"address", each.address.to_text()}, {"lladdr", link_layer_text(each.link_layer)}});
  json["wired"] = Json::array();
  for (const NdpWired& each : status.wired)
    json["wired"].push_back({{"address", each.address.to_text()}, {"interface", each.interface}});
  json["ignored"] = Json::object();
  for (const NdpIgnoredFacts& each : kNdpIgnored) {
    const std::uint64_t times = totals.ignored[static_cast<std::size_t>(each.reason)];
    if (times != 0) json["ignored"][std::string{each.name}] = times;
  }
  return json;
}

std::string ndp_rows(const Json& ndp) {
  const std::string waits = text(ndp, "waits_because");
  std::string rows = "ndp " + text(ndp, "interface") + ": " + text(ndp, "state") +
                     (waits.empty() ? "" : " (" + waits + ")") + "\n";
  for (const Json& rule : ndp.at("rules")) {
    rows += "  rule " + text(rule, "prefix") + " " + text(rule, "answer");
    if (rule.contains("interface"))
      for (const Json& name : rule.at("interface")) rows += " interface " + name.get<std::string>();
    if (rule.value("wire", false)) rows += " wire";
    rows += "\n";
  }
  if (waits.empty()) rows += "  multicast: " + text(ndp, "membership") + "\n";
  const std::string source = text(ndp, "source"), address = text(ndp, "source_address");
  if (waits.empty())
    rows += "  answers from " + (address.empty() ? "the solicited address itself" : address) +
            " (source " + source + ")\n";
  const Json& cache = ndp.at("cache");
  rows += "  knows " + std::to_string(count(ndp, "on_link")) +
          " on the link; probed: " + std::to_string(count(cache, "alive")) + " alive, " +
          std::to_string(count(cache, "dead")) + " dead, " +
          std::to_string(count(cache, "probing")) + " being probed\n";
  for (const Json& each : ndp.at("confirmed"))
    rows += "  left to " + text(each, "address") + " at " + text(each, "lladdr") +
            ", which answers on the link\n";
  for (const Json& each : ndp.at("wired"))
    rows += "  wired " + text(each, "address") + " dev " + text(each, "interface") + "\n";
  rows += counted_row("counted", count(ndp, "received"), "received",
                      "solicitations and advertisements");
  rows +=
      counted_row("counted", count(ndp, "answers"), "answers", "advertisements sent as answers");
  for (const auto& [key, meaning] : kCounted) {
    if (count(ndp, key) != 0) rows += counted_row("counted", count(ndp, key), key, meaning);
  }
  for (const auto& [name, times] : ndp.at("ignored").items()) {
    rows += counted_row("ignored", times.get<std::uint64_t>(), name, meaning_of(name));
  }
  return rows;
}

}  // namespace culvert::program
