#include "engine/forward/inbound.h"

#include "engine/model/packet_meta.h"
#include "engine/offload/gro_repair.h"
#include "engine/offload/gso.h"
#include "proto/ecn.h"
#include "proto/in_place.h"
#include "proto/ipv4.h"
#include "proto/tcp_fields.h"

namespace culvert {
namespace {

using proto::ChecksumCheck;
using proto::Malformed;

Verdict drop(Stage stage, Malformed malformed, const Tunnel* tunnel = nullptr) noexcept {
  return drop(drop_reason(stage, malformed), tunnel);
}

/// Checks whether the tunnel is up and may receive from this outer source. none: yes.
DropReason check_outer(const Tunnel& tunnel, const proto::Ipv4Packet& outer,
                       const OwnAddresses& own) noexcept {
  if (!tunnel.config.up) return DropReason::inbound_tunnel_down;
  if (tunnel.config.remote.is_fixed()) return DropReason::none;
  const auto source = outer.source;
  const bool is_special_source = source.is_multicast() || source.is_reserved() ||
                                 source.is_loopback() || source.host() >> 24 == 0 ||
                                 source == outer.destination || contains(own, source);
  return is_special_source ? DropReason::outer_source_forbidden : DropReason::none;
}

/// A tunnel with `dev` receives on that interface only, or on the members of that VRF, provided that
/// the socket reports the interface.
bool matches_interface(const Tables& tables, const Tunnel& tunnel,
                       const io::Packet& packet) noexcept {
  const auto wanted = tunnel.path->interface_index.load(std::memory_order_relaxed);
  return wanted == 0 || packet.interface_index == 0 || packet.interface_index == wanted ||
         tables.is_vrf_member(wanted, packet.interface_index);
}

/// The payload packet; and whether its bad encapsulation checksum is valid only if a NIC has
/// coalesced the packet.
struct Decapsulated {
  proto::Parsed<proto::Payload> payload;
  bool must_be_coalesced = false;
};

/// A coalesced packet carries the encapsulation checksum of its first packet. A packet with an
/// unfinished transport checksum (sent on this host) fails until that checksum is completed.
Decapsulated decapsulate_packet(io::Packet& packet, const proto::Ipv4Packet& outer,
                                io::ReceiveKind receive) noexcept {
  const auto check =
      packet.offload.is_super_packet() ? ChecksumCheck::already_verified : ChecksumCheck::verify;
  Decapsulated result{culvert::decapsulate(outer.protocol, outer.payload, check)};
  if (result.payload || result.payload.error() != Malformed::bad_checksum) return result;
  if (packet.offload.needs_checksum && complete_checksum(packet)) {
    result.payload = culvert::decapsulate(outer.protocol, outer.payload, ChecksumCheck::verify);
  } else if (receive == io::ReceiveKind::raw) {
    result = {culvert::decapsulate(outer.protocol, outer.payload, ChecksumCheck::already_verified),
              true};
  }
  return result;
}

/// Old numbers in ascending order, with no newer one between them, after which the remote endpoint
/// has started anew. RFC 2890 2.2 leaves open how a receiver follows a restart. Packets that are
/// merely late lie among newer ones, which begin the run again; doubles are not ascending. A few
/// late packets taken for a restart would be delivered out of order, and nothing would be lost.
constexpr std::uint16_t kRestartRun = 8;
/// The largest step between two numbers of the run: a restarted endpoint counts by ones, and some of
/// its packets are lost.
constexpr std::uint32_t kRestartStep = 1024;

enum class Sequence : std::uint8_t { newer, old, restarted };

/// A number is newer if it lies in the half of the number space in front of `last`.
bool is_newer(std::uint32_t sequence, std::uint32_t last) noexcept {
  return static_cast<std::int32_t>(sequence - last) > 0;
}

/// RFC 2890 2.2. Stores the number, unless it is old.
Sequence check_sequence(TunnelState& state, std::uint32_t sequence) noexcept {
  auto result = Sequence::newer;
  if (!is_newer(sequence, state.last_sequence)) {
    const std::uint32_t step = sequence - state.last_old_sequence;
    const bool continues = state.old_in_order > 0 && step > 0 && step <= kRestartStep;
    if (!continues) state.old_in_order = 0;
    ++state.old_in_order;
    state.last_old_sequence = sequence;
    if (state.old_in_order < kRestartRun) return Sequence::old;
    result = Sequence::restarted;
  }
  state.last_sequence = sequence;
  state.old_in_order = 0;
  return result;
}

/// Checks the optional fields that the tunnel requires. none: they are valid. `restarted` becomes
/// true if the sequence numbers have started anew.
DropReason check_fields(const Tunnel& tunnel, const proto::Payload& payload, TunnelState& state,
                        bool& restarted) noexcept {
  return dispatch(tunnel.config.mode, [&](auto encapsulation, const auto& parameters) {
    if (encapsulation.wants_checksum(parameters) && !payload.had_checksum)
      return DropReason::tunnel_checksum_missing;
    if (!encapsulation.wants_sequence(parameters)) return DropReason::none;
    if (!payload.sequence) return DropReason::sequence_missing;
    const Sequence sequence = check_sequence(state, *payload.sequence);
    restarted = sequence == Sequence::restarted;
    return sequence == Sequence::old ? DropReason::sequence_old : DropReason::none;
  });
}

/// Returns whether the inner packet's destination is the encapsulator, its outer source. RFC 2784
/// 3.1.
bool is_for_encapsulator(const PacketMeta& meta, std::span<const std::byte> bytes,
                         const proto::Ipv4Packet& outer) noexcept {
  return !meta.is_ipv6() && proto::ipv4_destination(meta.ip_bytes(bytes)) == outer.source;
}

/// The positions of the offload must lie within the inner packet.
bool offload_fits(const io::Packet& packet) noexcept {
  const auto& offload = packet.offload;
  if (!offload.needs_checksum) return !offload.is_super_packet();
  return std::size_t{offload.checksum_start} + offload.checksum_offset + 2 <= packet.size();
}

// Stages 5 to 10 of inbound.h.
Verdict inbound_inner(io::Packet& packet, PacketMeta& meta, const Tunnel& tunnel,
                      const proto::Ipv4Packet& outer, bool must_be_coalesced, FlowPinning& flows,
                      io::ReceiveKind receive) noexcept {
  proto::make_in_place(meta, [&] { return classify(packet.bytes()); });
  if (!meta.has_ip_header()) return drop(Stage::inner_header, meta.malformed, &tunnel);
  packet.trim_to(meta.end_offset());  // RFC 4213 3.6: the length is that of the inner header
  if (!offload_fits(packet)) return drop(DropReason::tunnel_offload_malformed, &tunnel);
  if (receive == io::ReceiveKind::raw) {
    const auto repair = repair_gro(packet, meta, tunnel.device_mtu);
    if (repair == GroRepair::unrepairable)
      return drop(DropReason::gro_segment_size_unknown, &tunnel);
    if (must_be_coalesced && repair == GroRepair::intact)
      return drop(DropReason::tunnel_checksum_bad, &tunnel);
  }
  if (!is_permitted_source(meta, packet.bytes()))
    return drop(DropReason::inner_source_forbidden, &tunnel);
  if (!accepts_source(tunnel, meta, packet.bytes()))
    return drop(DropReason::inner_source_not_accepted, &tunnel);
  if (is_for_encapsulator(meta, packet.bytes(), outer)) {
    return drop(DropReason::inner_destination_is_encapsulator, &tunnel);
  }
  if (tunnel.has_ipv4_in_ipv4 && !meta.is_ipv6() && meta.hop_limit == 0)
    return drop(DropReason::inner_ttl_zero, &tunnel);
  const auto ecn = proto::combine_ecn(proto::ecn_of(outer.tos), proto::ecn_of(meta.ds_field));
  if (!ecn) return drop(DropReason::ecn_ce_on_not_ect, &tunnel);
  if (ecn->inner != proto::ecn_of(meta.ds_field)) {
    set_ds_field(meta, packet.bytes(), proto::with_ecn(meta.ds_field, ecn->inner));
  }
  if (tunnel.config.mssclamp) {
    const Fit fit = fit_packet(tunnel, meta);
    clamp_to_mtu(meta, packet.bytes(), fit.mtu_bytes, packet.offload.needs_checksum);
  }
  meta.packet_count = packet_count(packet);
  flows.pin_inbound(meta, packet.bytes(),
                    {.slot = static_cast<std::uint16_t>(tunnel.index),
                     .local = outer.destination,
                     .remote = outer.source,
                     .interface_index = packet.interface_index});
  return {
      .action = Verdict::Action::to_tun, .ecn_is_anomalous = ecn->is_anomalous, .tunnel = &tunnel};
}

}  // namespace

// Stages 1 to 4 of inbound.h.
Verdict inbound(io::Packet& packet, PacketMeta& meta, const Tables& tables, TunnelStats& stats,
                FlowPinning& flows, io::ReceiveKind receive) noexcept {
  if (packet.truncated) return drop(DropReason::tunnel_packet_truncated);
  if (packet.has_bad_offload) return drop(DropReason::tunnel_offload_malformed);
  // Linux has verified packets from raw sockets, and may then have written into a Record Route or
  // Timestamp option.
  const auto outer = proto::parse_ipv4(packet.bytes(), receive == io::ReceiveKind::raw
                                                           ? proto::ChecksumCheck::already_verified
                                                           : proto::ChecksumCheck::verify);
  if (!outer) return drop(Stage::outer_header, outer.error());
  if (outer->is_fragment()) return drop(DropReason::outer_fragment);
  if (!is_encapsulation_protocol(outer->protocol)) return drop(DropReason::outer_protocol_unknown);
  const auto [payload, must_be_coalesced] = decapsulate_packet(packet, *outer, receive);
  if (!payload) return drop(Stage::tunnel_header, payload.error());
  const Tunnel* tunnel =
      tables.find(outer->protocol, outer->source, outer->destination, payload->key);
  if (tunnel == nullptr || !matches_interface(tables, *tunnel, packet))
    return drop(DropReason::tunnel_unknown);  // RFC 4213 3.6, RFC 2890 2.1
  bool sequence_restarted = false;
  auto reason = check_outer(*tunnel, *outer, tables.own_addresses());
  if (reason == DropReason::none)
    reason = check_fields(*tunnel, *payload, stats.state(tunnel->index), sequence_restarted);
  if (reason != DropReason::none) return drop(reason, tunnel);
  if (!is_of_protocol_type(payload->packet, payload->protocol_type))
    return drop(Stage::inner_header, Malformed::bad_version, tunnel);

  // The kernel may have verified the encapsulation's checksum instead of the inner packet's.
  if (payload->had_checksum) packet.offload.checksum_verified = false;
  packet.trim_to(outer->bytes.size());
  packet.trim_front(static_cast<std::size_t>(payload->packet.data() - packet.bytes().data()));
  Verdict verdict = inbound_inner(packet, meta, *tunnel, *outer, must_be_coalesced, flows, receive);
  verdict.sequence_restarted = sequence_restarted;
  return verdict;
}

}  // namespace culvert
