// DelayedCall: one call for a burst of requests. The thread of its io_context.
#pragma once

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <utility>

namespace culvert::program {

class DelayedCall {
 public:
  using Duration = std::chrono::steady_clock::duration;

  /// `call` runs `pause` after the first request since the last call. If calls take long the pause is
  /// longer, so that they take at most a tenth of the time.
  DelayedCall(boost::asio::io_context& context, Duration pause, std::function<void()> call)
      : timer_(context), pause_(pause), call_(std::move(call)) {}

  /// Without effect while a call is due. A request during the call causes another one.
  void request() {
    if (std::exchange(is_due_, true)) return;
    timer_.expires_after(std::max(pause_, kPauseFactor * last_));
    timer_.async_wait([this](boost::system::error_code error) {
      is_due_ = false;
      if (error) return;
      const auto start = std::chrono::steady_clock::now();
      call_();
      last_ = std::chrono::steady_clock::now() - start;
    });
  }

 private:
  static constexpr int kPauseFactor = 9;

  boost::asio::steady_timer timer_;
  Duration pause_;
  std::function<void()> call_;
  bool is_due_ = false;
  Duration last_{0};  ///< how long the last call took
};

}  // namespace culvert::program
