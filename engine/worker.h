// One core: a thread and everything it touches. Nothing that is written on a packet's way is shared
// with another worker; tables come as snapshots, counters have this one writer.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "engine/coalesce.h"
#include "engine/counters.h"
#include "engine/icmp_error.h"
#include "engine/inbound.h"
#include "engine/outbound.h"
#include "engine/snapshot.h"
#include "engine/tables.h"
#include "io/cache_line.h"
#include "io/queue.h"

namespace culvert {

/// What a worker needs to know beside its queues.
struct WorkerOptions {
  std::size_t index = 0;
  io::QueueSizes sizes{};
  io::ReceiveKind receive = io::ReceiveKind::packet;
  bool tun_has_virtio_header =
      true;  ///< false: super-packets are cut and checksums completed before they are written
  bool tun_takes_udp = true;  ///< USO: UDP may be coalesced
  bool keeps_house = false;   ///< the one worker that looks up routes each second
  std::function<void(const Error&)> on_failure = [](const Error&) {
  };  ///< the device is gone; called once, on the worker's thread
};

class alignas(io::kCacheLineBytes) Worker {
 public:
  /// `tables` outlives the worker, which reads it as reader number options.index.
  Worker(std::unique_ptr<io::Queues> queues, Snapshot<Tables>& tables, WorkerOptions options);
  ~Worker();

  /// The loop; returns after request_stop(), or when the device is gone.
  void run() noexcept;
  /// One round: what the queues hold now, both ways. run() repeats it; tests call it.
  [[nodiscard]] Result<void> round(std::chrono::nanoseconds timeout, Time now) noexcept;

  /// Any thread.
  void request_stop() noexcept {
    stop_.store(true, std::memory_order_relaxed);
    wake();
  }
  void wake() noexcept { queues_->wake(); }
  /// Looks up the routes before the next round. Any thread.
  void request_refresh() noexcept {
    refresh_.store(true, std::memory_order_relaxed);
    wake();
  }

  /// Counters of a tunnel, by index; any thread.
  [[nodiscard]] const WorkerCounters& counters(std::size_t tunnel) const noexcept {
    return counters_[tunnel];
  }
  /// Of packets that belong to no tunnel.
  [[nodiscard]] const WorkerCounters& device_counters() const noexcept { return counters_.back(); }
  [[nodiscard]] std::uint64_t receive_queue_full() const noexcept {
    return receive_queue_full_.value();
  }

 private:
  /// Sends through the queues of its worker.
  class Batch;
  /// A write that waits for its result: what to count for it.
  struct PendingWrite {
    std::uint32_t tunnel = 0;
    std::uint32_t packets = 0;  ///< 0: an error that we originated, counted elsewhere
    std::uint32_t bytes = 0;
    bool is_relayed_error = false;
  };

  void from_tun(io::Packet& packet, Time now) noexcept;
  void from_tunnel(io::Packet& packet) noexcept;
  void from_icmp(io::Packet& packet, Time now) noexcept;
  void answer_too_big(const io::Packet& packet, const Verdict& verdict, Time now) noexcept;
  void write_coalesced() noexcept;
  void write(const io::TunPacket& packet, PendingWrite pending) noexcept;
  void write_cut(io::Packet& packet, const PendingWrite& pending) noexcept;
  void flush() noexcept;
  void submit(std::span<const OutboundDatagram> sent) noexcept;
  void count_sends(std::span<const OutboundDatagram> datagrams,
                   std::span<const int> results) noexcept;
  void count_writes(std::span<const int> results) noexcept;
  void keep_house(Time now) noexcept;
  [[nodiscard]] WorkerCounters& counters_of(const Tunnel* tunnel) noexcept;
  [[nodiscard]] ErrorBuffer* error_buffer() noexcept;

  std::unique_ptr<io::Queues> queues_;
  Snapshot<Tables>& snapshot_;
  WorkerOptions options_;
  const Tables* tables_ = nullptr;           ///< of this round
  io::LineVector<TunnelState> states_;       ///< by tunnel index
  io::LineVector<WorkerCounters> counters_;  ///< by tunnel index, the device's last
  Counter receive_queue_full_;
  std::unique_ptr<Batch> batch_;
  Coalescer coalescer_;
  io::LineVector<PendingWrite> pending_writes_;
  io::LineVector<ErrorBuffer> error_buffers_;
  std::size_t error_buffers_used_ = 0;
  io::LineVector<std::byte>
      cut_headers_;  ///< blocks for write_cut(); empty where the device takes super-packets
  ErrorLimiter limiter_;
  Time next_house_keeping_{};
  std::atomic<bool> stop_{false};
  std::atomic<bool> refresh_{false};
};

}  // namespace culvert
