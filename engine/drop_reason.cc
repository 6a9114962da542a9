#include "engine/drop_reason.h"

namespace culvert {

using enum DropReason;
using enum Direction;

const std::array<DropReasonFacts, kDropReasonCount> kDropReasons{{
    {none, outbound, "none", "forwarded"},

    {tun_packet_truncated, outbound, "tun_packet_truncated",
     "a packet from the TUN device was larger than a buffer"},
    {tun_packet_malformed, outbound, "tun_packet_malformed",
     "a packet from the TUN device is neither IPv6 nor IPv4"},
    {tun_offload_malformed, outbound, "tun_offload_malformed",
     "the TUN device's offload header does not fit its packet"},
    {payload_unsupported, outbound, "payload_unsupported",
     "the encapsulation cannot carry this IP version (IPv4 in sit, IPv6 in ipip)"},
    {no_tunnel_for_destination, outbound, "no_tunnel_for_destination",
     "no tunnel's prefix contains the destination; unless it is multicast, the sender gets an ICMP "
     "error"},
    {outbound_tunnel_down, outbound, "outbound_tunnel_down",
     "every tunnel with the destination's prefix is declared down; the sender gets an ICMP error"},
    {remote_unknown, outbound, "remote_unknown",
     "remote any, and no packet of this flow has arrived through the tunnel; the sender gets an "
     "ICMP error"},
    {routing_loop, outbound, "routing_loop",
     "the tunnel's own outer packet, or IPv4 in IPv4 a packet from the remote endpoint, was routed "
     "into the tunnel: check the routes"},
    {loops_back, outbound, "loops_back",
     "it has just come from this tunnel's remote endpoint, and would return there; the sender gets "
     "an "
     "ICMP error"},
    {packet_too_big, outbound, "packet_too_big",
     "larger than the tunnel MTU; the sender gets an ICMP error"},
    {local_address_unknown, outbound, "local_address_unknown",
     "local any, and there is no route to the remote endpoint"},
    {send_queue_full, outbound, "send_queue_full",
     "the send buffer or the outer interface's queue was full"},
    {send_no_route, outbound, "send_no_route",
     "there is no route to the remote endpoint, or its interface is down"},
    {send_refused, outbound, "send_refused", "a firewall rule for output refused the outer packet"},
    {send_too_big, outbound, "send_too_big",
     "the outer packet is larger than the outer interface's MTU"},
    {send_failed, outbound, "send_failed", "sending failed for another reason"},

    {tunnel_packet_truncated, inbound, "tunnel_packet_truncated",
     "an outer packet was larger than a buffer"},
    {tunnel_offload_malformed, inbound, "tunnel_offload_malformed",
     "the socket's offload header does not fit its packet"},
    {outer_header_malformed, inbound, "outer_header_malformed",
     "the outer IPv4 header is malformed"},
    {outer_checksum_bad, inbound, "outer_checksum_bad",
     "the outer IPv4 header's checksum is wrong"},
    {outer_fragment, inbound, "outer_fragment",
     "a fragment of an outer packet that was not reassembled"},
    {outer_protocol_unknown, inbound, "outer_protocol_unknown",
     "the outer protocol belongs to no encapsulation"},
    {tunnel_unknown, inbound, "tunnel_unknown",
     "no tunnel has this remote, local and key (RFC 4213 3.6)"},
    {inbound_tunnel_down, inbound, "inbound_tunnel_down", "the packet's tunnel is declared down"},
    {outer_source_forbidden, inbound, "outer_source_forbidden",
     "remote any, and the outer source cannot be a remote endpoint's address"},
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
     "the GRE payload is neither IPv6 nor IPv4"},
    {sequence_missing, inbound, "sequence_missing",
     "iseq is set and the packet has no sequence number"},
    {sequence_old, inbound, "sequence_old",
     "iseq is set and the sequence number is not newer than the last (RFC 2890 2.2)"},
    {inner_header_malformed, inbound, "inner_header_malformed",
     "the IP header of the payload packet is malformed"},
    {inner_checksum_bad, inbound, "inner_checksum_bad",
     "the payload packet's IPv4 header checksum is wrong"},
    {inner_source_forbidden, inbound, "inner_source_forbidden",
     "no tunnel may deliver this inner source (RFC 4213 3.6)"},
    {inner_source_not_accepted, inbound, "inner_source_not_accepted",
     "this tunnel may not deliver this inner source: see accept, and its prefixes"},
    {inner_destination_is_encapsulator, inbound, "inner_destination_is_encapsulator",
     "the inner destination is the outer source, the encapsulator (RFC 2784 3.1)"},
    {inner_ttl_zero, inbound, "inner_ttl_zero",
     "IPv4 in IPv4, and the TTL of the inner header is 0 (RFC 2003 3.1)"},
    {ecn_ce_on_not_ect, inbound, "ecn_ce_on_not_ect",
     "outer CE on an inner packet that is not ECN-capable (RFC 6040 4.2): if it is most packets, a "
     "router on the path overwrites the TOS field"},
    {gro_segment_size_unknown, inbound, "gro_segment_size_unknown",
     "joined by GRO, and a raw socket does not report the segment size: use receive packet, or "
     "turn GRO off"},
    {tun_queue_full, inbound, "tun_queue_full", "the TUN device's queue was full"},
    {tun_write_failed, inbound, "tun_write_failed", "writing to the TUN device failed: is it up?"},

    {icmp_error_malformed, errors, "icmp_error_malformed", "the ICMPv4 error is malformed"},
    {icmp_error_not_ours, errors, "icmp_error_not_ours",
     "an ICMPv4 error about a packet that no tunnel sent"},
    {icmp_error_implausible, errors, "icmp_error_implausible",
     "the lengths in the quoted packet are none that the tunnel can have sent (RFC 5927)"},
    {icmp_error_quotes_too_little, errors, "icmp_error_quotes_too_little",
     "the ICMPv4 error quotes too little of the inner packet to relay it"},
    {icmp_error_not_answerable, errors, "icmp_error_not_answerable",
     "its inner packet must not be answered (RFC 4443 2.4(e))"},
    {icmp_error_rate_limited, errors, "icmp_error_rate_limited",
     "above the rate limit of ICMP errors (RFC 4443 2.4(f))"},
    {icmp_error_not_relayed, errors, "icmp_error_not_relayed",
     "the ICMPv4 error does not concern the inner source"},
    {icmp_error_write_failed, errors, "icmp_error_write_failed",
     "writing the relayed error to the TUN device failed"},
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
