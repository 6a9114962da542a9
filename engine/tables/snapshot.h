// Snapshot<T>: an immutable value handed from one writer to a fixed number of readers without a
// lock. A reader takes the newest at the start of its round and uses it to the round's end; the
// writer frees the one before only when every reader has taken the new one.
//
// publish, activate, deactivate: the engine's owner, one thread at a time. read: reader n's thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <thread>
#include <utility>

#include "io/cache_line.h"

namespace culvert {

template <class T>
class Snapshot {
 public:
  Snapshot(std::unique_ptr<const T> first, std::size_t readers)
      : owned_(std::move(first)), current_(owned_.get()), seen_(readers) {}

  /// Reader `n`'s value for this round. The acquire pairs with the release in publish(), so that
  /// what the pointer points to is visible; the release pairs with the acquire there, so that the
  /// round before is over when the writer frees what it used.
  [[nodiscard]] const T& read(std::size_t n) noexcept {
    const T* newest = current_.load(std::memory_order_acquire);
    seen_[n].value.store(newest, std::memory_order_release);
    return *newest;
  }

  /// From before the reader's thread starts until after it has ended, publish() waits for it.
  void activate(std::size_t n) noexcept {
    seen_[n].value.store(current_.load(), std::memory_order_release);
  }
  void deactivate(std::size_t n) noexcept {
    seen_[n].value.store(nullptr, std::memory_order_release);
  }

  /// Hands out `next` and frees the value before it. `wake` makes sleeping readers start a round.
  void publish(std::unique_ptr<const T> next, const std::function<void()>& wake) {
    current_.store(next.get(), std::memory_order_release);
    wake();
    for (auto& seen : seen_) {
      for (;;) {
        const T* value = seen.value.load(std::memory_order_acquire);
        if (value == nullptr || value == next.get()) break;
        std::this_thread::sleep_for(std::chrono::microseconds{100});
      }
    }
    owned_ = std::move(next);
  }

  /// The owner's view.
  [[nodiscard]] const T& current() const noexcept { return *owned_; }

 private:
  struct alignas(io::kCacheLineBytes) Seen {
    std::atomic<const T*> value{nullptr};
  };

  std::unique_ptr<const T> owned_;
  std::atomic<const T*> current_;
  io::LineVector<Seen> seen_;  ///< each reader writes its own, in every round
};

}  // namespace culvert
