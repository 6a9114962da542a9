// One core: a thread and everything it touches. Nothing that is written on a packet's way is shared
// with another worker; tables come as snapshots, counters have this one writer.
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
#include "engine/offload/gro.h"
#include "engine/tables/snapshot.h"
#include "engine/tables/tables.h"
#include "engine/tables/tunnel_stats.h"
#include "io/cache_line.h"
#include "io/packet_io.h"
#include "io/route_lookup.h"

namespace culvert {

/// What a worker needs to know beside its queues.
struct WorkerOptions {
  std::size_t index = 0;
  io::QueueSizes sizes{};
  io::ReceiveKind receive = io::ReceiveKind::packet;
  bool tun_has_virtio_header =
      true;  ///< false: super-packets are cut and checksums completed before they are written
  bool tun_takes_udp = true;      ///< USO: UDP may be coalesced
  FlowTable* flows = nullptr;     ///< of all workers, which it outlives; none: nothing is pinned
  bool refreshes_routes = false;  ///< the one worker that looks up routes, some each second
  std::function<void(const Error&)> on_failure = [](const Error&) {
  };  ///< the device is gone; called once, on the worker's thread
};

class alignas(io::kCacheLineBytes) Worker {
 public:
  /// Routes that are looked up before one round, at the most: a packet waits no longer for it.
  static constexpr std::size_t kRouteRefreshBatch = 64;

  /// `tables` outlives the worker, which reads it as reader number options.index.
  Worker(std::unique_ptr<io::PacketIo> queues, Snapshot<Tables>& tables, WorkerOptions options);
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
  /// Looks up all routes again, kRouteRefreshBatch of them before each of the next rounds. Any thread.
  void request_refresh() noexcept {
    refresh_.store(true, std::memory_order_relaxed);
    wake();
  }

  /// Makes a slot of the tables fit for use, before they are published. The owner's thread.
  [[nodiscard]] Result<void> prepare(std::uint32_t slot);

  /// Of a tunnel, by its slot. The owner's thread.
  [[nodiscard]] Totals totals(std::uint32_t slot) const noexcept {
    return tunnel_stats_.totals(slot);
  }
  /// Of packets that belong to no tunnel; any thread.
  [[nodiscard]] Totals device_totals() const noexcept { return device_.totals(); }
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

  void from_tun(io::Packet& packet, const OutboundPacket& ahead, Time now) noexcept;
  void from_tunnel(io::Packet& packet) noexcept;
  void from_icmp(io::Packet& packet, Time now) noexcept;
  void answer(const io::Packet& packet, const Verdict& verdict, Time now) noexcept;
  void write_coalesced() noexcept;
  void write(const io::TunPacket& packet, PendingWrite pending) noexcept;
  void write_cut(io::Packet& packet, const PendingWrite& pending) noexcept;
  void flush() noexcept;
  void submit(std::span<const OutboundDatagram> sent) noexcept;
  void count_sends(std::span<const OutboundDatagram> datagrams,
                   std::span<const int> results) noexcept;
  void count_writes(std::span<const int> results) noexcept;
  void keep_house(Time now) noexcept;
  void refresh_some_routes(Time now) noexcept;
  void look_up_too_big(Time now) noexcept;
  [[nodiscard]] CounterSet counters_of(const Tunnel* tunnel) noexcept;
  [[nodiscard]] ErrorBuffer* error_buffer() noexcept;

  std::unique_ptr<io::PacketIo> queues_;
  Snapshot<Tables>& snapshot_;
  WorkerOptions options_;
  const Tables* tables_ = nullptr;  ///< of this round
  TunnelStats tunnel_stats_;
  DeviceCounters device_;
  FlowPinning flows_;
  Counter receive_queue_full_;
  std::unique_ptr<Batch> batch_;
  Gro gro_;
  io::LineVector<PendingWrite> pending_writes_;
  io::LineVector<ErrorBuffer> error_buffers_;
  std::size_t error_buffers_used_ = 0;
  io::LineVector<std::byte>
      cut_headers_;  ///< blocks for write_cut(); empty where the device takes super-packets
  ErrorLimiter limiter_;
  io::RouteLookup probe_;
  Time next_route_refresh_{};
  std::uint32_t next_look_up_ = 0;         ///< slot
  std::size_t pending_refreshes_ = 0;      ///< slots that are still to be looked at
  io::LineVector<std::uint32_t> too_big_;  ///< slots of which an outer packet was refused as such
  std::atomic<bool> stop_{false};
  std::atomic<bool> refresh_{false};
};

}  // namespace culvert
