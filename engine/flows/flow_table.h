// Return-path pinning: which tunnel, outer addresses and interface a flow goes out by. One table
// for all workers of an engine, for the two directions of a flow usually belong to two workers.
//
// Memory is fixed: groups of eight entries of 64 bytes, and a byte of index each. A key has two
// groups by SipHash-1-3 with a secret key, and goes to the one with more room. Empty entries and
// flows that are over (flow_state.h) are filled first. When both groups are full of live flows,
//  1. the one longest idle of those that are not established gives way;
//  2. if all sixteen are established, the one longest idle, if that is more than kProtected;
//  3. else the new flow is not pinned: its packets are forwarded by route, as if there were no
//     table.
// So packets of random flows, at any rate, displace no flow that has been seen both ways while a
// single other is in its groups, and none at all that had a packet within kProtected: for that the
// attacker must bring about answers, and a table full of such flows. A new flow that is not
// answered yet lasts until as many others have come to its groups: with N entries and R new flows a
// second about N / R seconds. Of N live flows a table for N has places for 95 %, and the first one
// is displaced when 70 % of N are there (with one group to a key that would be 15 %).
//
// There is no wheel of timers and nobody walks the table: whether a flow is over is computed from
// its last packet's time when it is looked at, so time costs nothing. What nobody looks at stays
// where it is and harms nobody: its place is free for the next that comes. The one price: a flow
// that nobody has met for exactly 194 days (FlowTick) would be found alive.
//
// hash, prefetch, pinned, pin, place, find: any worker, any time, no lock, no allocation. When two
// write one entry at a time the second one's change is skipped. Two workers that make the same flow
// at the same moment may make it twice; the same one of the two is found from then on.
// forget: the owner, one thread at a time, while workers run. for_each, counts: any thread.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "engine/flows/flow_entry.h"
#include "engine/flows/flow_key.h"
#include "engine/flows/flow_state.h"
#include "engine/flows/sip_hash.h"
#include "engine/tables/tunnel.h"
#include "io/result.h"

namespace culvert {

/// What a packet brings to its flow.
struct FlowStep {
  Direction direction = Direction::inbound;
  std::uint8_t tcp_flags = 0;
  std::uint32_t packets = 1;  ///< that it stands for
  FlowTick now{};
};

/// One flow, for people.
struct FlowRecord {
  FlowKey key;
  FlowPin pin;
  TrackedState tracked;
  std::chrono::seconds age{0}, idle{0};
  std::uint64_t packets = 0;  ///< both ways
};

/// Since the table was opened.
struct FlowCounts {
  std::uint64_t created = 0;
  std::uint64_t displaced = 0;              ///< live flows that gave way
  std::uint64_t displaced_established = 0;  ///< those of them that were established
  std::uint64_t flow_table_full = 0;        ///< packets of flows for which there was no place
};

class FlowTable {
 public:
  static constexpr std::size_t kGroupEntries = 8;
  static constexpr std::chrono::seconds kProtected{10};

  /// For at least `flows` flows; the memory is not resident before it is used.
  [[nodiscard]] static Result<std::unique_ptr<FlowTable>> open(std::size_t flows);
  /// The same with a key that is known, and a beginning of time.
  [[nodiscard]] static Result<std::unique_ptr<FlowTable>> open(std::size_t flows, SipKey key,
                                                               Time epoch);
  ~FlowTable();
  FlowTable(const FlowTable&) = delete;
  FlowTable& operator=(const FlowTable&) = delete;

  [[nodiscard]] FlowTick tick(Time now) const noexcept {
    return FlowTick{static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::seconds>(now - epoch_).count())};
  }
  [[nodiscard]] std::uint64_t hash(const FlowKey& key) const noexcept;
  /// Two steps ahead of a lookup: the index of the key's groups, and, when that is there, the
  /// entry.
  void prefetch_index(std::uint64_t hash) const noexcept;
  void prefetch_entry(std::uint64_t hash) noexcept;

