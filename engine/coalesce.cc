#include "engine/coalesce.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstring>
#include <optional>
#include <vector>

#include "engine/segment.h"
#include "proto/byte_order.h"
#include "proto/checksum.h"
#include "proto/ipv4.h"
#include "proto/ipv6.h"
#include "proto/tcp.h"
#include "proto/udp.h"

namespace culvert {
namespace {

using Bytes = std::span<const std::byte>;
using proto::load;
using proto::load_be16;
using proto::load_be32;
using proto::load_u8;

constexpr std::size_t kLargestPacketBytes = 65535, kPortsBytes = 4;
/// The kernel refuses UDP super-packets of more datagrams (UDP_MAX_SEGMENTS; 128 since Linux 6.9).
constexpr std::uint32_t kMaxDatagrams = 64;
constexpr std::size_t kTcpSequence = 4, kTcpAcknowledgment = 8, kTcpDataOffset = 12, kTcpFlags = 13,
                      kTcpWindow = 14, kTcpUrgentPointer = 18;

/// Whether a packet belongs to a flow whose packets may be joined.
enum class Kind : std::uint8_t {
  flow,    ///< TCP or UDP, and the ports are where they are expected
  hidden,  ///< it may belong to any flow between its addresses: fragments, options, extensions
  other,   ///< ICMP: of no such flow
};

/// A TCP or UDP packet, as far as joining looks into it.
struct Segment {
  std::byte* packet = nullptr;
  std::uint16_t ip_bytes = 0;      ///< the transport header begins here
  std::uint16_t header_bytes = 0;  ///< the payload begins here; 0: may not be joined
  std::uint32_t payload_bytes = 0;
  bool is_ipv6 = false;
  bool is_tcp = false;
  bool has_trusted_checksum = false;  ///< the kernel vouches for it
  std::uint64_t hash = 0;             ///< of the flow

