// DelayedCall: one call for a burst of requests. The thread of its io_context.
#pragma once

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <utility>

namespace culvert::program {

/// When calls are due: a pause after a request, and so long after the last call that calls take a tenth
/// of the time at most.
class CallPace {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Duration = std::chrono::steady_clock::duration;

  explicit CallPace(Duration pause) : pause_(pause) {}

  [[nodiscard]] Time due(Time request) const { return std::max(request + pause_, next_); }
  void called(Time start, Time end) { next_ = end + kPauseFactor * (end - start); }

 private:
  static constexpr int kPauseFactor = 9;

  Duration pause_;
  Time next_{};  ///< no call before this time
};

class DelayedCall {
 public:
  /// `call` runs `pause` after the first request since the last call, or later: see CallPace.
  DelayedCall(boost::asio::io_context& context, CallPace::Duration pause,
              std::function<void()> call)
      : timer_(context), pace_(pause), call_(std::move(call)) {}

  /// Without effect while a call is due. A request during the call causes another one.
  void request() {
    if (std::exchange(is_due_, true)) return;
    timer_.expires_at(pace_.due(Clock::now()));
    timer_.async_wait([this](boost::system::error_code error) {
      is_due_ = false;
      if (error) return;
      const auto start = Clock::now();
      call_();
      pace_.called(start, Clock::now());
    });
  }

 private:
  using Clock = std::chrono::steady_clock;

  boost::asio::steady_timer timer_;
  CallPace pace_;
  std::function<void()> call_;
  bool is_due_ = false;
};

}  // namespace culvert::program
