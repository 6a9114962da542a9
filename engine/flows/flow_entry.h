// FlowEntry: one flow in one cache line, protected by a seqlock. Any worker may read and change it
// without blocking. It has eight 64-bit words. For flow_table.cc and its tests.
//
//     word  bits, high bits first
//     0, 1  far address
//     2, 3  near address
//     4     FlowKey::word 32 | created 24 | protocol 8
//     5     outer local address 32 | outer remote address 32
//     6     sequence 24 | outer interface 24 | tunnel slot 16
//     7     packets 36 | state 4 | last seen 24
//
// Addresses are stored as in memory. The sequence number in word 6 is the seqlock. A writer locks
// the entry with one compare-and-swap that makes the sequence odd, and then owns words 0 to 5. It
// unlocks the entry by storing word 6 with the next even sequence. Nobody waits for a locked entry:
// a reader that finds an odd or changed sequence retries a few times, and a writer gives up. Word 7
// changes with every packet, without the seqlock: it stands alone.
//
// A reader that is interrupted in the middle of a read could miss exactly 2^23 writes to this
// entry, because the sequence wraps around. Such a read would mix two pins of one flow, each of
// which the caller checks.
#pragma once

#include <atomic>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "engine/flows/flow_key.h"
#include "engine/flows/flow_state.h"
#include "io/cache_line.h"

namespace culvert {

/// Seconds since the table was opened, modulo 2^24 (194 days). Differences are also taken modulo
/// 2^24, so the wrap-around is harmless.
class FlowTick {
 public:
  static constexpr std::uint32_t kMask = 0xff'ffff;
  /// Two workers may read the clock at different times: a time stamp that is newer than "now" by
  /// less than this counts as now.
  static constexpr std::uint32_t kSkew = 60;

  constexpr FlowTick() = default;
  constexpr explicit FlowTick(std::uint64_t seconds) noexcept
      : value_(static_cast<std::uint32_t>(seconds) & kMask) {}
  [[nodiscard]] constexpr std::uint32_t value() const noexcept { return value_; }
  /// The time from `before` to this tick; 0 if `before` is newer by up to kSkew.
  [[nodiscard]] constexpr std::chrono::seconds since(FlowTick before) const noexcept {
    const std::uint32_t difference = (value_ - before.value_) & kMask;
    return std::chrono::seconds{difference > kMask - kSkew ? 0 : difference};
  }
  friend constexpr bool operator==(FlowTick, FlowTick) = default;

 private:
  std::uint32_t value_ = 0;
};

/// The outbound path of a flow: the tunnel, and the outer header fields that the tunnel's
/// configuration leaves open.
struct FlowPin {
  static constexpr std::uint16_t kNoSlot = 0xffff;
  std::uint16_t slot = kNoSlot;  ///< slot of the tunnel
  /// Outer destination of the flow's inbound packets; 0.0.0.0: none, the flow began outbound.
  proto::Ipv4Address local{};
  proto::Ipv4Address remote{};  ///< outer source of the flow's inbound packets; 0.0.0.0: as above
  /// Interface on which they arrived; 0: unknown, or above 2^24 - 1.
  std::uint32_t interface_index = 0;
  friend bool operator==(const FlowPin&, const FlowPin&) = default;
};

/// Word 7.
struct FlowActivity {
  static constexpr int kPacketsShift = 28, kStateShift = 24;
  std::uint64_t packets = 0;  ///< modulo 2^36
  TrackedState tracked{};
  FlowTick last_seen{};

