// NdpLoop: the thread of an NDP proxy. It receives through NdpIo, lets the responder decide, and
// sends. Other threads run code on it with call(). Everything else runs on the loop's
// thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "engine/ndp/ndp_responder.h"
#include "engine/tables/tunnel.h"
#include "io/busy_poll.h"
#include "io/ndp/ndp_io.h"
#include "io/result.h"

namespace culvert {

class NdpLoop {
 public:
  /// `io` and `routes` must outlive the loop.
  NdpLoop(const NdpConfig& config, io::NdpIo& io, std::uint64_t seed, NdpRoutes* routes = nullptr);
  NdpLoop(const NdpLoop&) = delete;
  NdpLoop& operator=(const NdpLoop&) = delete;
  ~NdpLoop() { stop(); }

  /// For the owner, one thread at a time.
  [[nodiscard]] Result<void> start(const std::string& name);
  void stop() noexcept;
  [[nodiscard]] bool is_running() const noexcept { return thread_.joinable(); }
  /// Runs `work` on the loop's thread between two rounds and waits until it has finished. If the
  /// loop does not run, calls `work` directly. `work` must be short, and may use the functions
  /// below.
  void call(const std::function<void()>& work);

  // Only inside call():
  [[nodiscard]] NdpResponder& responder() noexcept { return responder_; }
  /// Drops delayed answers and pending announcements: they were for another interface.
  void drop_pending() noexcept;
  void set_delay(std::chrono::milliseconds delay) noexcept { delay_ = delay; }
  /// Appends targets to the queue of announcements.
  void announce(const std::vector<proto::Ipv6Address>& targets);
  /// Adds the kernel's drop count to receive_queue_full.
  void count_drops() noexcept { responder_.counters().receive_queue_full.add(io_.read_drops()); }
  /// Number of answers that wait for their random delay.
  [[nodiscard]] std::size_t delayed() const noexcept { return delayed_.size(); }

 private:
  struct Delayed {
    Time due;
    NdpFrame frame;
  };

  void run() noexcept;
  [[nodiscard]] bool round(Time now) noexcept;
  [[nodiscard]] std::size_t receive_frames(Time now) noexcept;
  void receive_replies(Time now) noexcept;
  void send_due(Time now) noexcept;
  void send_announcements(Time now) noexcept;
  void flush(Time now) noexcept;
  void send(std::span<const NdpFrame* const> frames) noexcept;
  void wait(Time now) noexcept;
  [[nodiscard]] Time next_due() const noexcept;
  void run_call() noexcept;

  NdpResponder responder_;
  io::NdpIo& io_;
  NdpOutput out_;
  std::chrono::milliseconds delay_;
  std::minstd_rand random_;
  std::vector<Delayed> delayed_;  ///< a heap, the earliest first; of fixed capacity
  std::vector<proto::Ipv6Address> announcements_;
  Time announce_at_{};
  std::size_t idle_frames_ = 0;  ///< frames without an answer since the last pause
  io::BusyPoll busy_poll_;

  std::atomic<const std::function<void()>*> call_{nullptr};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace culvert
