// Snapshot<T>: one writer publishes immutable values to a fixed number of readers without a lock. A
// reader takes the current value at the start of its round and uses it until the round ends. The
// writer frees the previous value after every active reader has switched to the new one.
//
// Threads: publish and activate: the engine's owner, one thread at a time. read: the thread of reader
// n. deactivate: that thread, after its last read, or the owner after it has ended.
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
      : owned_(std::move(first)), current_(owned_.get()), in_use_(readers) {}

  /// Returns the value for reader `n`'s next round. The acquire pairs with the release in publish()
  /// and makes the value's contents visible. The release pairs with the acquire in publish(): the
  /// writer frees the previous value only after the reader's previous round.
  [[nodiscard]] const T& read(std::size_t n) noexcept {
    const T* newest = current_.load(std::memory_order_acquire);
    in_use_[n].value.store(newest, std::memory_order_release);
    return *newest;
  }

  /// activate(n) is called before reader n's thread starts and deactivate(n) after its last read. In
  /// between publish() waits for the reader.
  void activate(std::size_t n) noexcept {
    in_use_[n].value.store(current_.load(), std::memory_order_release);
  }
  void deactivate(std::size_t n) noexcept {
    in_use_[n].value.store(nullptr, std::memory_order_release);
  }

  /// Publishes `next`, waits until all active readers use it, and frees the previous value. `wake`
  /// makes sleeping readers start a round.
  void publish(std::unique_ptr<const T> next, const std::function<void()>& wake) {
    current_.store(next.get(), std::memory_order_release);
    wake();
    for (auto& reader : in_use_) {
      for (;;) {
        const T* value = reader.value.load(std::memory_order_acquire);
        if (value == nullptr || value == next.get()) break;
        std::this_thread::sleep_for(std::chrono::microseconds{100});
      }
    }
    owned_ = std::move(next);
  }

  /// The current value, for the owner.
  [[nodiscard]] const T& current() const noexcept { return *owned_; }

 private:
  struct alignas(io::kCacheLineBytes) InUse {
    std::atomic<const T*> value{nullptr};
  };

  std::unique_ptr<const T> owned_;
  std::atomic<const T*> current_;
  io::LineVector<InUse> in_use_;  ///< each reader writes its own element in every round
};

}  // namespace culvert