  [[nodiscard]] static constexpr FlowActivity from(std::uint64_t word) noexcept {
    return {.packets = word >> kPacketsShift,
            .tracked = {.state = static_cast<FlowState>(word >> kStateShift & 7),
                        .opened = (word >> kStateShift & 8) != 0 ? Direction::inbound
                                                                 : Direction::outbound},
            .last_seen = FlowTick{word & FlowTick::kMask}};
  }
  friend constexpr bool operator==(const FlowActivity&, const FlowActivity&) = default;
  [[nodiscard]] constexpr std::uint64_t word() const noexcept {
    const std::uint64_t opened_inbound = tracked.opened == Direction::inbound ? 8 : 0;
    return packets << kPacketsShift |
           (opened_inbound | static_cast<std::uint64_t>(tracked.state)) << kStateShift |
           last_seen.value();
  }
};

/// An entry whose words are all zero is empty.
struct alignas(io::kCacheLineBytes) FlowEntry {
  std::uint64_t words[8];

  static constexpr std::size_t kKeyWord = 4, kOuterWord = 5, kPinWord = 6, kActivityWord = 7;
  static constexpr int kSequenceShift = 40;
  static constexpr std::uint64_t kSequenceOne = std::uint64_t{1} << kSequenceShift;

  [[nodiscard]] std::atomic_ref<std::uint64_t> word(std::size_t index) noexcept {
    return std::atomic_ref{words[index]};
  }
  /// Calls `function` with each index except that of the pin word (6). Unrolled by hand, because
  /// g++ leaves a loop.
  template <class Function>
  static void for_each_other_word(Function function) noexcept {
    [&]<std::size_t... i>(std::index_sequence<i...>) { (function(i), ...); }
    (std::make_index_sequence<kPinWord>{});
    function(kActivityWord);
  }
  [[nodiscard]] static constexpr bool is_locked(std::uint64_t pin_word) noexcept {
    return (pin_word & kSequenceOne) != 0;
  }
};
static_assert(sizeof(FlowEntry) == 64 && std::atomic_ref<std::uint64_t>::is_always_lock_free);

/// A consistent copy of an entry's words, or the words that an entry is to get.
struct FlowSnapshot {
  std::uint64_t words[8];

  /// Builds the words of an entry; the sequence in word 6 is 0.
  [[nodiscard]] static FlowSnapshot of(const FlowKey& key, const FlowPin& pin,
                                       FlowActivity activity, FlowTick created) noexcept;
  /// Copies `entry`. False: writers kept it locked during all attempts.
  [[nodiscard]] bool read(FlowEntry& entry) noexcept;

  [[nodiscard]] FlowKey key() const noexcept;
  [[nodiscard]] FlowPin pin() const noexcept;
  [[nodiscard]] FlowActivity activity() const noexcept {
    return FlowActivity::from(words[FlowEntry::kActivityWord]);
  }
  [[nodiscard]] std::uint8_t protocol() const noexcept {
    return static_cast<std::uint8_t>(words[FlowEntry::kKeyWord]);
  }
  [[nodiscard]] FlowTick created() const noexcept {
    return FlowTick{words[FlowEntry::kKeyWord] >> kCreatedShift};
  }
  [[nodiscard]] bool has_key_of(const FlowSnapshot& other) const noexcept {
    constexpr std::uint64_t kNotCreated = ~(std::uint64_t{FlowTick::kMask} << kCreatedShift);
    return ((words[0] ^ other.words[0]) | (words[1] ^ other.words[1]) |
            (words[2] ^ other.words[2]) | (words[3] ^ other.words[3]) |
            ((words[4] ^ other.words[4]) & kNotCreated)) == 0;
  }
  [[nodiscard]] bool has_pin_of(const FlowSnapshot& other) const noexcept {
    constexpr std::uint64_t kNotSequence = FlowEntry::kSequenceOne - 1;
    return words[5] == other.words[5] && ((words[6] ^ other.words[6]) & kNotSequence) == 0;
  }
  [[nodiscard]] bool is_expired(FlowTick now) const noexcept {
    const FlowActivity current = activity();
    return now.since(current.last_seen) > idle_limit(protocol(), current.tracked);
  }

