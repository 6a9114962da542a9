#include "tools/culvert/show/flow_report.h"

#include <algorithm>

#include "io/netlink/netlink.h"
#include "tools/culvert/show/report_text.h"

namespace culvert::program {
namespace {

/// The name of a protocol, or its number in decimal.
std::string protocol_name(std::uint8_t protocol) {
  switch (protocol) {
    case proto::kProtocolTcp:
      return "tcp";
    case proto::kProtocolUdp:
      return "udp";
    case kProtocolUdpLite:
      return "udplite";
    case kProtocolSctp:
      return "sctp";
    case kProtocolDccp:
      return "dccp";
    case proto::kProtocolIcmp:
      return "icmp";
    case proto::kProtocolIcmpv6:
      return "icmpv6";
    case kFlowFragments:
      return "fragments";
    default:
      return std::to_string(protocol);
  }
}

Json flow_json(const FlowStatus& status) {
  const FlowRecord& flow = status.flow;
  Json json;
  json["protocol"] = protocol_name(flow.key.protocol);
  json["far"] = flow.key.far_text();
  json["near"] = flow.key.near_text();
  if (flow.key.far_port() != 0 || flow.key.near_port() != 0) {
    json["far_port"] = flow.key.far_port();
    json["near_port"] = flow.key.near_port();
  }
  if (const auto identifier = flow.key.identifier()) json["identifier"] = *identifier;
  json["tunnel"] = status.tunnel;
  json["state"] = name_of(flow.tracked.state);
  json["opened"] = flow.tracked.opened == Direction::inbound ? "in" : "out";
  json["age_seconds"] = flow.age.count();
  json["idle_seconds"] = flow.idle.count();
  json["packets"] = flow.packets;
  // The outer addresses and the interface of the first packet. Outbound flows have none.
  if (!flow.pin.local.is_unspecified()) json["local"] = flow.pin.local.to_text();
  if (!flow.pin.remote.is_unspecified()) json["remote"] = flow.pin.remote.to_text();
  if (flow.pin.interface_index != 0)
    json["interface"] = netlink::interface_name(flow.pin.interface_index);
  return json;
}

Json device_json(const DeviceFlows& device) {
  Json json;
  json["name"] = device.device;
  json["pinning"] = device.table.is_pinning ? "on" : "off";
  json["flows"] = device.table.flows;
  json["limit"] = device.table.limit;
  json["created"] = device.table.counts.created;
  json["displaced"] = device.table.counts.displaced;
  json["displaced_established"] = device.table.counts.displaced_established;
  json["flow_table_full"] = device.table.counts.flow_table_full;
  json["list"] = Json::array();
  for (const FlowStatus& flow : device.flows) json["list"].push_back(flow_json(flow));
  return json;
}

// ---- the table ----------------------------------------------------------------------------------
/// An address with its port: "[2001:db8::1]:443", "192.0.2.1:53"; without a port "2001:db8::1".
std::string address_text(const Json& flow, const char* address, const char* port) {
  const std::string text_of = text(flow, address);
  if (!flow.contains(port)) return text_of;
  const bool is_ipv6 = text_of.find(':') != std::string::npos;
  return (is_ipv6 ? "[" + text_of + "]" : text_of) + ":" + std::to_string(count(flow, port));
}

/// A duration like "7 s", "12 min", "3 h" or "2 d", rounded down.
std::string duration(std::uint64_t seconds) {
  if (seconds < 120) return std::to_string(seconds) + " s";
  if (seconds < 7'200) return std::to_string(seconds / 60) + " min";
  if (seconds < 172'800) return std::to_string(seconds / 3'600) + " h";
  return std::to_string(seconds / 86'400) + " d";
}

std::vector<std::string> cells_of(const Json& flow) {
  std::string protocol = text(flow, "protocol");
  if (flow.contains("identifier")) protocol += " " + std::to_string(count(flow, "identifier"));
  return {protocol,
          address_text(flow, "far", "far_port"),
          address_text(flow, "near", "near_port"),
          text(flow, "tunnel"),
          text(flow, "opened"),
          text(flow, "state"),
          duration(count(flow, "age_seconds")),
          duration(count(flow, "idle_seconds")),
          std::to_string(count(flow, "packets"))};
}

/// Rows with columns as wide as their widest cell. Columns from `first_right` on are numbers and
/// aligned to the right.
std::string rows_of(const std::vector<std::vector<std::string>>& rows, std::size_t first_right) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text_of;
  for (const auto& row : rows) {
    std::string line = " ";
    for (std::size_t i = 0; i < row.size(); ++i)
      line += " " + (i < first_right ? left(row[i], widths[i]) : right(row[i], widths[i]));
    text_of += line + "\n";
  }
  return text_of;
}

std::string device_table(const Json& device) {
  const std::string name = "device " + text(device, "name") + ": ";
  if (text(device, "pinning") == "off") return name + "pinning is off, so there is no flow table\n";
  const Json& list = device.at("list");
  const std::uint64_t flows = count(device, "flows");
  std::string table = name + std::to_string(flows) + (flows == 1 ? " flow" : " flows") + " of " +
                      std::to_string(count(device, "limit")) + ", " +
                      std::to_string(count(device, "displaced")) + " displaced, " +
                      std::to_string(count(device, "flow_table_full")) +
                      " packets without a free entry\n";
  if (list.empty()) return table;
  constexpr std::size_t kFirstNumber = 6;
  std::vector<std::vector<std::string>> rows{
      {"protocol", "far", "near", "tunnel", "opened", "state", "age", "idle", "packets"}};
  for (const Json& flow : list) rows.push_back(cells_of(flow));
  table += rows_of(rows, kFirstNumber);
  if (list.size() < flows)
    table += "  and " + std::to_string(flows - list.size()) + " more: --limit shows them\n";
  return table;
}

}  // namespace

std::string flows_json(std::span<const DeviceFlows> devices) {
  Json json;
  json["devices"] = Json::array();
  for (const DeviceFlows& device : devices) json["devices"].push_back(device_json(device));
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<std::string> flows_table(std::string_view json) {
  return table_of(json, device_table, [](const Json&) { return std::string{}; });
}

}  // namespace culvert::program
