// The packets of the replay test (tests/engine/replay_test.cc): the same ones in every run, with
// every compiler and library. So only the engine's changes change their digest.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "io/offload.h"
#include "tests/support/packet_builder.h"

namespace culvert::test {

/// Random numbers whose sequence the standard defines. The standard's distributions differ between
/// libraries, so none is used. Calls must not stand in one expression without an order.
class ReplayRandom {
 public:
  explicit ReplayRandom(std::uint64_t seed) : engine_(seed) {}
  /// A number from 0 to `count` - 1. The slight bias of the remainder does not matter.
  [[nodiscard]] std::size_t below(std::size_t count) { return engine_() % count; }
  [[nodiscard]] bool one_in(std::size_t count) { return below(count) == 0; }
  template <class T>
  [[nodiscard]] T one_of(std::initializer_list<T> values) {
    return values.begin()[below(values.size())];
  }

 private:
  std::mt19937_64 engine_;
};

/// The sites behind the tunnels: site s has 2001:db8:s::/48 and 10.s.0.0/16, s from 0 to 7.
inline constexpr unsigned kReplaySites = 8;

struct ReplayPacket {
  Bytes bytes;
  io::Offload offload{};
  unsigned site = 0;  ///< the site from which or to which the packet goes
};

/// The input of one worker.
struct ReplayCorpus {
  std::vector<ReplayPacket> outbound;  ///< inner packets from TUN
  std::vector<ReplayPacket> inbound;   ///< inner packets that remote endpoints encapsulate
  std::vector<Bytes> outer;            ///< outer packets
  std::vector<Bytes> icmp;             ///< ICMPv4 messages
};

/// Conversations between hosts here and hosts of the sites, both ways: bulk transfers with TCP and
/// UDP, super-packets, fragments, extension headers, options, ICMP, sizes around the MTUs, special
/// addresses, and mutations of all these. `count`: packets of each direction.
[[nodiscard]] ReplayCorpus traffic_corpus(std::size_t count);

/// The seeds of the fuzzers (tests/fuzz/corpus) whose inputs are packets, or have packets in them.
[[nodiscard]] ReplayCorpus fuzz_corpus();

/// Flips bits of a packet, cuts it short, or overwrites a length or another field.
void mutate(Bytes& packet, ReplayRandom& random);

/// Corrects the checksum of the IPv4 header at the start, if there is a whole one.
void finish_ipv4_header(Bytes& packet);

}  // namespace culvert::test