 private:
  static constexpr int kCreatedShift = 8, kInterfaceShift = 16;
  static constexpr std::uint32_t kMaxInterfaceIndex = 0xff'ffff;
  static constexpr int kReadAttempts = 64;
};

/// Locks an entry whose word 6 was `expected`. Returns false if it was locked already or another
/// writer has changed it since.
[[nodiscard]] inline bool try_lock(FlowEntry& entry, std::uint64_t expected) noexcept {
  // Acquire: the writer's following stores stay behind the lock. Release: a reader that sees one of
  // these stores also sees the odd sequence (pairs with the acquires in FlowSnapshot::read).
  return !FlowEntry::is_locked(expected) &&
         entry.word(FlowEntry::kPinWord)
             .compare_exchange_strong(expected, expected + FlowEntry::kSequenceOne,
                                      std::memory_order_acq_rel, std::memory_order_relaxed);
}
/// Unlocks an entry with a new word 6. `expected`: as given to try_lock().
inline void unlock(FlowEntry& entry, std::uint64_t expected, std::uint64_t pin_word) noexcept {
  constexpr std::uint64_t kPinMask = FlowEntry::kSequenceOne - 1;
  const std::uint64_t sequence = (expected & ~kPinMask) + 2 * FlowEntry::kSequenceOne;
  entry.word(FlowEntry::kPinWord)
      .store(sequence | (pin_word & kPinMask), std::memory_order_release);
}

// ---- inline: the hot path -----------------------------------------------------------------------

inline FlowSnapshot FlowSnapshot::of(const FlowKey& key, const FlowPin& pin, FlowActivity activity,
                                     FlowTick created) noexcept {
  FlowSnapshot snapshot;
  std::memcpy(&snapshot.words[0], key.far.bytes.data(), sizeof key.far);
  std::memcpy(&snapshot.words[2], key.near.bytes.data(), sizeof key.near);
  snapshot.words[4] = std::uint64_t{key.word} << 32 |
                      std::uint64_t{created.value()} << kCreatedShift | key.protocol;
  snapshot.words[5] = std::uint64_t{pin.local.host()} << 32 | pin.remote.host();
  const std::uint64_t interface =
      pin.interface_index <= kMaxInterfaceIndex ? pin.interface_index : 0;
  snapshot.words[6] = interface << kInterfaceShift | pin.slot;
  snapshot.words[7] = activity.word();
  return snapshot;
}

/// The seqlock's read side. The acquire of word 6 pairs with the release in unlock(), so the words
/// of that unlock() are visible. The acquires of the other words keep the second load of word 6
/// behind them, and pair with the release stores of the writers: if a word was stored by a later
/// writer, the second load of word 6 differs too.
inline bool FlowSnapshot::read(FlowEntry& entry) noexcept {
  const auto pin_word = entry.word(FlowEntry::kPinWord);
  for (int attempt = 0; attempt < kReadAttempts; ++attempt) {
    words[6] = pin_word.load(std::memory_order_acquire);
    if (FlowEntry::is_locked(words[6])) continue;
    FlowEntry::for_each_other_word(
        [&](std::size_t i) { words[i] = entry.word(i).load(std::memory_order_acquire); });
    if (pin_word.load(std::memory_order_relaxed) == words[6]) return true;
  }
  return false;
}

inline FlowPin FlowSnapshot::pin() const noexcept {
  return {.slot = static_cast<std::uint16_t>(words[6]),
          .local = proto::Ipv4Address::from_host(static_cast<std::uint32_t>(words[5] >> 32)),
          .remote = proto::Ipv4Address::from_host(static_cast<std::uint32_t>(words[5])),
          .interface_index =
              static_cast<std::uint32_t>(words[6] >> kInterfaceShift) & kMaxInterfaceIndex};
}

inline FlowKey FlowSnapshot::key() const noexcept {
  FlowKey key;
  std::memcpy(key.far.bytes.data(), &words[0], sizeof key.far);
  std::memcpy(key.near.bytes.data(), &words[2], sizeof key.near);
  key.word = static_cast<std::uint32_t>(words[4] >> 32);
  key.protocol = protocol();
  return key;
}

}  // namespace culvert
