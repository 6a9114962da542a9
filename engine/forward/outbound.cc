#include "engine/forward/outbound.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "engine/forward/outbound_route.h"
#include "engine/offload/gso.h"
#include "engine/offload/ipv4_fragment.h"
#include "proto/ecn.h"
#include "proto/in_place.h"
#include "proto/ipv4.h"
#include "proto/tcp_fields.h"

namespace culvert {

// The headers of every encapsulation fit into the headroom in front of a received packet, and the
// headers of a segment's fragment into a block.
static_assert(proto::kIpv4HeaderBytes + kMaxOverheadBytes <= io::kHeadroomBytes);
static_assert(proto::kIpv4HeaderBytes + kMaxOverheadBytes + 60 + kMaxInnerHeaderBytes <=
              OutboundBatch::kBlockBytes);

OutboundBatch::OutboundBatch(std::size_t capacity)
    : capacity_(capacity), blocks_(capacity * kBlockBytes) {
  datagrams_.reserve(capacity);
}

void OutboundPacket::classify(const io::Packet& packet) noexcept {
  if (packet.truncated || packet.has_bad_offload) {
    meta = {};
  } else {
    proto::make_in_place(meta, [&] { return culvert::classify(packet.bytes()); });
  }
  meta.packet_count = packet_count(packet);
  flow.role = FlowRole::none;
  choice = {};
}

namespace {

Verdict drop_too_big(const Tunnel& tunnel, std::uint16_t mtu) noexcept {
  return {.reason = DropReason::packet_too_big, .too_big_mtu = mtu, .tunnel = &tunnel};
}

/// The packet is the tunnel's own outer packet, routed back into the tunnel: RFC 2784 3.1, RFC 2473
/// 7.
bool is_routing_loop(const PacketMeta& meta, std::span<const std::byte> bytes, const Tunnel& tunnel,
                     proto::Ipv4Address remote) noexcept {
  if (meta.is_ipv6()) return false;
  const auto ip = meta.ip_bytes(bytes);
  // A packet from the remote endpoint would return to it: RFC 2003 3.2.
  if (tunnel.has_ipv4_in_ipv4 && proto::ipv4_source(ip) == remote) return true;
  return tunnel.has_ip_protocol(meta.upper_protocol) && proto::ipv4_destination(ip) == remote;
}

/// The least TTL of an outer packet whose inner packet stays on the link: the value of RFC 1700 for
/// new packets.
constexpr std::uint8_t kLinkTtl = 64;

/// Returns whether no router may forward the inner packet beyond the link, or beyond a hop: its
/// destination is link-local or multicast. Such packets often have a hop limit of 1 (OSPF: RFC 2328
/// A.1, RFC 5340 A.1), and the tunnel is one hop (RFC 4213 3.3), however many hops its path has.
bool is_for_link(const PacketMeta& meta, std::span<const std::byte> bytes) noexcept {
  const auto ip = meta.ip_bytes(bytes);
  if (!meta.is_ipv6()) return proto::ipv4_destination(ip).is_multicast();
  const auto destination = proto::ipv6_destination(ip);
  return destination.is_multicast() || destination.is_link_local();
}

/// TTL and TOS of the outer header. RFC 4213 3.3, RFC 2003 3.1 (a TTL appropriate for delivery to the
/// tunnel exit point), RFC 2983, RFC 6040 4.1.
std::uint8_t outer_ttl(const Tunnel& tunnel, const PacketMeta& meta,
                       std::span<const std::byte> bytes) noexcept {
  if (tunnel.config.ttl) return *tunnel.config.ttl;
  if (meta.hop_limit >= kLinkTtl || !is_for_link(meta, bytes)) return meta.hop_limit;
  return kLinkTtl;
}
std::uint8_t outer_tos(const Tunnel& tunnel, const PacketMeta& meta) noexcept {
  return proto::with_ecn(tunnel.config.tos.value_or(meta.ds_field),
                         proto::outer_ecn(proto::ecn_of(meta.ds_field), tunnel.config.ecn));
}

/// Encapsulates one packet from TUN and appends its outer packets to the batch. All of them share
/// the outer header, except for length, identification and the encapsulation's own fields.
class Encapsulator {
 public:
  Encapsulator(const Tunnel& tunnel, const OuterEndpoints& endpoints, const PacketMeta& meta,
               std::span<const std::byte> bytes, const Fit& fit, TunnelState& state,
               OutboundBatch& batch) noexcept
      : tunnel_(tunnel),
        fit_(fit),
        state_(state),
        batch_(batch),
        meta_(meta),
        endpoints_(endpoints) {
    outer_.source = endpoints.local;
    outer_.destination = endpoints.remote;
    outer_.protocol = tunnel.ip_protocol(meta.protocol_type);
    outer_.tos = outer_tos(tunnel, meta);
    outer_.ttl = outer_ttl(tunnel, meta, bytes);
    outer_.dont_fragment = fit.dont_fragment;
  }