  /// The pin of an outbound packet's flow; the packet is counted. Nothing: there is none, and once
  /// it is known where the packet goes place() is to be called.
  [[nodiscard]] std::optional<FlowPin> pinned(const FlowKey& key, std::uint64_t hash,
                                              const FlowStep& step) noexcept;
  /// An outbound packet has been sent by `pin`: makes the flow, or moves it there.
  void place(const FlowKey& key, std::uint64_t hash, const FlowStep& step,
             const FlowPin& pin) noexcept;
  /// An inbound packet has come by `pin`: makes the flow, or keeps it, and moves it there if it was
  /// opened inbound.
  void pin(const FlowKey& key, std::uint64_t hash, const FlowStep& step,
           const FlowPin& pin) noexcept;
  /// The pin of the flow that an ICMP error quotes; nothing is counted or changed.
  [[nodiscard]] std::optional<FlowPin> find(const FlowKey& key, std::uint64_t hash,
                                            FlowTick now) noexcept;

  /// Takes out all flows of a tunnel, so that its slot may be another's. No worker may still see
  /// that tunnel in its tables. Returns how many.
  std::size_t forget(std::uint16_t slot) noexcept;
  /// Calls `function` for each live flow, in no order, as it is at that moment.
  void for_each(FlowTick now, const std::function<void(const FlowRecord&)>& function);
  [[nodiscard]] FlowCounts counts() const noexcept;
  /// Flows that fit: what was asked for, as a multiple of kGroupEntries.
  [[nodiscard]] std::size_t capacity() const noexcept { return group_count_ * kGroupEntries; }

 private:
  /// What looking for a key has found.
  struct Found {
    enum class Kind : std::uint8_t { absent, live, over, busy };
    Kind kind = Kind::absent;  ///< busy: an entry that may be it is being written
    std::size_t index = 0;     ///< of the entry
    FlowSnapshot snapshot;     ///< of it, if one was found
  };
  /// Where a new flow may go.
  struct Place {
    std::size_t index = 0;
    FlowSnapshot before{};  ///< what is there, for the check that it still is
    bool is_empty = false;
  };

  FlowTable(std::span<FlowEntry> entries, std::span<std::uint64_t> tags, std::size_t mapped_bytes,
            SipKey key, Time epoch);

  [[nodiscard]] std::array<std::size_t, 2> groups_of(std::uint64_t hash) const noexcept;
  [[nodiscard]] std::atomic_ref<std::uint64_t> tags(std::size_t group) const noexcept {
    return std::atomic_ref{tags_[group]};
  }
  [[nodiscard]] Found look_up(const FlowKey& key, std::uint64_t hash, FlowTick now) noexcept;
  /// Counts the packet; returns the tracked after it.
  TrackedState refresh(const Found& found, const FlowStep& step) noexcept;
  void move(const Found& found, const FlowPin& pin) noexcept;
  void create(const Found& found, const FlowKey& key, std::uint64_t hash, const FlowStep& step,
              const FlowPin& pin) noexcept;
  [[nodiscard]] std::optional<Place> find_place(std::uint64_t hash, FlowTick now) noexcept;
  [[nodiscard]] std::optional<Place> empty_place(std::uint64_t hash) noexcept;
  [[nodiscard]] std::optional<Place> filled_place(std::uint64_t hash, FlowTick now) noexcept;
  [[nodiscard]] bool fill(const Place& place, std::uint64_t hash,
                          const FlowSnapshot& snapshot) noexcept;
  void set_tag(std::size_t index, std::uint8_t tag) noexcept;

  FlowEntry* entries_;
  std::uint64_t* tags_;  ///< eight to a word, one word a group; 0: empty
  std::size_t group_count_;
  std::size_t mapped_bytes_;
  SipKey key_;
  Time epoch_;
  /// Written when a flow is made, not with each packet.
  struct alignas(io::kCacheLineBytes) SharedCounts {
    std::atomic<std::uint64_t> created{0}, displaced{0}, displaced_established{0}, full{0};
  } counts_;
};

}  // namespace culvert
