#include "engine/forward/refused_send.h"

#include <algorithm>
#include <cassert>

#include "engine/offload/gso.h"
#include "proto/ipv4.h"

namespace culvert {
namespace {

/// The offload with positions from the inner header on.
io::Offload inner_offload(const io::Datagram& datagram) noexcept {
  io::Offload offload = datagram.offload;
  offload.checksum_start =
      static_cast<std::uint16_t>(offload.checksum_start - datagram.encapsulation_bytes);
  return offload;
}

}  // namespace

void append_segments(const OutboundDatagram& refused, OutboundBatch& batch) noexcept {
  const std::size_t outer_bytes = refused.datagram.encapsulation_bytes;
  const auto inner = refused.datagram.head.subspan(outer_bytes);
  auto gso = Gso::start(inner, inner_offload(refused.datagram), classify(inner));
  assert(gso);  // outbound() has checked the same bytes
  const auto outer = proto::parse_ipv4(refused.datagram.head);
  assert(outer);
  proto::Ipv4Fields fields{.source = outer->source,
                           .destination = outer->destination,
                           .protocol = outer->protocol,
                           .tos = outer->tos,
                           .ttl = outer->ttl,
                           .identification = outer->identification,
                           .dont_fragment = outer->dont_fragment};
  for (std::size_t i = 0; i < gso->segment_count(); ++i) {
    const auto head = batch.block().first(outer_bytes + gso->header_bytes());
    std::ranges::copy(refused.datagram.head.first(outer_bytes), head.begin());
    const auto slice = gso->next(head.subspan(outer_bytes));
    const std::size_t total_bytes = head.size() + slice.size();
    fields.total_bytes = static_cast<std::uint16_t>(total_bytes);
    proto::build_ipv4(head.first<proto::kIpv4HeaderBytes>(), fields);
    if (!fields.dont_fragment) ++fields.identification;
    OutboundDatagram& segment = batch.add();
    segment.datagram = {.head = head,
                        .tail = slice,
                        .destination = refused.datagram.destination,
                        .next_hop = refused.datagram.next_hop,
                        .interface_index = refused.datagram.interface_index};
    segment.tunnel = refused.tunnel;
    segment.packets = 1;
    segment.inner_bytes = static_cast<std::uint32_t>(total_bytes - outer_bytes);
  }
}

}  // namespace culvert