  /// Sends a packet that fits the tunnel MTU.
  void send_packet(io::Packet& packet) noexcept {
    packet.grow_front(tunnel_.overhead_bytes());
    send(packet.bytes(), {}, 1);
  }

  /// Returns whether the kernel can segment the super-packet, headers included. It cannot if: it has
  /// refused too many; the segmentation is USO; the headers differ between segments (GRE checksum, sequence number);
  /// segments must be fragmented; there is only one segment, which the kernel drops if its TCP
  /// header has options.
  [[nodiscard]] bool kernel_cuts(const io::Packet& packet, const Gso& gso) const noexcept {
    return endpoints_.next_hop.kernel_gso && batch_.takes_super_packets() &&
           tunnel_.gso != proto::KernelGso::none &&
           packet.offload.segmentation != io::Segmentation::udp && gso.segment_count() > 1 &&
           gso.largest_frame_bytes() + tunnel_.overhead_bytes() <= fit_.outer_mtu_bytes;
  }

  /// Sends a super-packet unsegmented. Its outer header states the current length. The kernel
  /// corrects the length for each segment and increments the identification (RFC 6864 4.1: with DF
  /// set it may have any value).
  void send_super_packet(io::Packet& packet, const Gso& gso) noexcept {
    const auto segments = static_cast<std::uint32_t>(gso.segment_count());
    const std::uint32_t bytes = packet_bytes(packet);
    packet.grow_front(tunnel_.overhead_bytes());
    const auto whole = packet.bytes();
    outer_.total_bytes = static_cast<std::uint16_t>(std::min<std::size_t>(whole.size(), 0xffff));
    if (!outer_.dont_fragment) {
      outer_.identification = next_identification();
      state_.next_identification =
          static_cast<std::uint16_t>(state_.next_identification + segments - 1);
    }
    proto::build_ipv4(whole.first<proto::kIpv4HeaderBytes>(), outer_);
    if (tunnel_.encapsulation_bytes != 0) write_encapsulation(whole, {});
    io::Datagram& datagram = add(whole, {}, segments, bytes);
    datagram.offload = packet.offload;
    datagram.encapsulation_bytes = tunnel_.overhead_bytes();
    datagram.gso = tunnel_.gso;
  }

  /// Sends the segments of a super-packet, which fit the tunnel MTU.
  void send_segments(Gso& gso) noexcept {
    const std::size_t overhead = tunnel_.overhead_bytes();
    for (std::size_t i = 0; i < gso.segment_count(); ++i) {
      const auto head = batch_.block().first(overhead + gso.header_bytes());
      const auto slice = gso.next(head.subspan(overhead));
      send(head, slice, 1);
    }
  }

  /// Sends IPv4 segments that do not fit but may be fragmented.
  void send_fragmented_segments(Gso& gso) noexcept {
    std::array<std::byte, kMaxInnerHeaderBytes> headers;
    const auto head = std::span{headers}.first(gso.header_bytes());
    for (std::size_t i = 0; i < gso.segment_count(); ++i) {
      const auto slice = gso.next(head);
      cut_inner(head, slice);
    }
  }

  /// Sends the fragments of an IPv4 packet that does not fit but may be fragmented.
  void send_inner_fragments(std::span<const std::byte> inner) noexcept { cut_inner(inner, {}); }

 private:
  /// Writes the outer headers and appends the outer packet. `head`: overhead_bytes() of room, then
  /// the inner packet or its headers; `tail`: the rest of the inner packet. `packets`: the number
  /// to count once it is sent.
  void send(std::span<std::byte> head, std::span<const std::byte> tail,
            std::uint16_t packets) noexcept {
    const std::size_t total = head.size() + tail.size();
    outer_.total_bytes = static_cast<std::uint16_t>(total);
    if (!outer_.dont_fragment) outer_.identification = next_identification();
    proto::build_ipv4(head.first<proto::kIpv4HeaderBytes>(), outer_);
    if (tunnel_.encapsulation_bytes != 0) write_encapsulation(head, tail);
    if (!outer_.dont_fragment && total > fit_.outer_mtu_bytes)
      return send_fragments(head, tail, packets);
    add(head, tail, packets, total - tunnel_.overhead_bytes());
  }

