// NdpResponder: which solicitations are answered, and with what (RFC 4861 7.2.4, 7.2.8, RFC 4862
// 5.4.3). Frames go in; frames and probes to be sent come out. One thread; no system call, no
// clock, no allocation but in what replaces rules and neighbors.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "engine/model/token_bucket.h"
#include "engine/ndp/ndp_config.h"
#include "engine/ndp/ndp_counters.h"
#include "engine/ndp/ndp_neighbors.h"
#include "engine/ndp/ndp_probes.h"
#include "engine/ndp/ndp_proxy.h"
#include "engine/ndp/ndp_rules.h"
#include "engine/tables/tunnel.h"
#include "proto/ndp.h"

namespace culvert {

inline constexpr std::size_t kNdpFrameBytes =
    proto::kEthernetHeaderBytes + proto::kNeighborAdvertisementBytes;

/// An advertisement, as it goes to the wire.
struct NdpFrame {
  enum class Kind : std::uint8_t { answer, duplicate_answer, announcement };
  std::array<std::byte, kNdpFrameBytes> bytes;
  Kind kind = Kind::answer;
  bool may_wait = false;  ///< answers a multicast solicitation: `delay` applies (RFC 4861 7.2.8)
};

/// What is to be sent: a fixed number of places, emptied by the caller.
class NdpOutput {
 public:
  static constexpr std::size_t kFrames = 64, kProbes = 64;
  /// Places that one call of the responder may need.
  static constexpr std::size_t kFramesNeeded = NdpProbes::kSolicitors, kProbesNeeded = 1;

  [[nodiscard]] bool has_room() const noexcept {
    return frame_count_ + kFramesNeeded <= kFrames && probe_count_ + kProbesNeeded <= kProbes;
  }
  [[nodiscard]] std::span<NdpFrame> frames() noexcept {
    return std::span{frames_}.first(frame_count_);
  }
  [[nodiscard]] std::span<const proto::Ipv6Address> probes() const noexcept {
    return std::span{probes_}.first(probe_count_);
  }
  void clear() noexcept { frame_count_ = probe_count_ = 0; }

  NdpFrame& add_frame() noexcept { return frames_[frame_count_++]; }
  void add_probe(const proto::Ipv6Address& target) noexcept { probes_[probe_count_++] = target; }

 private:
  std::array<NdpFrame, kFrames> frames_;
  std::array<proto::Ipv6Address, kProbes> probes_;
  std::size_t frame_count_ = 0, probe_count_ = 0;
};

class NdpResponder {
 public:
  /// `seed`: random, for hashes that nobody is to predict. Without rules until set_rules().
  NdpResponder(const NdpConfig& config, std::uint64_t seed);

  /// The limits of `config`, not its rules and sizes.
  void apply(const NdpConfig& config) noexcept;
  /// `rules` becomes what was there before, for the caller to free.
  void set_rules(NdpRules& rules) noexcept { std::swap(rules_, rules); }
  /// `interface` likewise. Neighbors seen are forgotten if it is another one.
  void set_interface(NdpInterface& interface) noexcept;
  /// `sorted` likewise.
  void set_on_link(std::vector<proto::Ipv6Address>& sorted) noexcept {
    neighbors_.set_configured(sorted);
  }

  /// A frame from the interface: Ethernet header and all, untrusted. `out.has_room()`.
  void take(std::span<const std::byte> frame, Time now, NdpOutput& out) noexcept;
  /// A target has answered a probe, by the interface with that index.
  void take_echo(const proto::Ipv6Address& target, unsigned interface_index, Time now,
                 NdpOutput& out) noexcept;
  /// Probes that nobody answered in time: called when next_due() has come. True: there may be more
  /// of them, once `out` is empty again.
  [[nodiscard]] bool expire(Time now, NdpOutput& out) noexcept;
  [[nodiscard]] Time next_due() const noexcept { return probes_.next_due(); }

  /// An unsolicited advertisement for a target (RFC 4861 7.2.6, 7.2.8), if it would be answered for
  /// without a probe.
  void announce(const proto::Ipv6Address& target, Time now, NdpOutput& out) noexcept;

  /// What has become of a frame: sent, or not, for that reason. Each has to be counted once.
  void count(const NdpFrame& frame, NdpIgnored ignored) noexcept;

  [[nodiscard]] NdpCounters& counters() noexcept { return counters_; }
  [[nodiscard]] const NdpInterface& interface() const noexcept { return interface_; }
  [[nodiscard]] std::size_t on_link(Time now) const noexcept { return neighbors_.count(now); }
  [[nodiscard]] NdpProbes::Sizes probes(Time now) const noexcept { return probes_.sizes(now); }

 private:
  /// Sources share this many buckets, by a hash with a secret.
  static constexpr std::size_t kSourceBuckets = 1'024;

  void take_advertisement(const proto::NeighborMessage& message,
                          const proto::EthernetAddress& sender, Time now) noexcept;
  void take_solicitation(const proto::NeighborMessage& message,
                         const proto::EthernetAddress& sender, Time now, NdpOutput& out) noexcept;
  [[nodiscard]] NdpIgnored check_solicitor(const proto::NeighborMessage& message) const noexcept;
  void ask(const proto::Ipv6Address& target, const NdpSolicitor& solicitor, Time now,
           NdpOutput& out) noexcept;
  void answer(const proto::Ipv6Address& target, const NdpSolicitor& solicitor, Time now,
              NdpOutput& out) noexcept;
  void write(NdpFrame& frame, const proto::Ipv6Address& target,
             const NdpSolicitor* solicitor) const noexcept;
  void end(const NdpProbes::End& end, NdpIgnored reason, Time now, NdpOutput& out) noexcept;
  void note_on_link(const proto::Ipv6Address& address, Time now) noexcept;
  [[nodiscard]] bool is_own(const proto::Ipv6Address& address) const noexcept;
  [[nodiscard]] NdpIgnored spend(const NdpSolicitor& solicitor, Time now) noexcept;

  NdpInterface interface_{};
  NdpRules rules_;
  NdpNeighbors neighbors_;
  NdpProbes probes_;
  bool is_router_;
  TokenBucket::Rate rate_, source_rate_;
  TokenBucket bucket_;
  std::vector<TokenBucket> source_buckets_;
  std::uint64_t seed_;
  NdpCounters counters_;
};

}  // namespace culvert