  [[nodiscard]] Bytes bytes() const noexcept { return {packet, header_bytes + payload_bytes}; }
  [[nodiscard]] Bytes transport() const noexcept { return bytes().subspan(ip_bytes); }
  [[nodiscard]] Bytes payload() const noexcept { return bytes().subspan(header_bytes); }
  /// Addresses and ports lie next to each other, since there is nothing between the headers.
  [[nodiscard]] Bytes flow_key() const noexcept {
    const std::size_t addresses = is_ipv6 ? 8 : 12;
    return {packet + addresses, ip_bytes + kPortsBytes - addresses};
  }
};

std::uint64_t mix(std::uint64_t hash, std::uint64_t word) noexcept {
  constexpr std::uint64_t kOdd = 0x9e37'79b9'7f4a'7c15;  // 2^64 divided by the golden ratio
  return std::rotl((hash ^ word) * kOdd, 29);
}

std::uint64_t hash_of_flow(const Segment& segment) noexcept {
  const Bytes key = segment.flow_key();
  std::uint64_t hash = segment.is_tcp ? 1 : 2;
  std::size_t offset = 0;
  for (; offset + 8 <= key.size(); offset += 8) hash = mix(hash, load<std::uint64_t>(key, offset));
  return mix(hash, load<std::uint32_t>(key, offset));
}

bool is_same_flow(const Segment& a, const Segment& b) noexcept {
  return a.is_ipv6 == b.is_ipv6 && a.is_tcp == b.is_tcp &&
         std::ranges::equal(a.flow_key(), b.flow_key());
}

/// Sets where the transport header is; says whether it can be read there.
Kind find_transport(Segment& segment, Bytes packet) noexcept {
  if (packet.size() < proto::kIpv4HeaderBytes) return Kind::hidden;
  std::uint8_t protocol = 0;
  if (load_u8(packet, 0) >> 4 == 6) {
    if (packet.size() < proto::kIpv6HeaderBytes) return Kind::hidden;
    segment.is_ipv6 = true;
    segment.ip_bytes = proto::kIpv6HeaderBytes;
    protocol = load_u8(packet, 6);
  } else {
    constexpr std::uint16_t kFragmentMask = 0x3fff;  // MF and the offset: RFC 791 3.1
    const bool is_plain = load_u8(packet, 0) == 0x45 && (load_be16(packet, 6) & kFragmentMask) == 0;
    if (!is_plain) return Kind::hidden;
    segment.ip_bytes = proto::kIpv4HeaderBytes;
    protocol = load_u8(packet, 9);
  }
  if (protocol == (segment.is_ipv6 ? proto::kProtocolIcmpv6 : proto::kProtocolIcmp)) {
    return Kind::other;
  }
  segment.is_tcp = protocol == proto::kProtocolTcp;
  if (!segment.is_tcp && protocol != proto::kProtocolUdp) return Kind::hidden;
  return packet.size() < segment.ip_bytes + kPortsBytes ? Kind::hidden : Kind::flow;
}

/// Size of the TCP header if the segment may be joined with others: data, no flags but ACK and PSH,
/// reserved bits 0. Otherwise 0.
std::size_t joinable_tcp_header_bytes(Bytes segment) noexcept {
  if (segment.size() <= proto::kTcpHeaderBytes) return 0;
  const unsigned offset_and_reserved = load_u8(segment, kTcpDataOffset);
  const std::size_t size = std::size_t{offset_and_reserved >> 4} << 2;
  const bool has_reserved_bits = (offset_and_reserved & 0xf) != 0;
  if (size < proto::kTcpHeaderBytes || size >= segment.size() || has_reserved_bits) return 0;
  const unsigned flags = load_u8(segment, kTcpFlags);
  return (flags & ~unsigned{proto::kTcpPsh}) == proto::kTcpAck ? size : 0;
}

/// The same for a datagram: data, the length of the IP payload, and a checksum.
std::size_t joinable_udp_header_bytes(Bytes datagram) noexcept {
  if (datagram.size() <= proto::kUdpHeaderBytes) return 0;
  if (load_be16(datagram, 4) != datagram.size()) return 0;
  return load<std::uint16_t>(datagram, proto::kUdpChecksumOffset) == 0 ? 0 : proto::kUdpHeaderBytes;
}

std::size_t checksum_offset(bool is_tcp) noexcept {
  return is_tcp ? proto::kTcpChecksumOffset : proto::kUdpChecksumOffset;
}

/// Sets header_bytes if the packet may be joined with others of its flow.
void find_payload(Segment& segment, const io::Packet& packet, bool joins_udp) noexcept {
  const Bytes bytes = packet.bytes();
  const auto& offload = packet.offload;
  const std::size_t stated =
      segment.is_ipv6 ? proto::kIpv6HeaderBytes + load_be16(bytes, 4) : load_be16(bytes, 2);
  if (stated != bytes.size() || offload.is_super_packet()) return;
  const bool is_partial = offload.needs_checksum;
  if (is_partial && (offload.checksum_start != segment.ip_bytes ||
                     offload.checksum_offset != checksum_offset(segment.is_tcp))) {
    return;
  }
  const Bytes transport = bytes.subspan(segment.ip_bytes);
  if (!segment.is_tcp && !joins_udp) return;
  const std::size_t size =
      segment.is_tcp ? joinable_tcp_header_bytes(transport) : joinable_udp_header_bytes(transport);
  if (size == 0) return;
  segment.header_bytes = static_cast<std::uint16_t>(segment.ip_bytes + size);
  segment.payload_bytes = static_cast<std::uint32_t>(bytes.size() - segment.header_bytes);
  segment.has_trusted_checksum = is_partial || offload.checksum_verified;
}

proto::ChecksumSum pseudo_header_sum(const Segment& segment, std::size_t transport_bytes) noexcept {
  const Bytes packet = segment.bytes();
  const auto size = static_cast<std::uint32_t>(transport_bytes);
  const auto protocol = segment.is_tcp ? proto::kProtocolTcp : proto::kProtocolUdp;
  if (segment.is_ipv6) {
    return proto::pseudo_header_sum(load<proto::Ipv6Address>(packet, 8),
                                    load<proto::Ipv6Address>(packet, 24), protocol, size);
  }
  return proto::pseudo_header_sum(load<proto::Ipv4Address>(packet, 12),
                                  load<proto::Ipv4Address>(packet, 16), protocol, size);
}

/// Verifies the checksums: joining and cutting would repair them, and damage would go unseen.
bool is_intact(const Segment& segment) noexcept {
  if (!segment.is_ipv6 && !verifies(proto::sum(segment.bytes().first(segment.ip_bytes)))) {
    return false;
  }
  if (segment.has_trusted_checksum) return true;
  const Bytes transport = segment.transport();
  return verifies(pseudo_header_sum(segment, transport.size()) + proto::sum(transport));
}

Bytes options(const Segment& segment) noexcept {
  const std::size_t offset = segment.ip_bytes + proto::kTcpHeaderBytes;
  return segment.bytes().subspan(offset, segment.header_bytes - offset);
}

/// Whether all header fields that cutting copies from the first packet are those of `next` too.
bool has_same_headers(const Segment& first, const Segment& next, std::uint32_t position) noexcept {
  const Bytes a = first.bytes();
  const Bytes b = next.bytes();
  if (first.header_bytes != next.header_bytes) return false;
  const auto differ = [&](auto word, std::size_t offset) {
    return load<decltype(word)>(a, offset) != load<decltype(word)>(b, offset);
  };
  if (first.is_ipv6) {  // version, traffic class, flow label; next header, hop limit
    if (differ(std::uint32_t{}, 0) || differ(std::uint16_t{}, 6)) return false;
  } else {  // version, IHL, TOS; flags; TTL, protocol
    if (differ(std::uint16_t{}, 0) || differ(std::uint16_t{}, 6) || differ(std::uint16_t{}, 8)) {
      return false;
    }
    constexpr std::uint16_t kDontFragment = 0x4000;  // then the identification means nothing
    const auto expected = static_cast<std::uint16_t>(load_be16(a, 4) + position);
    if ((load_be16(b, 6) & kDontFragment) == 0 && load_be16(b, 4) != expected) return false;
  }
  if (!first.is_tcp) return true;
  const std::size_t tcp = first.ip_bytes;
  return !differ(std::uint32_t{}, tcp + kTcpAcknowledgment) &&
         !differ(std::uint16_t{}, tcp + kTcpWindow) &&
         !differ(std::uint16_t{}, tcp + kTcpUrgentPointer) &&
         std::ranges::equal(options(first), options(next));
}

bool has_push(const Segment& segment) noexcept {
  return segment.is_tcp && (load_u8(segment.transport(), kTcpFlags) & proto::kTcpPsh) != 0;
}

constexpr std::uint32_t kNone = 0xffff'ffff;

/// A packet that waits for the next of its flow, and those that joined it.
struct Open {
  Segment first;
  std::uint32_t item = 0;   ///< its place in the round
  std::uint32_t count = 1;  ///< packets
  std::uint32_t next_sequence = 0;
  std::uint32_t total_bytes = 0;
  bool is_verified = false;  ///< the first packet is intact: seen to only when a second one comes
  bool has_push = false;