  void write_encapsulation(std::span<std::byte> head, std::span<const std::byte> tail) noexcept {
    const auto header = head.subspan(proto::kIpv4HeaderBytes, tunnel_.encapsulation_bytes);
    const proto::PayloadParts payload{head.subspan(tunnel_.overhead_bytes()), tail,
                                      meta_.protocol_type};
    dispatch(tunnel_.config.mode, [&](auto encapsulation, const auto& parameters) {
      const std::uint32_t sequence =
          encapsulation.sends_sequence(parameters) ? state_.next_sequence++ : 0;
      encapsulation.encapsulate(header, parameters, sequence, payload);
    });
  }

  /// RFC 6864 4.3: unique while a fragment of the packet may live. Never 0: the kernel would
  /// replace 0 by its own value.
  std::uint16_t next_identification() noexcept {
    if (++state_.next_identification == 0) ++state_.next_identification;
    return state_.next_identification;
  }

  /// Fragments an outer packet (RFC 4213 3.2.1, DF clear). The head of a segment lies in a block of
  /// the batch, which a flush reuses, so the head is copied. It contains headers only, and this
  /// path is rare.
  void send_fragments(std::span<const std::byte> head, std::span<const std::byte> tail,
                      std::uint16_t packets) noexcept {
    std::array<std::byte, OutboundBatch::kBlockBytes> copy;
    if (head.size() <= copy.size()) {
      std::memcpy(copy.data(), head.data(), head.size());
      head = std::span{copy}.first(head.size());
    }
    const std::size_t inner_bytes = head.size() + tail.size() - tunnel_.overhead_bytes();
    cut(head.first(proto::kIpv4HeaderBytes), head.subspan(proto::kIpv4HeaderBytes), tail,
        fit_.outer_mtu_bytes, 0,
        [&, this](auto fragment_head, auto fragment_tail, std::uint16_t is_first) {
          add(fragment_head, fragment_tail, packets * is_first, inner_bytes * is_first);
        });
  }

  /// Fragments an IPv4 packet. Each fragment's header lies in a block behind `room_bytes`. Calls
  /// `emit(head with room, tail, 1 for the first fragment and 0 for the others)`.
  template <class Emit>
  void cut(std::span<const std::byte> header, std::span<const std::byte> payload,
           std::span<const std::byte> payload2, std::uint16_t mtu_bytes, std::size_t room_bytes,
           Emit emit) noexcept {
    Ipv4Fragmenter fragmenter(header, payload, payload2, mtu_bytes);
    for (std::uint16_t is_first = 1;; is_first = 0) {
      const auto block = batch_.block();
      const auto piece = fragmenter.next(block.subspan(room_bytes).first<60>());
      if (!piece) return;
      std::size_t head_bytes = room_bytes + piece->header_bytes;
      auto tail = piece->payload;
      const bool is_short = head_bytes + tail.size() <= block.size();
      // copy payload that may lie in a temporary copy into the block
      if (is_short || !piece->payload2.empty()) {
        std::memcpy(block.data() + head_bytes, tail.data(), tail.size());
        head_bytes += tail.size();
        tail = piece->payload2;
      }
      emit(block.first(head_bytes), tail, is_first);
    }
  }

  /// Fragments an inner packet, whose headers are in `head`. Each fragment has the packet's
  /// link-layer header.
  void cut_inner(std::span<const std::byte> head, std::span<const std::byte> tail) noexcept {
    const auto link_header = head.first(meta_.ip_offset);
    const auto ip = meta_.ip_bytes(head);
    const std::size_t overhead = tunnel_.overhead_bytes();
    cut(ip.first(meta_.ip_header_bytes), ip.subspan(meta_.ip_header_bytes), tail, fit_.mtu_bytes,
        overhead + link_header.size(),
        [&, this](auto fragment_head, auto fragment_tail, std::uint16_t packets) {
          std::ranges::copy(link_header, fragment_head.begin() + overhead);
          send(fragment_head, fragment_tail, packets);
        });
  }

  io::Datagram& add(std::span<const std::byte> head, std::span<const std::byte> tail,
                    std::size_t packets, std::size_t inner_bytes) noexcept {
    OutboundDatagram& added = batch_.add();
    added.tunnel = tunnel_.index;
    added.packets = static_cast<std::uint32_t>(packets);
    added.inner_bytes = static_cast<std::uint32_t>(inner_bytes);
    added.datagram.head = head;
    added.datagram.tail = tail;
    added.datagram.destination = endpoints_.remote;
    added.datagram.next_hop = endpoints_.next_hop;
    added.datagram.interface_index = endpoints_.interface_index;
    return added.datagram;
  }

