// Worker: one thread with its own queues, counters and buffers. The hot path writes nothing that
// another worker uses. Tables come as snapshots; the worker is the only writer of its counters.
// engine/README.md describes a round.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "engine/counters.h"
#include "engine/flows/flow_pinning.h"
#include "engine/forward/icmp_error.h"
#include "engine/forward/inbound.h"
#include "engine/forward/outbound.h"
#include "engine/forward/prefetcher.h"
#include "engine/forward/route_refresher.h"
#include "engine/forward/tun_writer.h"
#include "engine/offload/gro.h"
#include "engine/tables/snapshot.h"
#include "engine/tables/tables.h"
#include "engine/tables/tunnel_stats.h"
#include "io/cache_line.h"
#include "io/packet_io.h"

namespace culvert {

/// The options of a worker.
struct WorkerOptions {
  std::size_t index = 0;
  io::QueueSizes sizes{};
  io::ReceiveKind receive = io::ReceiveKind::packet;
  /// False: TUN accepts neither super-packets nor unfinished checksums, so the worker segments and
  /// completes packets before it writes them.
  bool tun_offloads = true;
  bool tun_has_uso = true;     ///< TUN accepts UDP super-packets (USO), so GRO may join UDP
  FlowTable* flows = nullptr;  ///< Shared by all workers, which it must outlive. Null: no pinning.
  /// Refreshes the routes of packets that the kernel refuses as too big. Shared by all workers,
  /// which it must outlive. Null: nobody refreshes routes.
  RouteRefresher* refresher = nullptr;
  /// Called once, on the worker's thread, when the device is gone.
  std::function<void(const Error&)> on_failure = [](const Error&) {};
  /// Called once, on the worker's thread, when TUN has refused kMaxRefusedOffloads super-packets, so
  /// that the worker writes no more of them.
  std::function<void()> on_refused_offloads = [] {};
  /// The same for the packet socket that sends.
  std::function<void()> on_refused_sends = [] {};
};

class alignas(io::kCacheLineBytes) Worker {
 public:
  /// `tables` must outlive the worker, which reads it as reader number options.index.
  Worker(std::unique_ptr<io::PacketIo> queues, Snapshot<Tables>& tables, WorkerOptions options);
  ~Worker();

  /// Runs rounds until request_stop(), or until the device is gone.
  void run() noexcept;
  /// One round: forwards the packets that the queues hold now, in both directions. Waits up to
  /// `timeout` for the first one. run() repeats it; tests call it.
  [[nodiscard]] Result<void> round(std::chrono::nanoseconds timeout, Time now) noexcept;

  /// Any thread.
  void request_stop() noexcept {
    stop_.store(true, std::memory_order_relaxed);
    wake();
  }
  void wake() noexcept { queues_->wake(); }

  /// Prepares the counters of a slot before tables with that slot are published. The owner's
  /// thread.
  [[nodiscard]] Result<void> prepare(std::uint32_t slot);
  /// The same with a given number: the first outer identification follows it.
  [[nodiscard]] Result<void> prepare(std::uint32_t slot, std::uint16_t identification) {
    return tunnel_stats_.prepare(slot, identification);
  }

  /// Counters of the tunnel in a slot. The owner's thread.
  [[nodiscard]] Totals totals(std::uint32_t slot) const noexcept {
    return tunnel_stats_.totals(slot);
  }
  /// Counters of packets that belong to no tunnel. Any thread.
  [[nodiscard]] Totals device_totals() const noexcept { return device_.totals(); }
  [[nodiscard]] std::uint64_t receive_queue_full() const noexcept {
    return receive_queue_full_.value();
  }

 private:
  /// The batch that sends through this worker's queues.
  class Batch;
  /// The batch of the segments that are sent again.
  class ResendBatch;

  void from_tun(io::Packet& packet, const OutboundPacket& classified, Time now) noexcept;
  void from_tunnel(io::Packet& packet) noexcept;
  void from_icmp(io::Packet& packet, Time now) noexcept;
  void send_icmp_error(const io::Packet& packet, const PacketMeta& meta, const Verdict& verdict,
                       Time now) noexcept;
  void write_gro_output() noexcept;
  void flush() noexcept;
  void send(std::span<const OutboundDatagram> datagrams) noexcept;
  void resend_refused() noexcept;
  void report_refusals() noexcept;
  void count_sends(std::span<const OutboundDatagram> datagrams,
                   std::span<const int> results) noexcept;
  void count_losses(Time now) noexcept;
  [[nodiscard]] CounterSet counters_of(const Tunnel* tunnel) noexcept;
  [[nodiscard]] ErrorBuffer* error_buffer() noexcept;

  std::unique_ptr<io::PacketIo> queues_;
  Snapshot<Tables>& snapshot_;
  WorkerOptions options_;
  const Tables* tables_ = nullptr;  ///< tables of this round
  TunnelStats tunnel_stats_;
  DeviceCounters device_;
  FlowPinning flows_;
  Prefetcher prefetcher_;
  TunWriter writer_;
  Counter receive_queue_full_;
  std::unique_ptr<Batch> batch_;
  std::unique_ptr<ResendBatch> resend_batch_;
  /// Super-packets of the batch that the kernel has refused.
  io::LineVector<const OutboundDatagram*> refused_sends_;
  unsigned refused_send_count_ = 0;  ///< since the start
  Gro gro_;
  io::LineVector<ErrorBuffer> error_buffers_;
  std::size_t error_buffers_used_ = 0;
  ErrorLimiter limiter_;
  Time next_loss_count_{};
  bool reports_refused_offloads_;      ///< on_refused_offloads has still to be called
  bool reports_refused_sends_ = true;  ///< on_refused_sends has still to be called
  std::atomic<bool> stop_{false};
};

}  // namespace culvert