  Open(const Segment& segment, std::uint32_t place) noexcept : first(segment), item(place) {
    total_bytes = first.header_bytes + first.payload_bytes;
    if (first.is_tcp) {
      next_sequence = load_be32(first.transport(), kTcpSequence) + first.payload_bytes;
    }
  }
  Open() = default;

  [[nodiscard]] bool takes(const Segment& next) const noexcept {
    if (next.header_bytes == 0 || next.payload_bytes > first.payload_bytes) return false;
    if (total_bytes + next.payload_bytes > kLargestPacketBytes) return false;
    if (first.is_tcp && load_be32(next.transport(), kTcpSequence) != next_sequence) return false;
    return has_same_headers(first, next, count);
  }

  void take(const Segment& next) noexcept {
    ++count;
    total_bytes += next.payload_bytes;
    next_sequence += next.payload_bytes;
    has_push = culvert::has_push(next);
  }

  /// Whether nothing may be joined behind `last`, a packet that it has taken.
  [[nodiscard]] bool is_full(const Segment& last) const noexcept {
    return last.payload_bytes < first.payload_bytes || has_push ||
           count == (first.is_tcp ? io::kMaxSlices + 1 : kMaxDatagrams);
  }
};

/// Makes the first packet's headers those of the super-packet, and says how it is to be cut.
io::Offload finish_headers(const Open& open) noexcept {
  const Segment& first = open.first;
  const std::span<std::byte> headers{first.packet, first.header_bytes};
  const auto transport = headers.subspan(first.ip_bytes);
  const std::size_t transport_bytes = open.total_bytes - first.ip_bytes;
  if (first.is_ipv6) {
    proto::set_ipv6_payload_bytes(headers, static_cast<std::uint16_t>(transport_bytes));
  } else {
    proto::set_ipv4_total_bytes(headers, static_cast<std::uint16_t>(open.total_bytes));
  }
  if (!first.is_tcp) {
    proto::store_be16(transport, 4, static_cast<std::uint16_t>(transport_bytes));
  } else if (open.has_push) {
    transport[kTcpFlags] |= std::byte{proto::kTcpPsh};
  }
  proto::store(transport, checksum_offset(first.is_tcp),
               proto::fold(pseudo_header_sum(first, transport_bytes)));
  const auto tcp = first.is_ipv6 ? io::Segmentation::tcp6 : io::Segmentation::tcp4;
  return {.needs_checksum = true,
          .checksum_start = first.ip_bytes,
          .checksum_offset = static_cast<std::uint16_t>(checksum_offset(first.is_tcp)),
          .segmentation = first.is_tcp ? tcp : io::Segmentation::udp,
          .segment_bytes = static_cast<std::uint16_t>(first.payload_bytes),
          .header_bytes = first.header_bytes};
}

/// The flows that have an open packet: a small cache, since a flow that falls out of it only loses
/// the chance to be joined.
class OpenFlows {
 public:
  static constexpr std::size_t kSets = 16, kWays = 4;