  const Tunnel& tunnel_;
  const Fit& fit_;
  TunnelState& state_;
  OutboundBatch& batch_;
  const PacketMeta& meta_;
  const OuterEndpoints& endpoints_;
  proto::Ipv4Fields outer_;
};

Verdict to_tunnel(const Tunnel& tunnel) noexcept {
  return {.action = Verdict::Action::to_tunnel, .tunnel = &tunnel};
}

// Stages 8 to 10 of outbound.h for a super-packet.
Verdict outbound_super_packet(io::Packet& packet, const PacketMeta& meta, const Tunnel& tunnel,
                              const Fit& fit, Encapsulator& encapsulator) noexcept {
  auto gso = Gso::start(packet, meta);
  if (!gso) return drop(DropReason::tun_offload_malformed, &tunnel);
  if (gso->largest_packet_bytes() <= fit.mtu_bytes) {
    if (encapsulator.kernel_cuts(packet, *gso)) {
      encapsulator.send_super_packet(packet, *gso);
    } else {
      encapsulator.send_segments(*gso);
    }
  } else if (meta.may_be_fragmented) {
    encapsulator.send_fragmented_segments(*gso);
  } else {
    return drop_too_big(tunnel, fit.mtu_bytes);
  }
  return to_tunnel(tunnel);
}

// Stages 8 to 10 of outbound.h for any other packet.
Verdict outbound_packet(io::Packet& packet, const PacketMeta& meta, const Tunnel& tunnel,
                        const Fit& fit, Encapsulator& encapsulator) noexcept {
  if (packet.offload.needs_checksum && !complete_checksum(packet)) {
    return drop(DropReason::tun_offload_malformed, &tunnel);
  }
  if (meta.size_bytes <= fit.mtu_bytes) {
    encapsulator.send_packet(packet);
  } else if (meta.may_be_fragmented) {
    encapsulator.send_inner_fragments(packet.bytes());
  } else {
    return drop_too_big(tunnel, fit.mtu_bytes);
  }
  return to_tunnel(tunnel);
}

}  // namespace

// Stages 2 to 7 of outbound.h.
Verdict outbound(io::Packet& packet, const OutboundPacket& classified, const Tables& tables,
                 TunnelStats& stats, FlowPinning& flows, OutboundBatch& batch) noexcept {
  if (packet.truncated) return drop(DropReason::tun_packet_truncated);
  if (packet.has_bad_offload) return drop(DropReason::tun_offload_malformed);
  const PacketMeta& meta = classified.meta;
  if (!meta.has_ip_header()) return drop(DropReason::tun_packet_malformed);
  if (!packet.offload.is_super_packet()) packet.trim_to(meta.end_offset());
  const OutboundRoute route = select_tunnel(packet, classified, tables, flows);
  const Tunnel* tunnel = route.tunnel;
  if (tunnel == nullptr) return drop(DropReason::no_tunnel_for_destination);
  if (!route.is_up) return drop(DropReason::outbound_tunnel_down, tunnel);
  if (tunnel->ip_protocol(meta.protocol_type) == 0)
    return drop(DropReason::payload_unsupported, tunnel);
  const OuterEndpoints endpoints = outer_endpoints(route, tables.own_addresses());
  if (is_routing_loop(meta, packet.bytes(), *tunnel, endpoints.remote))
    return drop(DropReason::routing_loop, tunnel);
  if (endpoints.remote.is_unspecified()) return drop(DropReason::remote_unknown, tunnel);
  // A dropped packet creates no flow, so the next one is recognized as well. RFC 4443 3.1.
  if (route.is_placed && flows.has_arrived_by(classified.flow, route.pin.slot, endpoints.remote))
    return drop(DropReason::loops_back, tunnel);
  if (endpoints.local.is_unspecified()) return drop(DropReason::local_address_unknown, tunnel);
  flows.sent(classified.flow, route.pin, route.is_placed);
  const Fit fit = fit_packet(*tunnel, meta);
  if (tunnel->config.mssclamp)
    clamp_to_mtu(meta, packet.bytes(), fit.mtu_bytes, packet.offload.needs_checksum);
  Encapsulator encapsulator(*tunnel, endpoints, meta, packet.bytes(), fit,
                            stats.state(tunnel->index), batch);
  if (packet.offload.is_super_packet())
    return outbound_super_packet(packet, meta, *tunnel, fit, encapsulator);
  return outbound_packet(packet, meta, *tunnel, fit, encapsulator);
}

}  // namespace culvert
