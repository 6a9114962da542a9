// ConfigBuilder: builds the settings of one device and its tunnels from words, in any order. set()
// checks each word by itself. finish() checks the words together: missing words, words that exclude
// each other, conflicts between tunnels. The words come from the command line or from a file. One
// thread.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model/config_conflict.h"
#include "tools/culvert/config/option_table.h"

namespace culvert::program {

/// An error in one word. The caller adds the name of the file, if there is one.
struct ConfigError {
  std::string word;   ///< empty: the error is about the whole tunnel
  std::string value;  ///< as written; empty: the word is missing, or a flag of the command line
  unsigned line = 0;  ///< of the word, or of the section without it; 0: the command line
  std::string text;   ///< the error and its remedy, as the end of a sentence
};

class ConfigBuilder {
 public:
  /// `line`: the first line of the device's section; 0: the command line.
  explicit ConfigBuilder(std::string_view device, unsigned line = 0);

  /// Adds a tunnel. set() sets the words of the last tunnel that was added. `line`: as above.
  void add_tunnel(unsigned line = 0);
  /// Adds a copy of an existing tunnel: words that are not set keep its values.
  void change_tunnel(const TunnelConfig& tunnel);

  /// Sets one word. Fails if its value is wrong, or if it is set already and is not a list.
  [[nodiscard]] Expected<void, ConfigError> set(const Option& word, RawValue given);

  /// Checks all words together and returns the settings.
  [[nodiscard]] Expected<host::DeviceSettings, ConfigError> finish() &&;
  /// Checks the words of the last tunnel and returns its settings. Conflicts with other tunnels are
  /// not checked.
  [[nodiscard]] Expected<TunnelConfig, ConfigError> finish_tunnel() &&;

 private:
  /// A word with its value, as written.
  struct Entry {
    const Option* word;
    RawValue given;
  };
  /// The words of one section: the device's, or one tunnel's.
  struct Section {
    unsigned line = 0;
    std::vector<Entry> entries{};
    [[nodiscard]] const Entry* find(std::string_view word) const;
    [[nodiscard]] const Entry* find_prefix(std::string_view word, std::string_view prefix) const;
    [[nodiscard]] ConfigError make_error(std::string_view word, std::string text) const;
  };
  struct Tunnel : Section {
    TunnelBuilder builder{};
  };
  static Expected<void, ConfigError> check_words(const Tunnel& tunnel);
  static Expected<void, ConfigError> check_payload(const Section& section,
                                                   std::span<const TunnelConfig> tunnels);
  static Expected<void, ConfigError> finish(Tunnel& tunnel);
  [[nodiscard]] ConfigError to_config_error(const ConfigConflict& conflict) const;
  [[nodiscard]] ConfigError to_config_error(const Error& error) const;

  host::DeviceSettings device_;
  Section section_;
  std::vector<Tunnel> tunnels_;
};

}  // namespace culvert::program
