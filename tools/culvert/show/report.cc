#include "tools/culvert/show/report.h"

#include <algorithm>
#include <utility>

#include "engine/model/quoted.h"
#include "tools/culvert/show/ndp_report.h"
#include "tools/culvert/show/report_text.h"

namespace culvert::program {
namespace {

std::string dump(const Json& json) {
  // Names can have any bytes. Invalid UTF-8 is replaced.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Unexpected<Error> unreadable(std::string_view why) {
  return Unexpected{Error{.code = 0,
                          .operation = "read",
                          .object = "the answer of the running process",
                          .advice = printable(why, 300)}};
}

Json drops_of(const Totals& totals) {
  Json drops = Json::object();
  for (const DropReasonFacts& each : kDropReasons) {
    const std::uint64_t count = totals.drops[static_cast<std::size_t>(each.reason)];
    if (count != 0) drops[std::string{each.name}] = count;
  }
  return drops;
}

void add_rare_counters(Json& json, const Totals& totals) {
  for (const RareCounterFacts& each : kRareCounters)
    json[std::string{each.name}] = totals.*each.total;
}

Json prefixes_of(const TunnelConfig& tunnel) {
  Json prefixes = Json::array();
  for (const auto& prefix : tunnel.prefixes6) prefixes.push_back(prefix.to_text());
  for (const auto& prefix : tunnel.prefixes4) prefixes.push_back(prefix.to_text());
  return prefixes;
}

Json tunnel_json(const TunnelStatus& tunnel) {
  const Totals& totals = tunnel.totals;
  Json json;
  json["name"] = tunnel.config.name;
  json["mode"] = encapsulation_name(tunnel.config.mode);
  json["local"] = tunnel.local.is_unspecified() ? "any" : tunnel.local.to_text();
  json["remote"] = tunnel.config.remote.to_text();
  json["mtu"] = tunnel.mtu_bytes;
  json["in_packets"] = totals.in_packets;
  json["in_bytes"] = totals.in_bytes;
  json["out_packets"] = totals.out_packets;
  json["out_bytes"] = totals.out_bytes;
  json["drops"] = drops_of(totals);
  json["send"] = tunnel.send;
  json["send_reason"] = tunnel.send_reason;
  json["in_received"] = totals.in_received;
  json["out_received"] = totals.out_received;
  json["in_held"] = totals.held(Direction::inbound);
  json["out_held"] = totals.held(Direction::outbound);
  add_rare_counters(json, totals);
  json["up"] = tunnel.config.up;
  json["prefixes"] = prefixes_of(tunnel.config);
  json["fragments"] = tunnel.fragments;
  return json;
}

Json device_json(const DeviceReport& device) {
  Json json;
  json["name"] = device.device;
  json["mtu"] = device.mtu_bytes;
  json["io"] = device.io;
  json["io_reason"] = device.io_reason;
  json["receive"] = device.receive;
  json["receive_reason"] = device.receive_reason;
  json["offload"] = device.offload;
  json["offload_reason"] = device.offload_reason;
  json["workers"] = device.workers;
  json["in_received"] = device.totals.in_received;
  json["out_received"] = device.totals.out_received;
  json["drops"] = drops_of(device.totals);
  json["receive_queue_full"] = device.receive_queue_full;
  add_rare_counters(json, device.totals);
  if (device.flows.is_pinning) {
    json["flows"] = device.flows.flows;
    json["flows_limit"] = device.flows.limit;
  }
  json["tunnels"] = Json::array();
  for (const TunnelStatus& tunnel : device.tunnels) json["tunnels"].push_back(tunnel_json(tunnel));
  json["warnings"] = device.warnings;
  return json;
}

// ---- the table ----------------------------------------------------------------------------------
/// The direction and meaning of a reason; null: only a newer process knows the reason.
const DropReasonFacts* find_reason(std::string_view name) {
  const auto found = std::find_if(kDropReasons.begin(), kDropReasons.end(),
                                  [&](const DropReasonFacts& each) { return each.name == name; });
  return found == kDropReasons.end() ? nullptr : &*found;
}

std::uint64_t dropped(const Json& drops, Direction direction) {
  std::uint64_t sum = 0;
  for (const auto& [name, packets] : drops.items()) {
    const DropReasonFacts* reason = find_reason(name);
    if (reason != nullptr && reason->direction == direction) sum += packets.get<std::uint64_t>();
  }
  return sum;
}

constexpr std::size_t kCountWidth = 16;
constexpr std::size_t kLongestWarning = 1'000;  ///< characters

std::string direction_row(const Json& tunnel, const std::string& name, Direction direction) {
  std::string row = "    " + left(name, 5);
  for (const std::uint64_t value :
       {count(tunnel, (name + "_packets").c_str()), count(tunnel, (name + "_bytes").c_str()),
        dropped(tunnel.at("drops"), direction), count(tunnel, (name + "_held").c_str())}) {
    row += right(std::to_string(value), kCountWidth);
  }
  return row + "\n";
}

/// One line for each reason: its count, name and meaning.
std::string drop_rows(const Json& drops) {
  std::string rows;
  for (const auto& [name, packets] : drops.items()) {
    const DropReasonFacts* reason = find_reason(name);
    rows += counted_row("dropped", packets.get<std::uint64_t>(), name,
                        reason ? reason->meaning : std::string_view{});
  }
  return rows;
}

/// The counters of a tunnel, or of no tunnel, that are not 0. Those of a newer process are left out.
std::string event_rows(const Json& counters) {
  std::string rows;
  for (const RareCounterFacts& each : kRareCounters) {
    const std::uint64_t value = counters.value(std::string{each.name}, std::uint64_t{0});
    if (value != 0) rows += counted_row("counted", value, std::string{each.name}, each.meaning);
  }
  return rows;
}

std::string with_reason(const std::string& choice, const std::string& reason) {
  return reason.empty() ? choice : choice + " (" + reason + ")";
}

/// "prefix A, B, C, D and 7 more"; empty: there is no prefix.
std::string prefix_row(const Json& tunnel) {
  constexpr std::size_t kMost = 4;  // --json has all
  const Json prefixes = tunnel.value("prefixes", Json::array());
  if (prefixes.empty()) return "";
  std::vector<std::string> words;
  for (const Json& prefix : prefixes) words.push_back(printable(prefix.get<std::string>()));
  return "\n    prefix " + shortened(words, kMost);
}

/// " (packets of that size leave as 2 fragments)"; empty: they leave whole.
std::string fragments_note(const Json& tunnel) {
  const std::uint64_t fragments = tunnel.value("fragments", std::uint64_t{1});
  if (fragments < 2) return "";
  return " (packets of that size leave as " + std::to_string(fragments) + " fragments)";
}

std::string tunnel_rows(const Json& tunnel) {
  std::string rows{"  tunnel "};
  rows += text(tunnel, "name") + ": " + text(tunnel, "mode") + " " + text(tunnel, "local") +
          " -> " + text(tunnel, "remote") + ", mtu " + std::to_string(count(tunnel, "mtu")) +
          fragments_note(tunnel) + (tunnel.value("up", true) ? "" : ", down") + prefix_row(tunnel) +
          "\n    send " + with_reason(text(tunnel, "send"), text(tunnel, "send_reason")) +
          "\n    " + left("", 5);
  for (const char* title : {"packets", "bytes", "dropped", "held"})
    rows += right(title, kCountWidth);
  rows += "\n" + direction_row(tunnel, "in", Direction::inbound) +
          direction_row(tunnel, "out", Direction::outbound);
  return rows + drop_rows(tunnel.at("drops")) + event_rows(tunnel);
}

std::string device_rows(const Json& device) {
  const std::uint64_t workers = count(device, "workers");
  std::string rows = "device " + text(device, "name") + ": mtu " +
                     std::to_string(count(device, "mtu")) + ", " + std::to_string(workers) +
                     (workers == 1 ? " worker" : " workers") + "\n  io " +
                     with_reason(text(device, "io"), text(device, "io_reason")) + "\n  receive " +
                     with_reason(text(device, "receive"), text(device, "receive_reason")) + "\n";
  if (device.value("offload", "on") == "off")
    rows += "  offload " + with_reason("off", text(device, "offload_reason")) + "\n";
  if (device.contains("flows")) {
    rows += "  flows " + std::to_string(count(device, "flows")) + " of " +
            std::to_string(count(device, "flows_limit")) + "\n";
  }
  for (const Json& warning : device.value("warnings", Json::array()))
    rows += "  warning: " + printable(warning.get<std::string>(), kLongestWarning) + "\n";
  for (const Json& tunnel : device.at("tunnels")) rows += tunnel_rows(tunnel);
  const std::uint64_t lost = count(device, "receive_queue_full");
  const Json& drops = device.at("drops");
  const std::string events = event_rows(device);
  if (!drops.empty() || !events.empty() || lost != 0)
    rows += "  of no tunnel\n" + drop_rows(drops) + events;
  if (lost != 0) {
    rows += counted_row("dropped", lost, "receive_queue_full",
                        "dropped by the kernel before culvert received them: it is too slow");
  }
  return rows;
}

/// Whether `list` is an array of objects that each have a string member `name`.
bool is_list_of(const Json& list, const char* name) {
  return list.is_array() && std::all_of(list.begin(), list.end(), [&](const Json& each) {
           return each.is_object() && each.contains(name) && each[name].is_string();
         });
}

/// Parses one answer. The result has `devices` and `ndp`, each possibly empty.
Result<Json> parse_report(std::string_view answer) {
  Json json = Json::parse(answer, nullptr, false);
  if (json.is_object() && json.contains("error")) {
    return unreadable(json["error"].is_string() ? text(json, "error") : "is an error");
  }
  if (!json.is_object() || !json.contains("devices") || !json["devices"].is_array()) {
    return unreadable("is not a report: the process runs another version of culvert");
  }
  if (!json.contains("ndp")) json["ndp"] = Json::array();
  if (!is_list_of(json["devices"], "name") || !is_list_of(json["ndp"], "interface")) {
    return unreadable("names no device: the process runs another version of culvert");
  }
  return json;
}

/// Moves the elements whose `key` is `name` (empty: all elements) to the end of `to`.
void move_named(std::vector<Json>& to, Json& list, const char* key, std::string_view name) {
  for (Json& each : list) {
    if (name.empty() || text(each, key) == name) to.push_back(std::move(each));
  }
}

void sort_by(std::vector<Json>& list, const char* key) {
  std::stable_sort(list.begin(), list.end(),
                   [&](const Json& a, const Json& b) { return text(a, key) < text(b, key); });
}

}  // namespace

std::string report_json(std::span<const DeviceReport> devices, std::span<const NdpReport> ndp) {
  Json json;
  json["devices"] = Json::array();
  for (const DeviceReport& device : devices) json["devices"].push_back(device_json(device));
  for (const NdpReport& each : ndp) json["ndp"].push_back(ndp_json(each));
  return dump(json);
}

Result<std::string> merge_reports(std::span<const std::string> answers, std::string_view name) {
  std::vector<Json> devices, ndp;
  for (const std::string& answer : answers) {
    auto report = parse_report(answer);
    if (!report) return Unexpected{report.error()};
    move_named(devices, (*report)["devices"], "name", name);
    move_named(ndp, (*report)["ndp"], "interface", name);
  }
  sort_by(devices, "name");
  sort_by(ndp, "interface");
  Json merged;
  merged["devices"] = devices;
  if (!ndp.empty()) merged["ndp"] = ndp;
  return dump(merged);
}

Result<std::string> table_of(std::string_view json, Rows rows_of_device, Rows rows_of_ndp) {
  const auto report = parse_report(json);
  if (!report) return Unexpected{report.error()};
  try {
    std::string table;
    for (const Json& device : report->at("devices")) table += rows_of_device(device);
    for (const Json& ndp : report->at("ndp")) table += rows_of_ndp(ndp);
    return table;
  } catch (const Json::exception&) {
    return unreadable("lacks fields: the process runs another version of culvert");
  }
}

Result<std::string> report_table(std::string_view json) {
  return table_of(json, device_rows, ndp_rows);
}

}  // namespace culvert::program
