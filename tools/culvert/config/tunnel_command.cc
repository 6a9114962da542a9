#include "tools/culvert/config/tunnel_command.h"

#include <algorithm>
#include <utility>

#include "tools/culvert/config/command_line.h"
#include "tools/culvert/config/config_builder.h"
#include "tools/culvert/config/parse_value.h"

namespace culvert::program {
namespace {

using Tunnels = std::vector<TunnelConfig>;

Unexpected<Error> refuse(const TunnelCommand& command, std::string advice) {
  return Unexpected{Error{.code = 0,
                          .operation = "tunnel " + printable(command.action),
                          .object = printable(command.device) + " " + printable(command.tunnel),
                          .advice = std::move(advice)}};
}

Tunnels::iterator find(Tunnels& tunnels, const std::string& name) {
  return std::find_if(tunnels.begin(), tunnels.end(),
                      [&](const TunnelConfig& tunnel) { return tunnel.name == name; });
}

Result<void> add(Tunnels& tunnels, const TunnelCommand& command) {
  if (find(tunnels, command.tunnel) != tunnels.end()) {
    return refuse(command, "there is a tunnel of that name already: change it with `tunnel set`");
  }
  ConfigBuilder builder{command.device};
  builder.add_tunnel();
  if (auto set = set_words(builder, command.words, Option::Scope::tunnel); !set) return set;
  auto tunnel = std::move(builder).finish_tunnel();
  if (!tunnel) return Unexpected{to_error(tunnel.error())};
  tunnel->name = command.tunnel;
  tunnels.push_back(std::move(*tunnel));
  return {};
}

Result<void> change(TunnelConfig& tunnel, const TunnelCommand& command) {
  if (command.words.empty())
    return refuse(command, "has no words: write the words to change, for example up or down");
  ConfigBuilder builder{command.device};
  builder.change_tunnel(tunnel);
  if (auto set = set_words(builder, command.words, Option::Scope::tunnel); !set) return set;
  auto changed = std::move(builder).finish_tunnel();
  if (!changed) return Unexpected{to_error(changed.error())};
  tunnel = std::move(*changed);
  return {};
}

Result<void> carry_out(Tunnels& tunnels, const TunnelCommand& command) {
  if (command.tunnel.empty()) return refuse(command, "names no tunnel");
  if (command.action == "add") return add(tunnels, command);
  const auto tunnel = find(tunnels, command.tunnel);
  if (tunnel == tunnels.end()) {
    return refuse(command, "the device has no tunnel of that name: `culvert show " +
                               printable(command.device) + "` lists its tunnels");
  }
  if (command.action == "set") return change(*tunnel, command);
  if (command.action != "del") return refuse(command, "is unknown: there are add, del and set");
  if (!command.words.empty()) {
    return refuse(command, "takes no words, but has " + quoted(command.words.front()));
  }
  if (tunnels.size() == 1)
    return refuse(command, "is the only tunnel of the device: stop culvert instead");
  tunnels.erase(tunnel);
  return {};
}

}  // namespace

Result<host::DeviceSettings> apply_command(host::DeviceSettings device,
                                           const TunnelCommand& command) {
  if (auto done = carry_out(device.config.tunnels, command); !done) {
    return Unexpected{done.error()};
  }
  device.config.needs_ipv6 = !host::is_ipv4_only(device);
  if (auto valid = validate(device.config); !valid) return Unexpected{valid.error()};
  device.lines = nullptr;  // the file does not describe this change
  return device;
}

}  // namespace culvert::program
