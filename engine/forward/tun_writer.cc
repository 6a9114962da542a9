#include "engine/forward/tun_writer.h"

#include <cassert>
#include <cerrno>

#include "engine/offload/gso.h"

namespace culvert {
namespace {

DropReason write_reason(int error) noexcept {
  return error == EAGAIN || error == ENOBUFS || error == ENOMEM ? DropReason::tun_queue_full
                                                                : DropReason::tun_write_failed;
}

}  // namespace

TunWriter::TunWriter(io::PacketIo& queues, TunnelStats& stats, FlowPinning& flows,
                     std::size_t batch_writes, bool has_virtio_header)
    : queues_(queues), stats_(stats), flows_(flows), batch_writes_(batch_writes) {
  pending_.reserve(batch_writes);
  if (!has_virtio_header) segment_headers_.resize(batch_writes * kMaxInnerHeaderBytes);
}

void TunWriter::write(const io::TunPacket& packet, PendingWrite pending) noexcept {
  if (pending_.size() == batch_writes_) submit();
  pending_.emplace_back() = pending;  // push_back() would copy it through memory
  [[maybe_unused]] const bool has_room = queues_.write(packet);
  assert(has_room);  // pending_ has the capacity of the queues
}

void TunWriter::write_segments(io::Packet& packet, const PacketMeta& meta,
                               const PendingWrite& pending) noexcept {
  if (!packet.offload.is_super_packet()) {
    if (packet.offload.needs_checksum && !complete_checksum(packet)) {
      return stats_.counters(pending.tunnel)
          .drop(DropReason::tunnel_offload_malformed, pending.packets);
    }
    return write({.head = packet.bytes(), .slices = {}, .offload = {}}, pending);
  }
  auto gso = Gso::start(packet, meta);
  if (!gso || gso->segment_count() != pending.packets) {
    return stats_.counters(pending.tunnel)
        .drop(DropReason::tunnel_offload_malformed, pending.packets);
  }
  for (std::size_t i = 0; i < gso->segment_count(); ++i) {
    if (pending_.size() == batch_writes_) submit();
    const auto blocks = std::span{segment_headers_}.subspan(pending_.size() * kMaxInnerHeaderBytes);
    const auto head = blocks.first(gso->header_bytes());
    const auto slice = gso->next(head);
    write({.head = head, .slices = {&slice, 1}, .offload = {}},
          {.tunnel = pending.tunnel,
           .packets = 1,
           .bytes = static_cast<std::uint32_t>(head.size() + slice.size())});
  }
}

std::span<const int> TunWriter::submit() noexcept {
  flows_.finish();
  const io::Submitted submitted = queues_.submit();
  count(submitted.writes);
  pending_.clear();
  return submitted.sends;
}

void TunWriter::count(std::span<const int> results) noexcept {
  assert(pending_.size() == results.size());
  for (std::size_t i = 0; i < pending_.size(); ++i) {
    const PendingWrite& pending = pending_[i];
    if (pending.packets == 0) continue;
    const CounterSet counters = stats_.counters(pending.tunnel);
    const bool is_written = results[i] == 0;
    if (pending.kind == PendingWrite::Kind::relayed_error) {
      is_written ? counters.add(RareCounter::errors_relayed)
                 : counters.drop(DropReason::icmp_error_write_failed, 1);
    } else if (is_written) {
      counters->in_packets.add(pending.packets);
      counters->in_bytes.add(pending.bytes);
    } else {
      counters.drop(write_reason(results[i]), pending.packets);
    }
  }
}

}  // namespace culvert
