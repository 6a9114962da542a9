// Configuration input: files, command lines, requests to the control socket and replies from it.
// The first byte selects one. Accepted input must be valid.
#include <cstdint>
#include <iterator>
#include <sstream>
#include <string>

#include "tests/fuzz/fuzz.h"
#include "tools/culvert/config/command_line.h"
#include "tools/culvert/config/config_file.h"
#include "tools/culvert/config/ndp_options.h"
#include "tools/culvert/daemon/requests.h"
#include "tools/culvert/show/report.h"

namespace {

using namespace culvert;
using namespace culvert::program;
using culvert::host::DeviceSettings;
using fuzz::require;

/// An error is one line without control characters, which a terminal would interpret.
void require_sentence(const Error& error) {
  const std::string message = error.message();
  require(!error.advice.empty(), "an error says what to do");
  for (const char c : message) {
    require(static_cast<unsigned char>(c) >= ' ' && c != 127, "an error is one printable line");
  }
}

void require_sense(const DeviceSettings& settings) {
  require(validate(settings.config).has_value(), "what is accepted is valid");
  require(settings.config.tunnels.size() == 1, "one tunnel");
  for (const auto& route : settings.routes6) require(!route.has_host_bits(), "no host bits");
  for (const auto& route : settings.routes4) require(!route.has_host_bits(), "no host bits");
  for (const auto& route : settings.routed6) require(!route.has_host_bits(), "no host bits");
  for (const auto& route : settings.routed4) require(!route.has_host_bits(), "no host bits");
}

void read_file(const std::string& text) {
  const auto settings = parse_config(text, "fuzz.toml");
  if (!settings) return require_sentence(settings.error());
  for (const DeviceSettings& device : settings->devices) require_sense(device);
  for (const NdpConfig& ndp : settings->ndp) {
    require(validate(ndp).has_value(), "what is accepted is valid");
    const auto again = parse_config(ndp_toml(ndp), "again.toml");
    require(again && again->ndp.size() == 1 && again->ndp[0].rules == ndp.rules,
            "what is written is read again");
  }
}

void read_words(const std::string& text) {
  std::istringstream stream{text};
  const std::vector<std::string> words{std::istream_iterator<std::string>{stream}, {}};
  const auto settings = parse_command_line("tun0", words, {});
  if (!settings) return require_sentence(settings.error());
  require_sense(*settings);
}

/// A process without a device, which refuses every change.
const RequestHandlers kHandlers{.devices = [] { return std::vector<DeviceReport>{}; },
                                .reload = []() -> Result<std::string> {
                                  return Unexpected{Error{1, "reload", "", "no"}};
                                },
                                .change_tunnel = [](const TunnelCommand& command) -> Result<void> {
                                  auto changed = apply_command(DeviceSettings{}, command);
                                  if (!changed) return Unexpected{changed.error()};
                                  return {};
                                }};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string text{reinterpret_cast<const char*>(data + 1), size - 1};
  switch (data[0] % 4) {
    case 0:
      read_file(text);
      break;
    case 1:
      read_words(text);
      break;
    case 2:
      require(!answer_request(text, kHandlers).empty(), "every request is answered");
      break;
    case 3:
      if (const auto table = report_table(text); !table) require_sentence(table.error());
      break;
  }
  return 0;
}
