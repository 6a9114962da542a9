#include "engine/forward/worker.h"

#include <cassert>
#include <cerrno>
#include <random>
#include <utility>

#include "engine/forward/refused_send.h"
#include "engine/offload/gso.h"
#include "engine/tables/path.h"

namespace culvert {
namespace {

/// Interval between two counts of the losses, and the longest sleep.
constexpr auto kTick = std::chrono::seconds{1};
constexpr std::size_t kErrorBuffers = 32;  // ICMP errors per round, originated and relayed

DropReason send_reason(int error) noexcept {
  switch (error) {
    case EAGAIN:
    case ENOBUFS:
    case ENOMEM:
      return DropReason::send_queue_full;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case ENODEV:
    case ENXIO:
    case EADDRNOTAVAIL:
    case EINVAL:
      return DropReason::send_no_route;  // EINVAL: the source is no longer an address of this host
    case EPERM:
    case EACCES:
      return DropReason::send_refused;
    case EMSGSIZE:
      return DropReason::send_too_big;
    default:
      return DropReason::send_failed;
  }
}

}  // namespace

class alignas(io::kCacheLineBytes) Worker::Batch final : public OutboundBatch {
 public:
  Batch(Worker& worker, std::size_t capacity) : OutboundBatch(capacity), worker_(worker) {}

 protected:
  void flush() noexcept override { worker_.flush(); }

 private:
  Worker& worker_;
};

class alignas(io::kCacheLineBytes) Worker::ResendBatch final : public OutboundBatch {
 public:
  ResendBatch(Worker& worker, std::size_t capacity) : OutboundBatch(capacity), worker_(worker) {}

 protected:
  void flush() noexcept override { worker_.send(datagrams()); }

