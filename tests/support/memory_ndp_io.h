// MemoryNdpIo: io::NdpIo without a kernel. A test adds frames and echo replies and reads the frames
// and echo requests that were sent. The test's thread and the loop's thread use it together.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "io/ndp/ndp_io.h"
#include "tests/support/packet_builder.h"

namespace culvert::test {

class MemoryNdpIo final : public io::NdpIo {
 public:
  struct Sent {
    Bytes bytes;
    std::chrono::steady_clock::time_point at;
  };

  // ---- for the test
  void put(const Bytes& frame) {
    change([&] { frames_.push_back(frame); });
  }
  void put(const io::ProbeReply& reply) {
    change([&] { replies_.push_back(reply); });
  }
  /// False: there is no interface.
  void set_open(bool is_open) {
    change([&] { is_open_ = is_open; });
  }
  /// The result of each frame sent from now on.
  void set_send_error(int error) {
    change([&] { send_error_ = error; });
  }
  std::vector<Sent> sent() const { return copy(sent_); }
  std::vector<io::Probe> probes() const { return copy(probes_); }
  /// Waits until `count` frames have been sent.
  void await_sent(std::size_t count) {
    await([&] { return sent_.size() >= count; });
  }
  void await_probe() {
    await([&] { return !probes_.empty(); });
  }
  /// Waits until the loop sleeps for at least `shortest` and at most `longest`.
  void await_wait(std::chrono::nanoseconds shortest, std::chrono::nanoseconds longest) {
    await([&] { return wait_ >= shortest && wait_ <= longest; });
  }

  // ---- for the loop
  bool is_open() const noexcept override {
    const std::lock_guard lock{mutex_};
    return is_open_;
  }
  std::span<const std::byte> next() noexcept override {
    const std::lock_guard lock{mutex_};
    return frames_.empty() ? std::span<const std::byte>{} : frames_.front();
  }
  void release() noexcept override {
    const std::lock_guard lock{mutex_};
    frames_.pop_front();
  }
  void send(std::span<const std::span<const std::byte>> frames,
            std::span<int> errors) noexcept override {
    change([&] {
      std::fill_n(errors.begin(), frames.size(), send_error_);
      const auto now = std::chrono::steady_clock::now();
      for (const auto& frame : frames) sent_.push_back({{frame.begin(), frame.end()}, now});
    });
  }
  std::uint64_t read_drops() noexcept override { return 0; }
  bool send_probe(const io::Probe& probe) noexcept override {
    change([&] { probes_.push_back(probe); });
    return true;
  }
  std::optional<io::ProbeReply> receive_reply() noexcept override {
    const std::lock_guard lock{mutex_};
    if (replies_.empty()) return std::nullopt;
    const io::ProbeReply reply = replies_.front();
    replies_.pop_front();
    return reply;
  }
  void wait(std::chrono::nanoseconds timeout) noexcept override {
    std::unique_lock lock{mutex_};
    wait_ = timeout;
    changed_.notify_all();
    changed_.wait_for(lock, timeout,
                      [&] { return is_awake_ || !frames_.empty() || !replies_.empty(); });
    is_awake_ = false;
    wait_ = {};
  }
  void wake() noexcept override {
    change([&] { is_awake_ = true; });
  }

 private:
  template <class Change>
  void change(Change change) {
    const std::lock_guard lock{mutex_};
    change();
    changed_.notify_all();
  }
  template <class T>
  T copy(const T& value) const {
    const std::lock_guard lock{mutex_};
    return value;
  }
  void await(const std::function<bool()>& holds) {
    std::unique_lock lock{mutex_};
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds{60}, holds));
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Bytes> frames_;
  std::deque<io::ProbeReply> replies_;
  bool is_open_ = true, is_awake_ = false;
  int send_error_ = 0;
  std::vector<Sent> sent_;
  std::vector<io::Probe> probes_;
  std::chrono::nanoseconds wait_{};  ///< time-out of the current wait(); 0: the loop does not wait
};

}  // namespace culvert::test
