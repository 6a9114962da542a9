#include "engine/forward/tun_writer.h"

#include <algorithm>
#include <cassert>
#include <cerrno>

#include "engine/offload/gso.h"

namespace culvert {
namespace {

DropReason write_reason(int error) noexcept {
  return error == EAGAIN || error == ENOBUFS || error == ENOMEM ? DropReason::tun_queue_full
                                                                : DropReason::tun_write_failed;
}

constexpr std::size_t kLargestPacketBytes = 65'535 + kMaxInnerHeaderBytes;

bool has_work_for_kernel(const io::Offload& offload) noexcept {
  return offload.is_super_packet() || offload.needs_checksum;
}

}  // namespace

TunWriter::TunWriter(io::PacketIo& queues, TunnelStats& stats, FlowPinning& flows,
                     std::size_t batch_writes, bool offloads)
    : queues_(queues),
      stats_(stats),
      flows_(flows),
      batch_writes_(batch_writes),
      offloads_(offloads),
      offloaded_(batch_writes),
      segment_headers_(batch_writes * kMaxInnerHeaderBytes),
      joined_(kLargestPacketBytes) {
  pending_.reserve(batch_writes);
  refused_.reserve(batch_writes);
}

void TunWriter::write(const io::TunPacket& packet, PendingWrite pending) noexcept {
  if (pending_.size() == batch_writes_) {
    submit();
    write_refused();
  }
  if (has_work_for_kernel(packet.offload)) {
    pending.kind = PendingWrite::Kind::offloaded;
    offloaded_[pending_.size()] = packet;
  }
  append(packet, pending);
}

void TunWriter::append(const io::TunPacket& packet, PendingWrite pending) noexcept {
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
    if (pending_.size() == batch_writes_) submit();
    return append({.head = packet.bytes(), .slices = {}, .offload = {}}, pending);
  }
  auto gso = Gso::start(packet, meta);
  // A super-packet from a raw socket was counted as one packet, for its offload was not known yet.
  const bool counts_as_one = pending.packets == 1;
  if (!gso || (!counts_as_one && gso->segment_count() != pending.packets)) {
    return stats_.counters(pending.tunnel)
        .drop(DropReason::tunnel_offload_malformed, pending.packets);
  }
  for (std::size_t i = 0; i < gso->segment_count(); ++i) {
    if (pending_.size() == batch_writes_) submit();
    const auto blocks = std::span{segment_headers_}.subspan(pending_.size() * kMaxInnerHeaderBytes);
    const auto head = blocks.first(gso->header_bytes());
    const auto slice = gso->next(head);
    PendingWrite segment{.tunnel = pending.tunnel,
                         .packets = 1,
                         .bytes = static_cast<std::uint32_t>(head.size() + slice.size())};
    if (counts_as_one) segment = i == 0 ? pending : PendingWrite{.tunnel = pending.tunnel};
    append({.head = head, .slices = {&slice, 1}, .offload = {}}, segment);
  }
}

std::span<const int> TunWriter::submit() noexcept {
  flows_.finish();
  const io::Submitted submitted = queues_.submit();
  count(submitted.writes);
  pending_.clear();
  return submitted.sends;
}

/// Returns the packet in one piece, as Gso and complete_checksum() need it.
io::Packet TunWriter::join(const io::TunPacket& packet) noexcept {
  auto end = std::ranges::copy(packet.head, joined_.begin()).out;
  for (const auto slice : packet.slices) end = std::ranges::copy(slice, end).out;
  io::Packet joined(joined_, 0, static_cast<std::size_t>(end - joined_.begin()));
  joined.offload = packet.offload;
  return joined;
}

void TunWriter::write_refused() noexcept {
  for (const RefusedWrite& refused : refused_) {
    io::Packet packet = join(refused.packet);
    write_segments(packet, classify(packet.bytes()), refused.pending);
    submit();
  }
  refused_.clear();
}

void TunWriter::count(std::span<const int> results) noexcept {
  assert(pending_.size() == results.size());
  for (std::size_t i = 0; i < pending_.size(); ++i) {
    const PendingWrite& pending = pending_[i];
    if (pending.kind == PendingWrite::Kind::offloaded && results[i] == EINVAL) {
      refused_.push_back({offloaded_[i], pending});
      refused_.back().pending.kind = PendingWrite::Kind::packet;
      if (++refused_offloads_ == kMaxRefusedOffloads) offloads_ = false;
    } else if (pending.packets != 0) {
      count(pending, results[i]);
    }
  }
}

void TunWriter::count(const PendingWrite& pending, int result) noexcept {
  const CounterSet counters = stats_.counters(pending.tunnel);
  const bool is_written = result == 0;
  if (pending.kind == PendingWrite::Kind::relayed_error) {
    is_written ? counters.add(RareCounter::errors_relayed)
               : counters.drop(DropReason::icmp_error_write_failed, 1);
  } else if (is_written) {
    counters->in_packets.add(pending.packets);
    counters->in_bytes.add(pending.bytes);
  } else {
    counters.drop(write_reason(result), pending.packets);
  }
}

}  // namespace culvert
