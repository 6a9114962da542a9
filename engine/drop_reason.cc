#include "engine/drop_reason.h"

namespace culvert {

using enum DropReason;
using enum Direction;

const std::array<DropReasonFacts, kDropReasonCount> kDropReasons{{
    {none, outbound, "none", "forwarded"},

    {tun_packet_truncated, outbound, "tun_packet_truncated",
     "a packet from the device was larger than a buffer"},
    {tun_packet_malformed, outbound, "tun_packet_malformed",
     "what the device gave is no IPv6 or IPv4 packet"},
    {tun_offload_malformed, outbound, "tun_offload_malformed",
     "the device's offload header does not fit its packet"},
    {payload_unsupported, outbound, "payload_unsupported",
     "the encapsulation cannot carry this IP version (IPv4 in sit)"},
    {no_tunnel_for_destination, outbound, "no_tunnel_for_destination",
     "no tunnel has a prefix for it; its sender is told (ICMP), but for multicast"},
    {outbound_tunnel_down, outbound, "outbound_tunnel_down",
     "every tunnel that has its prefix is declared down; its sender is told (ICMP)"},
    {remote_unknown, outbound, "remote_unknown",
     "remote any, and no flow has come in by the tunnel that this answers; its sender is told "
     "(ICMP)"},
    {routing_loop, outbound, "routing_loop",
     "the tunnel's own outer packet was routed into the tunnel: check the routes"},
    {packet_too_big, outbound, "packet_too_big",
     "larger than the tunnel MTU; its sender is told (ICMP)"},
    {local_address_unknown, outbound, "local_address_unknown",
     "local any, and there is no route to the remote endpoint"},
    {send_queue_full, outbound, "send_queue_full",
     "the send buffer or the outer interface's queue was full"},
    {send_no_route, outbound, "send_no_route",
     "there is no route to the remote endpoint, or its interface is down"},
    {send_refused, outbound, "send_refused", "a firewall rule on output refused the outer packet"},
    {send_too_big, outbound, "send_too_big",
     "the outer packet is larger than the outer interface's MTU"},
    {send_failed, outbound, "send_failed", "sending failed for another reason"},

    {tunnel_packet_truncated, inbound, "tunnel_packet_truncated",
     "an outer packet was larger than a buffer"},
    {tunnel_offload_malformed, inbound, "tunnel_offload_malformed",
     "the socket's offload header does not fit its packet"},
    {outer_header_malformed, inbound, "outer_header_malformed",
     "the outer IPv4 header breaks a rule"},
    {outer_checksum_bad, inbound, "outer_checksum_bad",
     "the outer IPv4 header's checksum is wrong"},
    {outer_fragment, inbound, "outer_fragment",
     "a fragment of an outer packet that was not reassembled"},
    {outer_protocol_unknown, inbound, "outer_protocol_unknown",
     "the outer protocol is no encapsulation of ours"},
    {tunnel_unknown, inbound, "tunnel_unknown",
     "no tunnel has this remote, local and key (RFC 4213 3.6)"},
    {inbound_tunnel_down, inbound, "inbound_tunnel_down",
     "the tunnel it belongs to is declared down"},
    {outer_source_forbidden, inbound, "outer_source_forbidden",
     "remote any, and its outer source can be nobody's other end"},
    {tunnel_header_truncated, inbound, "tunnel_header_truncated",
     "the packet ends within the GRE header"},
    {tunnel_version_unknown, inbound, "tunnel_version_unknown",
     "GRE version other than 0: PPTP has 1 (RFC 2784 2.3.1)"},
    {tunnel_reserved_bits_set, inbound, "tunnel_reserved_bits_set",
     "a reserved bit of the GRE header is set (RFC 2784 2.3)"},
    {tunnel_checksum_bad, inbound, "tunnel_checksum_bad",
     "the GRE checksum is wrong (RFC 2784 2.5)"},
    {tunnel_checksum_missing, inbound, "tunnel_checksum_missing",
     "icsum is set and the packet has no GRE checksum"},
    {tunnel_protocol_type_unknown, inbound, "tunnel_protocol_type_unknown",
     "GRE payload that is neither IPv6 nor IPv4"},
    {sequence_missing, inbound, "sequence_missing",
     "iseq is set and the packet has no sequence number"},
    {sequence_old, inbound, "sequence_old",
     "iseq is set and the packet is older than the last (RFC 2890 2.2)"},
    {inner_header_malformed, inbound, "inner_header_malformed",
     "the payload packet breaks a rule of its IP version"},
    {inner_checksum_bad, inbound, "inner_checksum_bad",
     "the payload packet's IPv4 header checksum is wrong"},
    {inner_source_forbidden, inbound, "inner_source_forbidden",
     "an inner source that no tunnel may bring (RFC 4213 3.6)"},
    {inner_source_not_accepted, inbound, "inner_source_not_accepted",
     "an inner source that this tunnel may not bring: see accept, and its prefixes"},
    {inner_destination_is_encapsulator, inbound, "inner_destination_is_encapsulator",
     "it would go back to who sent it (RFC 2784 3.1)"},
    {ecn_ce_on_not_ect, inbound, "ecn_ce_on_not_ect",
     "outer CE on a packet that cannot carry it (RFC 6040 4.2)"},
    {gro_segment_size_unknown, inbound, "gro_segment_size_unknown",
     "coalesced by the NIC, and the raw socket does not say how: use receive packet, or turn GRO "
     "off"},
    {tun_queue_full, inbound, "tun_queue_full", "the device took no more"},
    {tun_write_failed, inbound, "tun_write_failed", "writing to the device failed: is it up?"},

    {icmp_error_malformed, errors, "icmp_error_malformed", "an ICMPv4 error that breaks a rule"},
    {icmp_error_not_ours, errors, "icmp_error_not_ours",
     "an ICMPv4 error about a packet that no tunnel sent"},
    {icmp_error_quotes_too_little, errors, "icmp_error_quotes_too_little",
     "too little of the inner packet is quoted to tell its sender"},
    {icmp_error_not_answerable, errors, "icmp_error_not_answerable",
     "its inner packet must not be answered (RFC 4443 2.4(e))"},
    {icmp_error_rate_limited, errors, "icmp_error_rate_limited",
     "more errors than may be originated (RFC 4443 2.4(f))"},
    {icmp_error_not_relayed, errors, "icmp_error_not_relayed",
     "says nothing that concerns the inner source"},
    {icmp_error_write_failed, errors, "icmp_error_write_failed",
     "the device did not take the relayed error"},
}};

DropReason drop_reason(Stage stage, proto::Malformed malformed) noexcept {
  using enum proto::Malformed;
  switch (stage) {
    case Stage::outer_header:
      return malformed == bad_checksum ? outer_checksum_bad : outer_header_malformed;
    case Stage::inner_header:
      return malformed == bad_checksum ? inner_checksum_bad : inner_header_malformed;
    case Stage::tunnel_header:
      break;
  }
  switch (malformed) {
    case bad_version:
      return tunnel_version_unknown;
    case bad_checksum:
      return tunnel_checksum_bad;
    case reserved_bits_set:
      return tunnel_reserved_bits_set;
    case unknown_protocol_type:
      return tunnel_protocol_type_unknown;
    default:  // truncated, and rules of other headers
      return tunnel_header_truncated;
  }
}

}  // namespace culvert
