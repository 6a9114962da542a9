// NdpResponder: decides which solicitations are answered, and builds the answers (RFC 4861 7.2.4,
// 7.2.8, RFC 4862 5.4.3). Input: received frames. Output: frames and probes to send. One thread; no
// system call, no clock; allocates only when rules and neighbors are replaced.
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
#include "engine/ndp/ndp_wires.h"
#include "engine/tables/tunnel.h"
#include "io/ndp/ndp_io.h"
#include "proto/ndp.h"

namespace culvert {

inline constexpr std::size_t kNdpFrameBytes =
    proto::kEthernetHeaderBytes + proto::kNeighborAdvertisementBytes;

/// A message of ours with its Ethernet header, ready to send.
struct NdpFrame {
  enum class Kind : std::uint8_t {
    answer,
    duplicate_answer,
    announcement,
    question,  ///< a solicitation of ours: is the target really there?
  };
  std::array<std::byte, kNdpFrameBytes> bytes;
  std::size_t size_bytes = kNdpFrameBytes;
  Kind kind = Kind::answer;
  bool may_wait = false;  ///< answers a multicast solicitation: `delay` applies (RFC 4861 7.2.8)

  /// The frame as it is sent.
  [[nodiscard]] std::span<const std::byte> view() const noexcept {
    return std::span{bytes}.first(size_bytes);
  }
};

/// Frames and probes to send. Fixed capacity; the caller empties it.
class NdpOutput {
 public:
  static constexpr std::size_t kFrames = 64, kProbes = 64;
  /// Free elements that one call of the responder may need.
  static constexpr std::size_t kFramesNeeded = NdpProbes::kSolicitors + 1;
  static constexpr std::size_t kProbesNeeded = kMaxNdpRuleInterfaces;

  [[nodiscard]] bool has_room() const noexcept {
    return frame_count_ + kFramesNeeded <= kFrames && probe_count_ + kProbesNeeded <= kProbes;
  }
  [[nodiscard]] std::span<NdpFrame> frames() noexcept {
    return std::span{frames_}.first(frame_count_);
  }
  [[nodiscard]] std::span<const io::Probe> probes() const noexcept {
    return std::span{probes_}.first(probe_count_);
  }
  void clear() noexcept { frame_count_ = probe_count_ = 0; }

  NdpFrame& add_frame() noexcept { return frames_[frame_count_++]; }
  void add_probe(const io::Probe& probe) noexcept { probes_[probe_count_++] = probe; }

 private:
  std::array<NdpFrame, kFrames> frames_;
  std::array<io::Probe, kProbes> probes_;
  std::size_t frame_count_ = 0, probe_count_ = 0;
};

class NdpResponder {
 public:
  /// Parameters of the solicitations by which a neighbor on the link is confirmed. A neighbor that
  /// answers is believed for the ReachableTime of RFC 4861 10. Who does not is not asked again
  /// until a message comes from there.
  static constexpr NdpProbe kConfirmation{.timeout = std::chrono::milliseconds{300},
                                          .tries = 3,
                                          .alive_ttl = std::chrono::seconds{30},
                                          .dead_ttl = std::chrono::seconds{600},
                                          .per_second = 500,
                                          .cache = 256};

  /// Limit of look-ups of the kernel's routes per second. More solicitations than that are a scan.
  static constexpr std::uint32_t kLookUpsPerSecond = 20'000;

  /// `seed`: random and secret, for the hashes. `routes`: see NdpProxy::open(); outlives this. There
  /// are no rules until set_rules().
  NdpResponder(const NdpConfig& config, std::uint64_t seed, NdpRoutes* routes = nullptr);

  /// Applies the limits of `config`, not its rules and sizes. Allocates if it has the first rule that
  /// probes.
  void apply(const NdpConfig& config);
  /// Swaps in new rules; `rules` becomes the previous ones, for the caller to free. Removes the host
  /// routes that no rule has any more.
  void set_rules(NdpRules& rules);
  /// Removes all host routes.
  void unwire() {
    wires_.keep([](const NdpWires::Wire&) { return false; });
  }
  /// Swaps in a new interface. Drops the learned neighbors if its index has changed.
  void set_interface(NdpInterface& interface) noexcept;
  /// Swaps in new neighbors that the owner reports; `sorted` becomes the previous ones.
  void set_on_link(std::vector<NdpNeighbor>& sorted) noexcept { neighbors_.set_reported(sorted); }
  /// Swaps in NdpKernelRoutes::gateways.
  void set_gateways(std::vector<proto::Ipv6Address>& sorted) noexcept { gateways_.swap(sorted); }

  /// Processes one received frame, which begins with its Ethernet header; untrusted. Requires
  /// `out.has_room()`.
  void receive(std::span<const std::byte> frame, Time now, NdpOutput& out) noexcept;
  /// Processes the answer of a probed target. Requires `out.has_room()`.
  void receive_reply(const io::ProbeReply& reply, Time now, NdpOutput& out) noexcept;
  /// Processes probes that have timed out, and probes hosts with a route again; called at next_due(). True: `out` is full, and there may
  /// be more.
  [[nodiscard]] bool expire(Time now, NdpOutput& out) noexcept;
  [[nodiscard]] Time next_due() const noexcept {
    return std::min({probes_.next_due(), confirmations_.next_due(), wires_.next_due()});
  }