 private:
  Worker& worker_;
};

Worker::Worker(std::unique_ptr<io::PacketIo> queues, Snapshot<Tables>& tables,
               WorkerOptions options)
    : queues_(std::move(queues)),
      snapshot_(tables),
      options_(std::move(options)),
      flows_(options_.flows),
      prefetcher_(options_.flows, tunnel_stats_),
      writer_(*queues_, tunnel_stats_, flows_, options_.sizes.batch_writes, options_.tun_offloads),
      batch_(std::make_unique<Batch>(*this, options_.sizes.batch_sends)),
      resend_batch_(std::make_unique<ResendBatch>(*this, options_.sizes.batch_sends)),
      gro_(options_.sizes.tunnel_packets, options_.tun_has_uso),
      error_buffers_(kErrorBuffers),
      reports_refused_offloads_(options_.tun_offloads) {
  refused_sends_.reserve(options_.sizes.batch_sends);
}

Worker::~Worker() = default;

Result<void> Worker::prepare(std::uint32_t slot) {
  // RFC 6864 does not require a random start, but it keeps observers from detecting a restart.
  return prepare(slot, static_cast<std::uint16_t>(std::random_device{}()));
}

void Worker::run() noexcept {
  while (!stop_.load(std::memory_order_relaxed)) {
    const auto done = round(kTick, std::chrono::steady_clock::now());
    if (!done) {
      options_.on_failure(done.error());
      break;
    }
  }
  count_losses(std::chrono::steady_clock::now());
  queues_->finish();
}

// wait > TUN to tunnel > tunnel to TUN > ICMP errors > submit to the kernel > release buffers
Result<void> Worker::round(std::chrono::nanoseconds timeout, Time now) noexcept {
  if (auto waited = queues_->wait(timeout); !waited) return waited;
  tables_ = &snapshot_.read(options_.index);
  if (now >= next_loss_count_) count_losses(now);
  flows_.begin(now);
  prefetcher_.begin(*tables_);
  const auto tun_packets = queues_->received(io::Source::tun);
  for (std::size_t i = 0; i < tun_packets.size(); ++i)
    from_tun(tun_packets[i], prefetcher_.outbound(tun_packets, i), now);
  const auto tunnel_packets = queues_->received(io::Source::tunnel);
  for (std::size_t i = 0; i < tunnel_packets.size(); ++i) {
    prefetcher_.inbound(tunnel_packets, i);
    from_tunnel(tunnel_packets[i]);
  }
  for (auto& packet : queues_->received(io::Source::icmp)) from_icmp(packet, now);
  write_gro_output();
  batch_->flush_and_clear();
  gro_.clear();
  error_buffers_used_ = 0;
  queues_->release();
  report_refusals();
  return {};
}

void Worker::report_refusals() noexcept {
  if (reports_refused_offloads_ && writer_.needs_segments()) {
    reports_refused_offloads_ = false;
    options_.on_refused_offloads();
  }
  if (reports_refused_sends_ && !batch_->takes_super_packets()) {
    reports_refused_sends_ = false;
    options_.on_refused_sends();
  }
}

void Worker::from_tun(io::Packet& packet, const OutboundPacket& classified, Time now) noexcept {
  const std::uint32_t packets = classified.meta.packet_count;
  const Verdict verdict = outbound(packet, classified, *tables_, tunnel_stats_, flows_, *batch_);
  const CounterSet counters = counters_of(verdict.tunnel);
  counters->out_received.add(packets);
  if (verdict.action != Verdict::Action::drop) return;  // counted once it is sent
  counters.drop(verdict.reason, packets);
  send_icmp_error(packet, classified.meta, verdict, now);
}

void Worker::from_tunnel(io::Packet& packet) noexcept {
  const std::uint32_t packets = packet_count(packet);
  PacketMeta meta;
  const Verdict verdict = inbound(packet, meta, *tables_, tunnel_stats_, flows_, options_.receive);
  const CounterSet counters = counters_of(verdict.tunnel);
  counters->in_received.add(packets);
  if (verdict.ecn_is_anomalous) counters.add(RareCounter::ecn_anomalies, packets);
  if (verdict.sequence_restarted) counters.add(RareCounter::sequence_restarts);
  if (verdict.action == Verdict::Action::drop) return counters.drop(verdict.reason, packets);
  const std::uint32_t tunnel = verdict.tunnel->index;
  if (writer_.needs_segments()) {
    return writer_.write_segments(
        packet, meta,
        {.tunnel = tunnel, .packets = packets, .bytes = static_cast<std::uint32_t>(packet.size())});
  }
  gro_.add(packet, meta, tunnel, packets, verdict.tunnel->config.coalesce);
}

void Worker::from_icmp(io::Packet& packet, Time now) noexcept {
  ErrorBuffer* buffer = error_buffer();
  ErrorBuffer unused;
  Relay relay = relay_error(buffer != nullptr ? *buffer : unused, *tables_, packet.bytes());
  const CounterSet counters = counters_of(relay.tunnel);
  counters.add(RareCounter::errors_received);
  if (relay.is_time_exceeded) counters.add(RareCounter::ttl_exceeded);
  if (relay.is_below_minimum) counters.add(RareCounter::pmtu_below_minimum);
  if (relay.learned_path_mtu != 0) learn_path_mtu(*relay.tunnel, relay.learned_path_mtu, now);
  if (relay.reason == DropReason::none && (buffer == nullptr || !limiter_.allow(now))) {
    relay.reason = DropReason::icmp_error_rate_limited;
  }
  if (relay.reason != DropReason::none) return counters.drop(relay.reason, 1);
  writer_.write(
      {.head = relay.packet, .slices = {}, .offload = {}},
      {.tunnel = relay.tunnel->index, .packets = 1, .kind = PendingWrite::Kind::relayed_error});
}

/// Sends an ICMP error to the sender of a dropped packet, if its drop reason has one.
void Worker::send_icmp_error(const io::Packet& packet, const PacketMeta& meta,
                             const Verdict& verdict, Time now) noexcept {
  const bool is_too_big = verdict.too_big_mtu != 0;
  const auto unreachable = unreachable_for(verdict.reason);
  if (!is_too_big && !unreachable) return;
  const CounterSet counters = counters_of(verdict.tunnel);
  const auto suppressed =
      is_too_big ? RareCounter::too_big_suppressed : RareCounter::unreachable_suppressed;
  ErrorBuffer* buffer = error_buffer();
  if (buffer == nullptr) return counters.add(suppressed);
  const auto error = is_too_big ? answer_too_big(*buffer, tables_->icmp().source, *verdict.tunnel,
                                                 meta, packet.bytes(), verdict.too_big_mtu)
                                : answer_unreachable(*buffer, tables_->icmp().source, meta,
                                                     packet.bytes(), *unreachable);
  if (error.empty()) return;  // RFC 4443 2.4(e)
  if (!limiter_.allow(now)) return counters.add(suppressed);
  counters.add(is_too_big ? RareCounter::too_big_sent : RareCounter::unreachable_sent);
  writer_.write({.head = error, .slices = {}, .offload = {}}, {});
}

void Worker::write_gro_output() noexcept {
  for (const GroOutput& coalesced : gro_.finish()) {
    writer_.write(
        coalesced.packet,
        {.tunnel = coalesced.tunnel, .packets = coalesced.packets, .bytes = coalesced.bytes});
  }
}

/// Submits all pending datagrams and TUN writes to the kernel.
void Worker::flush() noexcept {
  const auto datagrams = batch_->datagrams();
  if (datagrams.empty() && writer_.is_empty()) return;
  send(datagrams);
  writer_.write_refused();
  resend_refused();
}

/// Sends the datagrams and counts their results. Writes to TUN that are queued go with them.
void Worker::send(std::span<const OutboundDatagram> datagrams) noexcept {
  std::size_t submitted = 0;
  for (std::size_t i = 0; i < datagrams.size(); ++i) {
    if (queues_->send(datagrams[i].datagram)) continue;
    count_sends(datagrams.subspan(submitted, i - submitted), writer_.submit());
    submitted = i;
    [[maybe_unused]] const bool has_room = queues_->send(datagrams[i].datagram);
    assert(has_room);
  }
  count_sends(datagrams.subspan(submitted), writer_.submit());
}

/// Sends the segments of the super-packets that the kernel has refused.
void Worker::resend_refused() noexcept {
  if (refused_sends_.empty()) return;
  for (const OutboundDatagram* refused : refused_sends_) append_segments(*refused, *resend_batch_);
  refused_sends_.clear();
  resend_batch_->flush_and_clear();
}

void Worker::count_sends(std::span<const OutboundDatagram> datagrams,
                         std::span<const int> results) noexcept {
  assert(datagrams.size() == results.size());
  for (std::size_t i = 0; i < datagrams.size(); ++i) {
    const OutboundDatagram& datagram = datagrams[i];
    const CounterSet counters = tunnel_stats_.counters(datagram.tunnel);
    if (results[i] == 0) {
      counters->out_packets.add(datagram.packets);
      counters->out_bytes.add(datagram.inner_bytes);
      continue;
    }
    if (results[i] == EINVAL && datagram.datagram.offload.is_super_packet()) {
      refused_sends_.push_back(&datagram);
      if (++refused_send_count_ == kMaxRefusedOffloads) batch_->stop_super_packets();
      continue;
    }
    counters.drop(send_reason(results[i]), datagram.packets);
    // The route's MTU has changed. Until the refresher has seen that, packets are refused.
    if (results[i] == EMSGSIZE && options_.refresher != nullptr)
      options_.refresher->report_too_big(datagram.tunnel);
    if (send_reason(results[i]) == DropReason::send_no_route)
      flows_.avoid_interface(datagram.datagram.interface_index);
    // Or the interface is gone: the following packets take the kernel's route until a new next hop
    // is set.
    if (send_reason(results[i]) == DropReason::send_no_route && datagram.datagram.next_hop)
      tables_->tunnel(datagram.tunnel).path->next_hop.clear(datagram.datagram.next_hop);
  }
}

void Worker::count_losses(Time now) noexcept {
  next_loss_count_ = now + kTick;
  receive_queue_full_.add(queues_->losses().tunnel_queue_full - receive_queue_full_.value());
}

CounterSet Worker::counters_of(const Tunnel* tunnel) noexcept {
  return tunnel != nullptr ? tunnel_stats_.counters(tunnel->index) : device_.counters();
}

ErrorBuffer* Worker::error_buffer() noexcept {
  return error_buffers_used_ < error_buffers_.size() ? &error_buffers_[error_buffers_used_++]
                                                     : nullptr;
}

}  // namespace culvert
