// replay(): sends a corpus of packets both ways through one worker over MemoryPacketIo, and
// condenses everything that leaves it into one line of text. Two builds of the engine that behave
// the same give the same line.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/replay_corpus.h"
#include "tests/support/tunnel_rig.h"

namespace culvert::test {

/// The tunnels of a worker, and what differs from its defaults.
struct ReplayScenario {
  std::string name;
  std::vector<TunnelConfig> tunnels;
  OwnAddresses own{};  ///< sorted
  std::uint16_t path_mtu = 1500;
  bool has_route = true;              ///< false: `local any` has no address to send from
  io::NextHop next_hop{};             ///< of all tunnels
  std::uint32_t interface_index = 0;  ///< of the tunnels with a `dev`
  io::ReceiveKind receive = io::ReceiveKind::packet;
  bool tun_has_virtio_header = true;
  bool tun_has_uso = true;
  bool pinning = true;
  io::QueueSizes sizes{};
  bool sends_fail = false;  ///< in some rounds the kernel refuses all sends, or all writes
};

/// The result of one scenario.
struct ReplayResult {
  /// Key and value of each part of the line. `rounds` has four digits for each round, so that the
  /// first round that differs is known.
  std::vector<std::pair<std::string, std::string>> fields;
  Totals totals;

  /// The line: the name, then `key=value` for each field.
  [[nodiscard]] std::string line(const std::string& name) const;
};

/// Runs one scenario. `dump`: if not empty, a file to which every packet sent and written is added,
/// in hexadecimal, with the counters of each round; the files of two builds can be compared.
[[nodiscard]] ReplayResult replay(const ReplayScenario& scenario, const ReplayCorpus& corpus,
                                  const std::string& dump = "");

/// The differences between two lines of one scenario, one a line of text; empty if there are none.
[[nodiscard]] std::string difference(const std::string& recorded, const std::string& now);

}  // namespace culvert::test