  /// The open packet of a segment's flow; null: there is none.
  Open* find(const Segment& segment) noexcept {
    const std::size_t begin = set_of(segment);
    for (std::size_t way = begin; way < begin + kWays; ++way) {
      if (is_used(way) && opens_[way].first.hash == segment.hash &&
          is_same_flow(opens_[way].first, segment)) {
        return &opens_[way];
      }
    }
    return nullptr;
  }

  /// A place for a segment's flow: a free one, or that of the oldest, which `close` is called with.
  template <class Close>
  Open& place(const Segment& segment, Close close) noexcept {
    const std::size_t begin = set_of(segment);
    std::size_t oldest = begin;
    for (std::size_t way = begin; way < begin + kWays; ++way) {
      if (!is_used(way)) {
        used_ |= bit(way);
        return opens_[way];
      }
      if (opens_[way].item < opens_[oldest].item) oldest = way;
    }
    close(opens_[oldest]);
    used_ |= bit(oldest);
    return opens_[oldest];
  }

  void remove(const Open& open) noexcept {
    used_ &= ~bit(static_cast<std::size_t>(&open - opens_.data()));
  }

  /// Calls `function` with each open packet; it may remove it.
  template <class Function>
  void for_each(Function function) noexcept {
    for (std::uint64_t rest = used_; rest != 0; rest &= rest - 1) {
      function(opens_[static_cast<std::size_t>(std::countr_zero(rest))]);
    }
  }

  void clear() noexcept { used_ = 0; }

 private:
  static std::size_t set_of(const Segment& segment) noexcept {
    return segment.hash % kSets * kWays;
  }
  static std::uint64_t bit(std::size_t way) noexcept { return std::uint64_t{1} << way; }
  [[nodiscard]] bool is_used(std::size_t way) const noexcept { return (used_ & bit(way)) != 0; }

  std::array<Open, kSets * kWays> opens_{};
  std::uint64_t used_ = 0;
  static_assert(kSets * kWays <= 64);
};

/// A packet that joined another: its payload, and who joined next.
struct Joined {
  Bytes payload;
  std::uint32_t next = kNone;
};
/// The packets that joined one item of the round, in their order.
struct Chain {
  std::uint32_t first = kNone;
  std::uint32_t last = kNone;
};

}  // namespace

struct Coalescer::State {
  State(std::size_t capacity_packets, bool takes_udp)
      : joins_udp(takes_udp),
        items(capacity_packets),
        chains(capacity_packets),
        joined(capacity_packets),
        slices(capacity_packets) {}

  void append(io::Packet& packet, std::uint32_t tunnel, std::uint32_t packets) noexcept;
  void join(Open& open, const Segment& segment) noexcept;
  void close(Open& open) noexcept;
  void close_between_same_addresses(Bytes packet) noexcept;
  [[nodiscard]] bool may_join(Open& open, const Segment& segment, std::uint32_t tunnel) noexcept;

