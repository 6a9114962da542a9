#include "engine/flows/flow_table.h"

#include <bit>
#include <cstring>
#include <thread>
#include <utility>

#include "io/random.h"

namespace culvert {
namespace {

constexpr std::uint64_t kEachByte = 0x0101'0101'0101'0101;
constexpr int kAttempts = 3;

/// The high bit of each byte of `tags` that is `tag`.
std::uint64_t matches(std::uint64_t tags, std::uint8_t tag) noexcept {
  constexpr std::uint64_t kLowBits = 0x7f * kEachByte;
  const std::uint64_t differs = tags ^ (tag * kEachByte);
  return ~(((differs & kLowBits) + kLowBits) | differs | kLowBits);
}
/// Index of the lowest match; there must be one.
std::size_t first_of(std::uint64_t matches) noexcept {
  return static_cast<std::size_t>(std::countr_zero(matches)) / 8;
}

/// The tag uses hash bits that do not select the group. Never 0.
std::uint8_t tag_of(std::uint64_t hash) noexcept {
  return static_cast<std::uint8_t>(1 + (hash & 0xff) * 255 / 256);
}

std::uint8_t tag_at(std::uint64_t tags, std::size_t place) noexcept {
  return static_cast<std::uint8_t>(tags >> place * 8);
}

}  // namespace

Result<std::unique_ptr<FlowTable>> FlowTable::open(std::size_t flows) {
  SipKey key;
  if (auto filled = io::fill_random(std::as_writable_bytes(std::span{&key, 1}), "the flow table");
      !filled)
    return Unexpected{filled.error()};
  return open(flows, key, std::chrono::steady_clock::now());
}

Result<std::unique_ptr<FlowTable>> FlowTable::open(std::size_t flows, SipKey key, Time epoch) {
  const std::size_t groups = (flows + kGroupEntries - 1) / kGroupEntries;
  constexpr std::size_t kGroupBytes = kGroupEntries * sizeof(FlowEntry) + sizeof(std::uint64_t);
  auto memory = io::Pages::map(groups * kGroupBytes, io::Pages::Kind::sparse, "flow table",
                               "configure fewer flows");
  if (!memory) return Unexpected{memory.error()};
  return std::unique_ptr<FlowTable>{new FlowTable(std::move(*memory), groups, key, epoch)};
}

/// Pages of zeros are a valid empty table, so they are not touched here.
FlowTable::FlowTable(io::Pages memory, std::size_t groups, SipKey key, Time epoch)
    : memory_(std::move(memory)),
      entries_(reinterpret_cast<FlowEntry*>(memory_.data())),
      tags_(reinterpret_cast<std::uint64_t*>(entries_ + groups * kGroupEntries)),
      group_count_(groups),
      key_(key),
      epoch_(epoch) {}

// ---- look-up ------------------------------------------------------------------------------------

std::uint64_t FlowTable::hash(const FlowKey& key) const noexcept {
  constexpr std::uint64_t kMessageBytes = 16 + 16 + 4 + 1;
  std::array<std::uint64_t, 5> words;
  std::memcpy(&words[0], key.far.bytes.data(), sizeof key.far);
  std::memcpy(&words[2], key.near.bytes.data(), sizeof key.near);
  words[4] = kMessageBytes << 56 | std::uint64_t{key.protocol} << 32 | key.word;
  return sip_hash<1, 3>(key_, words);
}

/// Scales each half of the hash to the number of groups.
std::array<std::size_t, 2> FlowTable::groups_of(std::uint64_t hash) const noexcept {
  const auto group = [this](std::uint64_t half) {
    return static_cast<std::size_t>(half * group_count_ >> 32);
  };
  const std::size_t first = group(hash & 0xffff'ffff);
  const std::size_t second = group(hash >> 32);
  if (first != second) return {first, second};
  return {first, second + 1 == group_count_ ? 0 : second + 1};
}

void FlowTable::prefetch_index(std::uint64_t hash) const noexcept {
  for (const std::size_t group : groups_of(hash)) __builtin_prefetch(&tags_[group]);
}

void FlowTable::prefetch_entry(std::uint64_t hash) noexcept {
  for (const std::size_t group : groups_of(hash)) {
    const auto found = matches(tags(group).load(std::memory_order_relaxed), tag_of(hash));
    if (found == 0) continue;
    return __builtin_prefetch(&entries_[group * kGroupEntries + first_of(found)], 1);
  }
}

FlowTable::Found FlowTable::look_up(const FlowKey& key, std::uint64_t hash, FlowTick now) noexcept {
  const FlowSnapshot wanted = FlowSnapshot::of(key, {}, {}, {});
  Found found;
  for (const std::size_t group : groups_of(hash)) {
    // Pairs with the release in set_tag(). The seqlock orders the contents of the entry.
    const std::uint64_t group_tags = tags(group).load(std::memory_order_acquire);
    for (auto left = matches(group_tags, tag_of(hash)); left != 0; left &= left - 1) {
      const std::size_t index = group * kGroupEntries + first_of(left);
      if (!found.snapshot.read(entries_[index])) {
        found.kind = Found::Kind::busy;
      } else if (found.snapshot.has_key_of(wanted) &&
                 found.snapshot.activity().tracked.state != FlowState::none) {
        found.kind = found.snapshot.is_expired(now) ? Found::Kind::expired : Found::Kind::live;
        found.index = index;
        return found;
      }
    }
  }
  return found;
}

std::optional<FlowPin> FlowTable::find(const FlowKey& key, std::uint64_t hash,
                                       FlowTick now) noexcept {
  const Found found = look_up(key, hash, now);
  return found.kind == Found::Kind::live ? std::optional{found.snapshot.pin()} : std::nullopt;
}

std::optional<FlowPin> FlowTable::find_recent(const FlowKey& key, std::uint64_t hash,
                                              FlowTick now) noexcept {
  const Found found = look_up(key, hash, now);
  const bool is_recent = found.kind == Found::Kind::live &&
                         now.since(found.snapshot.activity().last_seen) <= std::chrono::seconds{1};
  return is_recent ? std::optional{found.snapshot.pin()} : std::nullopt;
}

std::optional<FlowPin> FlowTable::pinned(const FlowKey& key, std::uint64_t hash,
                                         const FlowStep& step) noexcept {
  const Found found = look_up(key, hash, step.now);
  if (found.kind != Found::Kind::live) return std::nullopt;
  refresh(found, step);
  return found.snapshot.pin();
}

void FlowTable::place(const FlowKey& key, std::uint64_t hash, const FlowStep& step,
                      const FlowPin& pin) noexcept {
  const Found found = look_up(key, hash, step.now);
  if (found.kind == Found::Kind::live) return move(found, pin);
  if (found.kind != Found::Kind::busy) create(found, key, hash, step, pin);
}

void FlowTable::pin(const FlowKey& key, std::uint64_t hash, const FlowStep& step,
                    const FlowPin& pin) noexcept {
  const Found found = look_up(key, hash, step.now);
  if (found.kind == Found::Kind::live) {
    const TrackedState tracked = refresh(found, step);
    if (tracked.opened == Direction::inbound) move(found, pin);
  } else if (found.kind != Found::Kind::busy) {
    create(found, key, hash, step, pin);
  }
}

// ---- changing an entry --------------------------------------------------------------------------

/// Relaxed: the word stands alone. If the entry now belongs to another flow, that flow counts one
/// packet too many.
TrackedState FlowTable::refresh(const Found& found, const FlowStep& step) noexcept {
  const auto word = entries_[found.index].word(FlowEntry::kActivityWord);
  std::uint64_t expected = found.snapshot.words[FlowEntry::kActivityWord];
  FlowActivity next;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const FlowActivity activity = FlowActivity::from(expected);
    // removed in the meantime
    if (activity.tracked.state == FlowState::none) return activity.tracked;
    next = activity;
    next.tracked =
        after(activity.tracked, step.direction, found.snapshot.protocol(), step.tcp_flags);
    if (step.now.since(activity.last_seen).count() != 0) next.last_seen = step.now;
    if (next == activity) break;
    next.packets += step.packets;
    if (word.compare_exchange_weak(expected, next.word(), std::memory_order_relaxed))
      return next.tracked;
  }
  // Only the count changes, or other workers have already refreshed the flow.
  word.fetch_add(std::uint64_t{step.packets} << FlowActivity::kPacketsShift,
                 std::memory_order_relaxed);
  return next.tracked;
}

void FlowTable::move(const Found& found, const FlowPin& pin) noexcept {
  const FlowSnapshot snapshot = FlowSnapshot::of({}, pin, {}, {});
  if (found.snapshot.has_pin_of(snapshot)) return;
  FlowEntry& entry = entries_[found.index];
  const std::uint64_t expected = found.snapshot.words[FlowEntry::kPinWord];
  if (!try_lock(entry, expected)) return;
  // Release: see FlowSnapshot::read().
  entry.word(FlowEntry::kOuterWord)
      .store(snapshot.words[FlowEntry::kOuterWord], std::memory_order_release);
  unlock(entry, expected, snapshot.words[FlowEntry::kPinWord]);
}

/// The caller must have locked the entry, so that no other thread changes this byte.
void FlowTable::set_tag(std::size_t index, std::uint8_t tag) noexcept {
  const auto word = tags(index / kGroupEntries);
  const std::size_t place = index % kGroupEntries;
  const std::uint64_t change = tag_at(word.load(std::memory_order_relaxed), place) ^ tag;
  word.fetch_xor(change << place * 8, std::memory_order_release);
}

// ---- creating a flow ----------------------------------------------------------------------------

void FlowTable::create(const Found& found, const FlowKey& key, std::uint64_t hash,
                       const FlowStep& step, const FlowPin& pin) noexcept {
  const FlowSnapshot snapshot = FlowSnapshot::of(key, pin,
                                                 {.packets = step.packets,
                                                  .tracked = {FlowState::opening, step.direction},
                                                  .last_seen = step.now},
                                                 step.now);
  if (found.kind == Found::Kind::expired) {  // reuse its entry
    if (fill({found.index, found.snapshot}, hash, snapshot))
      counts_.created.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const auto place = find_place(hash, step.now);
    if (!place) {
      counts_.full.fetch_add(step.packets, std::memory_order_relaxed);
      return;
    }
    if (!fill(*place, hash, snapshot)) continue;
    counts_.created.fetch_add(1, std::memory_order_relaxed);
    if (place->is_empty || place->before.is_expired(step.now)) return;
    counts_.displaced.fetch_add(1, std::memory_order_relaxed);
    if (place->before.activity().tracked.is_protected())
      counts_.displaced_established.fetch_add(1, std::memory_order_relaxed);
    return;
  }
}

std::optional<FlowTable::Place> FlowTable::find_place(std::uint64_t hash, FlowTick now) noexcept {
  const auto empty = empty_place(hash);
  return empty ? empty : evictable_place(hash, now);
}

/// Returns an empty entry of the group with more empty entries; with equal numbers, of the first
/// group.
std::optional<FlowTable::Place> FlowTable::empty_place(std::uint64_t hash) noexcept {
  const auto [first, second] = groups_of(hash);
  const auto empty1 = matches(tags(first).load(std::memory_order_relaxed), 0);
  const auto empty2 = matches(tags(second).load(std::memory_order_relaxed), 0);
  if ((empty1 | empty2) == 0) return std::nullopt;
  const bool is_second = std::popcount(empty2) > std::popcount(empty1);
  Place place{.is_empty = true};
  place.index =
      (is_second ? second : first) * kGroupEntries + first_of(is_second ? empty2 : empty1);
  place.before.words[FlowEntry::kPinWord] =
      entries_[place.index].word(FlowEntry::kPinWord).load(std::memory_order_acquire);
  return place;
}

/// Returns an expired entry, else the entry to evict; nullopt: all flows are established and in
/// use.
std::optional<FlowTable::Place> FlowTable::evictable_place(std::uint64_t hash,
                                                           FlowTick now) noexcept {
  std::optional<Place> best;
  bool best_is_protected = true;
  std::chrono::seconds best_idle = kProtected;
  for (const std::size_t group : groups_of(hash)) {
    for (std::size_t i = 0; i < kGroupEntries; ++i) {
      Place place{.index = group * kGroupEntries + i};
      if (!place.before.read(entries_[place.index])) continue;
      if (place.before.is_expired(now)) return place;
      const FlowActivity activity = place.before.activity();
      const bool is_protected = activity.tracked.is_protected();
      const auto idle = now.since(activity.last_seen);
      const bool is_better = is_protected == best_is_protected ? idle > best_idle : !is_protected;
      if (!is_better) continue;
      best = place;
      best_is_protected = is_protected;
      best_idle = idle;
    }
  }
  return best;
}

/// False: another worker has changed the entry, or its old flow has had a packet since.
bool FlowTable::fill(const Place& place, std::uint64_t hash,
                     const FlowSnapshot& snapshot) noexcept {
  FlowEntry& entry = entries_[place.index];
  const std::uint64_t expected = place.before.words[FlowEntry::kPinWord];
  if (!try_lock(entry, expected)) return false;
  const auto activity = entry.word(FlowEntry::kActivityWord);
  if (!place.is_empty &&
      activity.load(std::memory_order_relaxed) != place.before.words[FlowEntry::kActivityWord]) {
    unlock(entry, expected, expected);
    return false;
  }
  set_tag(place.index, tag_of(hash));
  FlowEntry::for_each_other_word([&](std::size_t i) {  // release: see FlowSnapshot::read()
    entry.word(i).store(snapshot.words[i], std::memory_order_release);
  });
  unlock(entry, expected, snapshot.words[FlowEntry::kPinWord]);
  return true;
}

// ---- for the owner ------------------------------------------------------------------------------

std::size_t FlowTable::forget(std::uint16_t slot) noexcept {
  std::size_t forgotten = 0;
  for (std::size_t index = 0; index < capacity(); ++index) {
    const std::uint64_t group_tags = tags(index / kGroupEntries).load(std::memory_order_acquire);
    // an empty group: skip it without touching its entries
    if (group_tags == 0) index |= kGroupEntries - 1;
    if (tag_at(group_tags, index % kGroupEntries) == 0) continue;
    FlowEntry& entry = entries_[index];
    for (;;) {
      const std::uint64_t expected =
          entry.word(FlowEntry::kPinWord).load(std::memory_order_acquire);
      if (FlowEntry::is_locked(expected)) {  // locked by a worker for a few instructions
        std::this_thread::yield();
        continue;
      }
      if (static_cast<std::uint16_t>(expected) != slot) break;
      if (!try_lock(entry, expected)) continue;
      set_tag(index, 0);
      entry.word(FlowEntry::kActivityWord).store(0, std::memory_order_release);
      unlock(entry, expected, FlowPin::kNoSlot);
      ++forgotten;
      break;
    }
  }
  return forgotten;
}

void FlowTable::for_each(FlowTick now, const std::function<void(const FlowRecord&)>& function) {
  for (std::size_t group = 0; group < group_count_; ++group) {
    const std::uint64_t group_tags = tags(group).load(std::memory_order_acquire);
    for (std::size_t i = 0; i < kGroupEntries && group_tags != 0; ++i) {
      FlowSnapshot snapshot;
      if (tag_at(group_tags, i) == 0 || !snapshot.read(entries_[group * kGroupEntries + i]))
        continue;
      const FlowActivity activity = snapshot.activity();
      if (activity.tracked.state == FlowState::none || snapshot.is_expired(now)) continue;
      function({.key = snapshot.key(),
                .pin = snapshot.pin(),
                .tracked = activity.tracked,
                .age = now.since(snapshot.created()),
                .idle = now.since(activity.last_seen),
                .packets = activity.packets});
    }
  }
}

FlowCounts FlowTable::counts() const noexcept {
  return {.created = counts_.created.load(std::memory_order_relaxed),
          .displaced = counts_.displaced.load(std::memory_order_relaxed),
          .displaced_established = counts_.displaced_established.load(std::memory_order_relaxed),
          .flow_table_full = counts_.full.load(std::memory_order_relaxed)};
}

}  // namespace culvert
