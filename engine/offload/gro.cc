#include "engine/offload/gro.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>

#include "engine/offload/gro_match.h"
#include "engine/offload/gso.h"
#include "io/cache_line.h"
#include "proto/in_place.h"
#include "proto/tcp_fields.h"

namespace culvert {
namespace {

using Bytes = std::span<const std::byte>;
using gro_match::Kind;
using gro_match::Segment;

constexpr std::size_t kLargestPacketBytes = 65535;
/// Linux before 6.9 refuses UDP super-packets of more datagrams (UDP_MAX_SEGMENTS).
constexpr std::uint32_t kMaxDatagrams = 64;
constexpr std::uint32_t kNone = 0xffff'ffff;

/// One item of the round: a first packet and the packets joined to it.
struct Group {
  Segment first;
  std::uint32_t count = 1;  ///< packets
  std::uint32_t next_sequence = 0;
  std::uint32_t total_bytes = 0;
  std::uint32_t first_joined = kNone;  ///< indices
  std::uint32_t last_joined = kNone;
  /// the first packet's checksums are valid; verified only when a second packet follows
  bool is_verified = false;
  bool has_push = false;

  /// Initializes the group; called before other packets may be joined.
  void open() noexcept {
    total_bytes = first.size();
    if (first.is_tcp) next_sequence = tcp_sequence(first) + first.payload_bytes;
  }

  [[nodiscard]] bool can_append(const Segment& next) const noexcept {
    if (!next.may_be_joined() || next.payload_bytes > first.payload_bytes) return false;
    if (total_bytes + next.payload_bytes > kLargestPacketBytes) return false;
    if (first.is_tcp && tcp_sequence(next) != next_sequence) return false;
    return has_same_headers(first, next, count);
  }

  void append(const Segment& next) noexcept {
    ++count;
    total_bytes += next.payload_bytes;
    next_sequence += next.payload_bytes;
    has_push = gro_match::has_push(next);
  }

  /// Returns whether no packet may follow `last`, the packet that was appended last.
  [[nodiscard]] bool is_full(const Segment& last) const noexcept {
    return last.payload_bytes < first.payload_bytes || has_push ||
           count == (first.is_tcp ? io::kMaxSlices + 1 : kMaxDatagrams);
  }
};

/// The flows whose last item is still open, by the flow's hash: a small set-associative cache. A
/// flow that is evicted from it only loses the chance to be joined.
class OpenFlows {
 public:
  static constexpr std::uint32_t kSets = 16, kWays = 4;

  /// Returns the entry whose open item `is_same` accepts; kNone if there is none.
  template <class IsSame>
  [[nodiscard]] std::uint32_t find(std::uint32_t hash, IsSame is_same) const noexcept {
    const std::uint32_t begin = set_of(hash);
    // Without a branch per way: which ways match follows no pattern.
    unsigned matches = 0;
    for (std::uint32_t i = 0; i < kWays; ++i) {
      matches |= static_cast<unsigned>(hashes_[begin + i] == hash) << i;
    }
    for (matches &= used_of_set(begin); matches != 0; matches &= matches - 1) {
      const std::uint32_t entry = begin + static_cast<std::uint32_t>(std::countr_zero(matches));
      if (is_same(items_[entry])) return entry;
    }
    return kNone;
  }
  [[nodiscard]] std::uint32_t item(std::uint32_t entry) const noexcept { return items_[entry]; }

  /// Returns an entry for a flow: a free one, else the entry of the oldest item, which is still in
  /// use.
  [[nodiscard]] std::uint32_t place(std::uint32_t hash) const noexcept {
    const std::uint32_t begin = set_of(hash);
    const auto free = static_cast<std::uint32_t>(std::countr_one(used_of_set(begin)));
    if (free < kWays) return begin + free;
    const auto set = std::span{items_}.subspan(begin, kWays);
    return begin + static_cast<std::uint32_t>(std::ranges::min_element(set) - set.begin());
  }

