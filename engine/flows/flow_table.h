// FlowTable: the table of return-path pinning. It maps a flow to its outbound tunnel, outer
// addresses and interface. All workers of an engine share one table, because the two directions of
// a flow usually belong to two workers.
//
// Memory is fixed: groups of eight entries of 64 bytes, and a one-byte tag per entry. SipHash-1-3
// with a secret key gives each flow two groups; a new flow goes to the group with more room. Empty
// entries and expired flows (flow_state.h) are filled first. If both groups are full of live flows,
// one flow is evicted:
//  1. the longest idle flow among those that are not established;
//  2. if all sixteen are established, the longest idle one, provided that it has been idle for more
//     than kProtected;
//  3. otherwise the new flow is not pinned, and its packets follow their route as if there were no
//     table.
//
// So packets of random flows, at any rate, evict no established flow while one other flow of its
// groups is not established, and never an established flow that had a packet within kProtected. An
// attacker would need replies, and a table full of established flows. An unanswered flow survives
// until enough new flows have hit its groups: with N entries and R new flows a second, about N / R
// seconds. A table for N flows holds 95 % of N live flows, and evicts the first one when 70 % of N
// are present (with one group per flow: 15 %).
//
// There is no timer wheel and no periodic scan. A look-up computes from the time of the last packet
// whether the flow has expired. An expired flow keeps its entry until a new flow needs it. One
// exception: a flow that no look-up has touched for exactly 194 days (FlowTick) would count as
// live.
//
// Threads: any worker may call hash, prefetch_*, pinned, pin, place, find and find_recent at any time;
// they take no lock and allocate nothing. If two workers write one entry at the same time, the second
// change is skipped. If two workers create the same flow at the same moment, it may get two entries;
// every later look-up finds the same one of them. The owner calls forget, one thread at a time, while
// workers run. Any thread may call for_each and counts.
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
#include "io/pages.h"
#include "io/result.h"

namespace culvert {

/// The contribution of one packet to its flow.
struct FlowStep {
  Direction direction = Direction::inbound;
  std::uint8_t tcp_flags = 0;
  std::uint32_t packets = 1;  ///< packets that the packet stands for
  FlowTick now{};
};

/// One flow, for status output.
struct FlowRecord {
  FlowKey key;
  FlowPin pin;
  TrackedState tracked;
  std::chrono::seconds age{0}, idle{0};
  std::uint64_t packets = 0;  ///< in both directions
};

/// Counts since the table was opened.
struct FlowCounts {
  std::uint64_t created = 0;
  std::uint64_t displaced = 0;              ///< live flows that were evicted
  std::uint64_t displaced_established = 0;  ///< evicted flows that were established
  /// Packets whose flow was not pinned because its groups were full.
  std::uint64_t flow_table_full = 0;
};

class FlowTable {
 public:
  static constexpr std::size_t kGroupEntries = 8;
  static constexpr std::chrono::seconds kProtected{10};

  /// Opens a table for at least `flows` flows. Its memory becomes resident only when it is used.
  [[nodiscard]] static Result<std::unique_ptr<FlowTable>> open(std::size_t flows);
  /// The same with a given key and a given start time.
  [[nodiscard]] static Result<std::unique_ptr<FlowTable>> open(std::size_t flows, SipKey key,
                                                               Time epoch);
  FlowTable(const FlowTable&) = delete;
  FlowTable& operator=(const FlowTable&) = delete;

  [[nodiscard]] FlowTick tick(Time now) const noexcept {
    return FlowTick{static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::seconds>(now - epoch_).count())};
  }
  [[nodiscard]] std::uint64_t hash(const FlowKey& key) const noexcept;
  /// The two prefetches before a look-up: first the tags of the key's groups; then, when these have
  /// arrived, the entry.
  void prefetch_index(std::uint64_t hash) const noexcept;
  void prefetch_entry(std::uint64_t hash) noexcept;