  /// Announces a target in the form of NdpConfig::announce, if a solicitation for it would be answered
  /// without a probe.
  void announce(const proto::Ipv6Address& target, Time now, NdpOutput& out) noexcept;

  /// Counts the outcome of sending a frame; none: it was sent. Must be called exactly once per
  /// frame.
  void count(const NdpFrame& frame, NdpIgnored ignored) noexcept;

  [[nodiscard]] NdpCounters& counters() noexcept { return counters_; }
  [[nodiscard]] const NdpInterface& interface() const noexcept { return interface_; }
  [[nodiscard]] std::size_t on_link(Time now) const noexcept { return neighbors_.count(now); }
  [[nodiscard]] std::size_t probe_table_size() const noexcept { return probes_.size(); }
  [[nodiscard]] std::span<const NdpWires::Wire> wires() const noexcept { return wires_.all(); }
  [[nodiscard]] NdpProbes::Sizes probes(Time now) const noexcept { return probes_.sizes(now); }
  /// The neighbors that are believed to be on the link. Allocates.
  [[nodiscard]] std::vector<NdpNeighbor> confirmed(Time now);
  /// `alive`: the number of these.
  [[nodiscard]] NdpProbes::Sizes confirmations(Time now) const noexcept {
    return confirmations_.sizes(now);
  }

 private:
  /// Number of token buckets that sources share, by a hash with a secret.
  static constexpr std::size_t kSourceBuckets = 1'024;

  void receive_advertisement(const proto::NeighborMessage& message,
                             const proto::EthernetAddress& sender, Time now,
                             NdpOutput& out) noexcept;
  void receive_solicitation(const proto::NeighborMessage& message,
                            const proto::EthernetAddress& sender, Time now,
                            NdpOutput& out) noexcept;
  [[nodiscard]] NdpIgnored check_solicitor(const proto::NeighborMessage& message,
                                           const proto::EthernetAddress& sender) const noexcept;
  [[nodiscard]] NdpIgnored check_target(const proto::NeighborMessage& message,
                                        const NdpRules::Decision& decision) const noexcept;
  [[nodiscard]] NdpIgnored check_route(const proto::Ipv6Address& target,
                                       const NdpRules::Decision& decision, Time now) noexcept;
  [[nodiscard]] bool waits_for_confirmation(const proto::Ipv6Address& target,
                                            const NdpSolicitor& solicitor, Time now,
                                            NdpOutput& out) noexcept;
  void finish_confirmation(const NdpProbes::Outcome& outcome, bool is_on_link, Time now,
                           NdpOutput& out) noexcept;
  [[nodiscard]] bool expire_confirmations(Time now, NdpOutput& out) noexcept;
  [[nodiscard]] bool expire_probes(Time now, NdpOutput& out) noexcept;
  void answer_by_rule(const proto::Ipv6Address& target, const NdpRules::Decision& decision,
                      const NdpSolicitor& solicitor, Time now, NdpOutput& out) noexcept;
  void answer_if_alive(const proto::Ipv6Address& target, const NdpRules::Decision& decision,
                       const NdpSolicitor& solicitor, Time now, NdpOutput& out) noexcept;
  [[nodiscard]] bool is_local(const proto::Ipv6Address& target, Time now) noexcept;
  void answer(const proto::Ipv6Address& target, const NdpSolicitor& solicitor, Time now,
              NdpOutput& out) noexcept;
  void write(NdpFrame& frame, const proto::Ipv6Address& target,
             const NdpSolicitor* solicitor) const noexcept;
  void write_duplicate_detection(NdpFrame& frame, const proto::Ipv6Address& target) const noexcept;
  void write_echo_request(NdpFrame& frame, const proto::Ipv6Address& target, Time now) noexcept;
  void write_question(NdpFrame& frame, const proto::Ipv6Address& target,
                      const proto::EthernetAddress& link_layer) const noexcept;
  void probe(const proto::Ipv6Address& target, const NdpRules::Decision& decision,
             NdpOutput& out) noexcept;
  [[nodiscard]] bool probe_wired(Time now, NdpOutput& out) noexcept;
  void finish_probe(const NdpProbes::Outcome& outcome, NdpIgnored reason, Time now,
                    NdpOutput& out) noexcept;
  void note_on_link(const proto::Ipv6Address& address, const proto::EthernetAddress& link_layer,
                    Time now) noexcept;
  [[nodiscard]] bool is_own(const proto::Ipv6Address& address) const noexcept;
  [[nodiscard]] NdpIgnored spend(const NdpSolicitor& solicitor, Time now) noexcept;

  NdpInterface interface_{};
  NdpRules rules_;
  NdpRoutes* routes_;
  TokenBucket look_ups_;
  std::vector<proto::Ipv6Address> gateways_;
  NdpNeighbors neighbors_;
  NdpProbes confirmations_;  ///< of neighbors on the link
  NdpProbes probes_;
  bool is_router_;
  NdpSource source_;
  NdpAnnounce announce_;
  TokenBucket::Rate rate_, source_rate_;
  TokenBucket bucket_;
  std::vector<TokenBucket> source_buckets_;
  std::uint64_t seed_;
  NdpCounters counters_;
  NdpWires wires_{routes_, counters_};
};

}  // namespace culvert