  void insert(std::uint32_t entry, std::uint32_t hash, std::uint32_t item) noexcept {
    used_ |= bit(entry);
    hashes_[entry] = hash;
    items_[entry] = item;
  }
  void remove(std::uint32_t entry) noexcept { used_ &= ~bit(entry); }
  [[nodiscard]] bool is_used(std::uint32_t entry) const noexcept {
    return (used_ & bit(entry)) != 0;
  }

  /// Calls `function(entry)` for each entry in use; it may remove that entry.
  template <class Function>
  void for_each(Function function) const noexcept {
    for (std::uint64_t rest = used_; rest != 0; rest &= rest - 1) {
      function(static_cast<std::uint32_t>(std::countr_zero(rest)));
    }
  }
  void clear() noexcept { used_ = 0; }

 private:
  static std::uint32_t set_of(std::uint32_t hash) noexcept { return hash % kSets * kWays; }
  [[nodiscard]] unsigned used_of_set(std::uint32_t begin) const noexcept {
    return static_cast<unsigned>(used_ >> begin) & ((1u << kWays) - 1);
  }
  static std::uint64_t bit(std::uint32_t entry) noexcept { return std::uint64_t{1} << entry; }

  std::array<std::uint32_t, kSets * kWays> hashes_{};
  std::array<std::uint32_t, kSets * kWays> items_{};
  std::uint64_t used_ = 0;
  static_assert(kSets * kWays <= 64);
};

/// The payload of a joined packet, and the index of the packet joined after it.
struct JoinedPacket {
  Bytes payload;
  std::uint32_t next = kNone;
};

}  // namespace

struct alignas(io::kCacheLineBytes) Gro::State {
  State(std::size_t capacity_packets, bool joins_udp_packets)
      : joins_udp(joins_udp_packets),
        items(capacity_packets),
        groups(capacity_packets + 1),
        joined(capacity_packets),
        slices(capacity_packets) {}

  [[nodiscard]] bool join(const Segment& segment, std::uint32_t tunnel) noexcept;
  [[nodiscard]] bool may_join(Group& group, const Segment& segment) const noexcept;
  void append_joined(Group& group, Bytes payload) noexcept;
  void append_item(io::Packet& packet, std::uint32_t tunnel, std::uint32_t packets) noexcept;
  void open(std::uint32_t item) noexcept;
  void close(std::uint32_t entry) noexcept;
  void close_between_same_addresses(Bytes ip) noexcept;