  /// Returns the pin of an outbound packet's flow and counts the packet. nullopt: the flow has no
  /// pin; the caller selects the route and calls place().
  [[nodiscard]] std::optional<FlowPin> pinned(const FlowKey& key, std::uint64_t hash,
                                              const FlowStep& step) noexcept;
  /// Records that an outbound packet was sent by `pin`: creates the flow, or moves it to `pin`.
  void place(const FlowKey& key, std::uint64_t hash, const FlowStep& step,
             const FlowPin& pin) noexcept;
  /// Records that an inbound packet arrived by `pin`: creates the flow, or counts the packet in it.
  /// A flow that began inbound also moves to `pin`.
  void pin(const FlowKey& key, std::uint64_t hash, const FlowStep& step,
           const FlowPin& pin) noexcept;
  /// Returns the pin of the flow that an ICMP error quotes. Counts and changes nothing.
  [[nodiscard]] std::optional<FlowPin> find(const FlowKey& key, std::uint64_t hash,
                                            FlowTick now) noexcept;

  /// Returns the pin of a flow that had a packet within the last second. Counts and changes nothing.
  [[nodiscard]] std::optional<FlowPin> find_recent(const FlowKey& key, std::uint64_t hash,
                                                   FlowTick now) noexcept;

  /// Removes all flows of a tunnel, so that its slot can be reused. No worker may still have that
  /// tunnel in its tables. Returns the number of removed flows.
  std::size_t forget(std::uint16_t slot) noexcept;
  /// Calls `function` for each live flow, in no particular order, with a consistent copy.
  void for_each(FlowTick now, const std::function<void(const FlowRecord&)>& function);
  [[nodiscard]] FlowCounts counts() const noexcept;
  /// The capacity in flows: as requested, rounded up to a multiple of kGroupEntries.
  [[nodiscard]] std::size_t capacity() const noexcept { return group_count_ * kGroupEntries; }

 private:
  /// The result of a look-up.
  struct Found {
    enum class Kind : std::uint8_t { absent, live, expired, busy };
    /// busy: a writer holds an entry that may have this key.
    Kind kind = Kind::absent;
    std::size_t index = 0;  ///< of the entry
    FlowSnapshot snapshot;  ///< copy of the entry, if one was found
  };
  /// An entry for a new flow.
  struct Place {
    std::size_t index = 0;
    /// Current contents: the entry is written only if they have not changed.
    FlowSnapshot before{};
    bool is_empty = false;
  };

  FlowTable(io::Pages memory, std::size_t groups, SipKey key, Time epoch);

  [[nodiscard]] std::array<std::size_t, 2> groups_of(std::uint64_t hash) const noexcept;
  [[nodiscard]] std::atomic_ref<std::uint64_t> tags(std::size_t group) const noexcept {
    return std::atomic_ref{tags_[group]};
  }
  [[nodiscard]] Found look_up(const FlowKey& key, std::uint64_t hash, FlowTick now) noexcept;
  /// Counts the packet and returns the state after it.
  TrackedState refresh(const Found& found, const FlowStep& step) noexcept;
  void move(const Found& found, const FlowPin& pin) noexcept;
  void create(const Found& found, const FlowKey& key, std::uint64_t hash, const FlowStep& step,
              const FlowPin& pin) noexcept;
  [[nodiscard]] std::optional<Place> find_place(std::uint64_t hash, FlowTick now) noexcept;
  [[nodiscard]] std::optional<Place> empty_place(std::uint64_t hash) noexcept;
  [[nodiscard]] std::optional<Place> evictable_place(std::uint64_t hash, FlowTick now) noexcept;
  [[nodiscard]] bool fill(const Place& place, std::uint64_t hash,
                          const FlowSnapshot& snapshot) noexcept;
  void set_tag(std::size_t index, std::uint8_t tag) noexcept;

  io::Pages memory_;  ///< the entries, then the tags
  FlowEntry* entries_;
  std::uint64_t* tags_;  ///< one word per group, one byte per entry; 0: empty
  std::size_t group_count_;
  SipKey key_;
  Time epoch_;
  /// Written only when a flow is created, not with each packet.
  struct alignas(io::kCacheLineBytes) SharedCounts {
    std::atomic<std::uint64_t> created{0}, displaced{0}, displaced_established{0}, full{0};
  } counts_;
};

}  // namespace culvert
