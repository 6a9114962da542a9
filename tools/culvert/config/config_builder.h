// One device that is still being described, with its tunnels: takes words one by one, from the
// command line or from a file, and in the end checks what only all of them together can tell. One
// thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model/config_conflict.h"
#include "tools/culvert/config/option_table.h"

namespace culvert::program {

/// What is wrong with which word. Where it was written is added by who read it.
struct ConfigError {
  std::string word;   ///< empty: the tunnel as a whole
  std::string value;  ///< as written; empty: the word is missing
  unsigned line = 0;  ///< of the word, or of the section that lacks it; 0: on the command line
  std::string text;   ///< what is wrong and what to do, as the end of a sentence
};

class ConfigBuilder {
 public:
  /// `line`: where the device's section starts; 0 on the command line.
  explicit ConfigBuilder(std::string_view device, unsigned line = 0);

  /// One more tunnel: the words of a tunnel that are set from now on are its.
  void add_tunnel(unsigned line = 0);
  /// The same of a tunnel that exists: the words change what it is.
  void change_tunnel(const TunnelConfig& tunnel);

  /// Sets one word. Refuses one that was set already, unless it is a list.
  [[nodiscard]] Expected<void, ConfigError> set(const Option& word, RawValue given);

  /// The settings, if all words make sense together.
  [[nodiscard]] Expected<host::DeviceSettings, ConfigError> finish() &&;
  /// The last tunnel alone, to be put beside others: of what concerns them nothing is checked.
  [[nodiscard]] Expected<TunnelConfig, ConfigError> finish_tunnel() &&;

 private:
  struct GivenOption {
    const Option* word;
    RawValue given;
  };
  /// The words of one section.
  struct Section {
    unsigned line = 0;
    std::vector<GivenOption> seen{};
    [[nodiscard]] const GivenOption* find(std::string_view word) const;
    [[nodiscard]] const GivenOption* find_prefix(std::string_view word,
                                                 std::string_view prefix) const;
    [[nodiscard]] ConfigError complain(std::string_view word, std::string text) const;
  };
  struct Tunnel : Section {
    TunnelBuilder builder{};
  };
  static Expected<void, ConfigError> check_words(const Tunnel& tunnel);
  static Expected<void, ConfigError> check_payload(const Section& section, const Parameters& mode);
  static Expected<void, ConfigError> finish(Tunnel& tunnel);
  [[nodiscard]] ConfigError to_config_error(const ConfigConflict& conflict) const;
  [[nodiscard]] ConfigError to_config_error(const Error& error) const;

  host::DeviceSettings device_;
  Section section_;
  std::vector<Tunnel> tunnels_;
};

}  // namespace culvert::program