  bool joins_udp;
  OpenFlows flows;
  io::LineVector<GroOutput> items;
  io::LineVector<Group> groups;  ///< one per item, and one for parsing the next packet
  std::uint32_t item_count = 0;
  io::LineVector<JoinedPacket> joined;
  std::uint32_t joined_count = 0;
  io::LineVector<Bytes> slices;  ///< slices of all super-packets, one after the other
};

/// Joins a packet to the open item of its flow. False: it may not be joined, and that item is
/// closed.
bool Gro::State::join(const Segment& segment, std::uint32_t tunnel) noexcept {
  const std::uint32_t entry = flows.find(
      segment.hash, [&](std::uint32_t item) { return is_same_flow(groups[item].first, segment); });
  if (entry == kNone) return false;
  GroOutput& item = items[flows.item(entry)];
  Group& group = groups[flows.item(entry)];
  if (item.tunnel != tunnel || !may_join(group, segment)) {
    close(entry);
    return false;
  }
  append_joined(group, segment.payload());
  item.packets += 1;
  item.bytes += segment.frame_bytes();
  group.append(segment);
  if (group.is_full(segment)) close(entry);
  return true;
}

bool Gro::State::may_join(Group& group, const Segment& segment) const noexcept {
  if (!group.can_append(segment)) return false;
  if (!group.is_verified && !is_intact(group.first)) return false;
  group.is_verified = true;
  return is_intact(segment);
}

void Gro::State::append_joined(Group& group, Bytes payload) noexcept {
  assert(joined_count < joined.size());
  const std::uint32_t place = joined_count++;
  joined[place].payload = payload;
  joined[place].next = kNone;
  (group.first_joined == kNone ? group.first_joined : joined[group.last_joined].next) = place;
  group.last_joined = place;
}

/// Assigns field by field: small stores that one large load reads back at once are slow.
void Gro::State::append_item(io::Packet& packet, std::uint32_t tunnel,
                             std::uint32_t packets) noexcept {
  assert(item_count < items.size());
  GroOutput& item = items[item_count++];
  item.packet.head = packet.bytes();
  item.packet.offload = packet.offload;
  item.tunnel = tunnel;
  item.packets = packets;
  item.bytes = packets == 1 ? static_cast<std::uint32_t>(packet.size()) : packet_bytes(packet);
}

void Gro::State::open(std::uint32_t item) noexcept {
  const std::uint32_t hash = groups[item].first.hash;
  const std::uint32_t entry = flows.place(hash);
  if (flows.is_used(entry)) close(entry);
  flows.insert(entry, hash, item);
  groups[item].open();
}

void Gro::State::close(std::uint32_t entry) noexcept {
  const std::uint32_t item = flows.item(entry);
  const Group& group = groups[item];
  if (group.count > 1) {
    items[item].packet.offload = make_super_packet(group.first, group.total_bytes, group.has_push);
  }
  flows.remove(entry);
}

/// A packet whose flow is hidden may belong to any flow between its addresses, so it must not be
/// overtaken by them: their items are closed. `ip`: the packet from its IP header on.
void Gro::State::close_between_same_addresses(Bytes ip) noexcept {
  flows.for_each([&](std::uint32_t entry) {
    const Segment& first = groups[flows.item(entry)].first;
    const Bytes key = first.flow_key();
    const Bytes addresses = key.first(key.size() - proto::kPortsBytes);
    const std::size_t offset = first.is_ipv6 ? proto::kIpv6SourceOffset : proto::kIpv4SourceOffset;
    if (ip.size() < offset + addresses.size() ||
        gro_match::is_equal(ip.subspan(offset, addresses.size()), addresses)) {
      close(entry);
    }
  });
}

Gro::Gro(std::size_t capacity_packets, bool joins_udp)
    : state_(std::make_unique<State>(capacity_packets, joins_udp)) {}
Gro::~Gro() = default;
Gro::Gro(Gro&&) noexcept = default;
Gro& Gro::operator=(Gro&&) noexcept = default;

void Gro::add(io::Packet& packet, const PacketMeta& meta, std::uint32_t tunnel,
              std::uint32_t packets, bool may_coalesce) noexcept {
  State& state = *state_;
  const std::uint32_t item = state.item_count;
  Group& group = state.groups[item];
  proto::make_in_place(group, [] { return Group{}; });
  const Kind kind = read_segment(group.first, packet, meta, may_coalesce, state.joins_udp);
  if (kind == Kind::flow && state.join(group.first, tunnel)) return;
  if (kind == Kind::hidden) state.close_between_same_addresses(meta.ip_bytes(packet.bytes()));
  state.append_item(packet, tunnel, packets);
  if (group.first.may_be_joined() && !gro_match::has_push(group.first)) state.open(item);
}

std::span<const GroOutput> Gro::finish() noexcept {
  State& state = *state_;
  state.flows.for_each([&](std::uint32_t entry) { state.close(entry); });
  std::size_t slice_count = 0;
  for (std::uint32_t item = 0; item < state.item_count; ++item) {
    const std::size_t begin = slice_count;
    for (auto place = state.groups[item].first_joined; place != kNone;
         place = state.joined[place].next) {
      state.slices[slice_count++] = state.joined[place].payload;
    }
    state.items[item].packet.slices = std::span{state.slices}.subspan(begin, slice_count - begin);
  }
  return std::span{state.items}.first(state.item_count);
}

void Gro::clear() noexcept {
  state_->flows.clear();
  state_->item_count = 0;
  state_->joined_count = 0;
}

}  // namespace culvert