  bool joins_udp;
  OpenFlows flows;
  std::vector<Coalesced> items;
  std::vector<Chain> chains;  ///< one for each item
  std::size_t item_count = 0;
  std::vector<Joined> joined;
  std::size_t joined_count = 0;
  std::vector<Bytes> slices;  ///< of all super-packets, one after the other
};

void Coalescer::State::append(io::Packet& packet, std::uint32_t tunnel,
                              std::uint32_t packets) noexcept {
  assert(item_count < items.size());
  items[item_count] = {.packet = {.head = packet.bytes(), .slices = {}, .offload = packet.offload},
                       .tunnel = tunnel,
                       .packets = packets,
                       .bytes = packet_bytes(packet)};
  chains[item_count] = {};
  ++item_count;
}

bool Coalescer::State::may_join(Open& open, const Segment& segment, std::uint32_t tunnel) noexcept {
  if (items[open.item].tunnel != tunnel || !open.takes(segment)) return false;
  if (!open.is_verified && !is_intact(open.first)) return false;
  open.is_verified = true;
  return is_intact(segment);
}

void Coalescer::State::join(Open& open, const Segment& segment) noexcept {
  assert(joined_count < joined.size());
  const auto place = static_cast<std::uint32_t>(joined_count++);
  joined[place] = {.payload = segment.payload()};
  Chain& chain = chains[open.item];
  (chain.first == kNone ? chain.first : joined[chain.last].next) = place;
  chain.last = place;
  items[open.item].packets += 1;
  items[open.item].bytes += static_cast<std::uint32_t>(segment.bytes().size());
  open.take(segment);
  if (open.is_full(segment)) close(open);
}

void Coalescer::State::close(Open& open) noexcept {
  if (open.count > 1) items[open.item].packet.offload = finish_headers(open);
  flows.remove(open);
}

/// What hides its flow may be of any between its addresses, and must not be overtaken.
void Coalescer::State::close_between_same_addresses(Bytes packet) noexcept {
  flows.for_each([&](Open& open) {
    const Bytes key = open.first.flow_key();
    const Bytes addresses = key.first(key.size() - kPortsBytes);
    const std::size_t offset = open.first.is_ipv6 ? 8 : 12;
    if (packet.size() < offset + addresses.size() ||
        std::ranges::equal(packet.subspan(offset, addresses.size()), addresses)) {
      close(open);
    }
  });
}

Coalescer::Coalescer(std::size_t capacity_packets, bool joins_udp)
    : state_(std::make_unique<State>(capacity_packets, joins_udp)) {}
Coalescer::~Coalescer() = default;
Coalescer::Coalescer(Coalescer&&) noexcept = default;
Coalescer& Coalescer::operator=(Coalescer&&) noexcept = default;

void Coalescer::add(io::Packet& packet, std::uint32_t tunnel, std::uint32_t packets,
                    bool may_coalesce) noexcept {
  State& state = *state_;
  Segment segment{.packet = packet.bytes().data()};
  const Kind kind = find_transport(segment, packet.bytes());
  if (kind == Kind::flow) {
    segment.hash = hash_of_flow(segment);
    if (may_coalesce) find_payload(segment, packet, state.joins_udp);
    if (Open* open = state.flows.find(segment); open != nullptr) {
      if (state.may_join(*open, segment, tunnel)) return state.join(*open, segment);
      state.close(*open);
    }
  } else if (kind == Kind::hidden) {
    state.close_between_same_addresses(packet.bytes());
  }
  const auto item = static_cast<std::uint32_t>(state.item_count);
  state.append(packet, tunnel, packets);
  if (segment.header_bytes == 0 || has_push(segment)) return;
  state.flows.place(segment, [&](Open& oldest) { state.close(oldest); }) = Open(segment, item);
}

std::span<const Coalesced> Coalescer::finish() noexcept {
  State& state = *state_;
  state.flows.for_each([&](Open& open) { state.close(open); });
  std::size_t slice_count = 0;
  for (std::size_t item = 0; item < state.item_count; ++item) {
    const std::size_t begin = slice_count;
    for (auto place = state.chains[item].first; place != kNone; place = state.joined[place].next) {
      state.slices[slice_count++] = state.joined[place].payload;
    }
    state.items[item].packet.slices = std::span{state.slices}.subspan(begin, slice_count - begin);
  }
  return std::span{state.items}.first(state.item_count);
}

void Coalescer::clear() noexcept {
  state_->flows.clear();
  state_->item_count = 0;
  state_->joined_count = 0;
}

}  // namespace culvert
