#include "tools/culvert/daemon/requests.h"

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <utility>

#include "tools/culvert/config/parse_value.h"

namespace culvert::program {
namespace {

using Json = nlohmann::ordered_json;

std::string dump(const Json& json) {
  // Sentences quote arguments, which can have any bytes. Invalid UTF-8 is replaced.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string refusal(const Error& error) {
  return dump(Json{{"error", error.message()}, {"code", error.code}});
}
std::string refusal(std::string sentence) {
  return dump(Json{{"error", std::move(sentence)}, {"code", 0}});
}
std::string done(std::string_view text) { return dump(Json{{"done", text}}); }

/// A member that is a string; empty: it is missing or has another type.
std::string text(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

std::string answer_show(const Json& json, const RequestHandlers& handlers) {
  auto devices = handlers.devices();
  std::vector<NdpReport> ndp = handlers.ndp();
  if (const std::string name = text(json, "tunnel"); !name.empty()) {
    ndp.clear();
    for (DeviceReport& device : devices) {
      std::erase_if(device.tunnels,
                    [&](const TunnelStatus& tunnel) { return tunnel.config.name != name; });
    }
    std::erase_if(devices, [](const DeviceReport& device) { return device.tunnels.empty(); });
  }
  return report_json(devices, ndp);
}

std::string answer_devices(const Json&, const RequestHandlers& handlers) {
  Json names = Json::array();
  for (const DeviceReport& device : handlers.devices()) names.push_back(device.device);
  return dump(Json{{"names", names}});
}

std::string answer_claims(const Json&, const RequestHandlers& handlers) {
  return claims_json(handlers.claims());
}

std::string answer_check_receivers(const Json&, const RequestHandlers& handlers) {
  handlers.check_receivers();
  return done("");
}

std::string answer_reload(const Json&, const RequestHandlers& handlers) {
  const auto changed = handlers.reload();
  return changed ? done(*changed) : refusal(changed.error());
}

std::string answer_tunnel(const Json& json, const RequestHandlers& handlers) {
  TunnelCommand command{.action = text(json, "action"),
                        .device = text(json, "device"),
                        .tunnel = text(json, "tunnel"),
                        .words = {}};
  for (const Json& word : json.value("words", Json::array())) {
    if (!word.is_string()) return refusal("words must be an array of strings");
    command.words.push_back(word.get<std::string>());
  }
  const auto changed = handlers.change_tunnel(command);
  if (!changed) return refusal(changed.error());
  return done("tunnel " + command.tunnel + " of " + command.device + ": " +
              (command.action == "add"   ? "added"
               : command.action == "del" ? "removed"
                                         : "changed"));
}

std::string answer_flows(const Json& json, const RequestHandlers& handlers) {
  const auto limit = json.find("limit");
  if (limit != json.end() && !limit->is_number_unsigned())
    return refusal("limit must be a number of flows");
  return flows_json(handlers.flows(text(json, "device"),
                                   limit == json.end() ? kListedFlows : limit->get<std::size_t>()));
}

constexpr std::pair<std::string_view, std::string (*)(const Json&, const RequestHandlers&)>
    kRequests[] = {{"show", answer_show},
                   {"flows", answer_flows},
                   {"devices", answer_devices},
                   {"claims", answer_claims},
                   {"check_receivers", answer_check_receivers},
                   {"reload", answer_reload},
                   {"tunnel", answer_tunnel}};

}  // namespace

std::string answer_request(std::string_view line, const RequestHandlers& handlers) {
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object() || text(json, "request").empty()) {
    return refusal("the request is not one line of JSON like {\"request\":\"show\"}");
  }
  const std::string wanted = text(json, "request");
  for (const auto& [name, answer] : kRequests) {
    if (name == wanted) return answer(json, handlers);
  }
  return refusal("the request is unknown: send show, flows, devices, reload or tunnel");
}

std::string request_line(std::string_view request, std::string_view tunnel) {
  Json json{{"request", request}};
  if (!tunnel.empty()) json["tunnel"] = tunnel;
  return dump(json);
}

std::string request_line(const TunnelCommand& command) {
  return dump(Json{{"request", "tunnel"},
                   {"action", command.action},
                   {"device", command.device},
                   {"tunnel", command.tunnel},
                   {"words", command.words}});
}

std::string flows_request(std::string_view device, std::size_t limit) {
  Json json{{"request", "flows"}, {"limit", limit}};
  if (!device.empty()) json["device"] = device;
  return dump(json);
}

Result<std::string> read_done(std::string_view answer) {
  const auto refuse = [](int code, std::string sentence) {
    return Unexpected{
        Error{.code = code, .operation = {}, .object = {}, .advice = std::move(sentence)}};
  };
  const Json json = Json::parse(answer, nullptr, false);
  if (!json.is_object()) return refuse(EPROTO, "the answer of the running process is not JSON");
  if (json.contains("done")) return text(json, "done");
  const auto code = json.find("code");
  const bool has_code = code != json.end() && code->is_number_integer();
  return refuse(has_code ? code->get<int>() : EPROTO, printable(text(json, "error"), 1000));
}

std::vector<std::string> read_names(std::string_view answer) {
  const Json json = Json::parse(answer, nullptr, false);
  std::vector<std::string> names;
  if (!json.is_object()) return names;
  for (const Json& name : json.value("names", Json::array())) {
    if (name.is_string()) names.push_back(name.get<std::string>());
  }
  return names;
}

}  // namespace culvert::program
