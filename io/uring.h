// Uring and BufferRing: one io_uring and its rings of provided buffers, as Ring uses them. The
// header includes liburing, so it is not installed. After open() and register_files(), one thread:
// the one that calls enable().
#pragma once

#include <liburing.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "io/pages.h"

namespace culvert::io {

inline constexpr std::uint8_t kReadMultishot = 49;  // IORING_OP_READ_MULTISHOT, not in liburing 2.3

class Uring {
 public:
  Uring() { ring_.ring_fd = -1; }
  Uring(const Uring&) = delete;
  Uring& operator=(const Uring&) = delete;
  ~Uring() {
    if (ring_.ring_fd >= 0) ::io_uring_queue_exit(&ring_);
  }

  /// Sets the ring up in disabled state, so that another thread may become its issuer. Needs
  /// Linux 6.1. Returns 0 or an errno.
  [[nodiscard]] int open(unsigned submission_entries, unsigned completion_entries) noexcept;
  /// Registers files; entries refer to them by index. Returns 0 or an errno.
  [[nodiscard]] int register_files(std::span<const int> files) noexcept;
  /// Whether the kernel has IORING_OP_READ_MULTISHOT (Linux 6.7).
  [[nodiscard]] bool has_multishot_read() noexcept;

  /// Makes this thread the issuer, once. fault() reports errors of this function and of those
  /// below.
  void enable() noexcept {
    if (!is_enabled_) enable_now();
  }
  /// Cancels all armed requests and unregisters the files. If a ring is only closed, a kernel
  /// thread releases it later and keeps the TUN device alive until then: a program that creates a
  /// device of the same name at once would find the name in use. Errors are ignored: then that
  /// kernel thread does the work.
  void finish() noexcept;
  /// The errno of a fault after which the ring does not work any more; 0: no fault.
  [[nodiscard]] int fault() const noexcept { return fault_; }

  /// An empty submission entry for a registered file. Submits the queue first if it is full. `tag`:
  /// the user_data of the completion.
  [[nodiscard]] io_uring_sqe* next_entry(std::uint8_t opcode, int file,
                                         std::uint64_t tag) noexcept {
    io_uring_sqe* entry = ::io_uring_get_sqe(&ring_);
    if (entry == nullptr) entry = make_room();
    std::memset(entry, 0, sizeof *entry);
    entry->opcode = opcode;
    entry->flags = IOSQE_FIXED_FILE;
    entry->fd = file;
    entry->user_data = tag;
    return entry;
  }

  /// Whether the completion queue has entries. No system call.
  [[nodiscard]] bool has_completions() const noexcept { return ::io_uring_cq_ready(&ring_) != 0; }
  /// Whether the kernel has completions that it will post in the next system call. No system call.
  [[nodiscard]] bool has_pending_completions() const noexcept {
    return (IO_URING_READ_ONCE(*ring_.sq.kflags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) !=
           0;
  }
  /// Submits all entries and lets the kernel post pending completions.
  void submit() noexcept { check(::io_uring_submit_and_get_events(&ring_)); }
  /// The same, and waits for one completion, at most for `timeout`.
  void submit_and_wait() noexcept { check(::io_uring_submit_and_wait(&ring_, 1)); }
  void submit_and_wait(std::chrono::nanoseconds timeout) noexcept;

  /// Calls `handle(completion)` for each completion, in order, and then frees their entries.
  template <class Handle>
  void for_each_completion(Handle handle) noexcept {
    unsigned head;
    unsigned count = 0;
    io_uring_cqe* completion;
    io_uring_for_each_cqe(&ring_, head, completion) {
      ++count;
      handle(*completion);
    }
    ::io_uring_cq_advance(&ring_, count);
  }

 private:
  friend class BufferRing;

  void enable_now() noexcept;
  /// Submits the queue and returns an entry. After a fault the entry is scrap_, which is never
  /// submitted.
  [[nodiscard]] io_uring_sqe* make_room() noexcept;
  void check(int result) noexcept {
    // ETIME: timeout. EBUSY, EAGAIN: handle completions first, or the kernel is short of memory.
    if (result < 0 && result != -ETIME && result != -EINTR && result != -EBUSY && result != -EAGAIN)
      fault_ = -result;
  }

  io_uring ring_{};
  bool is_enabled_ = false;
  int fault_ = 0;
  alignas(io_uring_sqe) std::array<std::byte, sizeof(io_uring_sqe)> scrap_{};  ///< see make_room()
};

/// A ring of provided buffers. The kernel uses one per packet, in the order of add().
class BufferRing {
 public:
  BufferRing() = default;
  BufferRing(const BufferRing&) = delete;
  BufferRing& operator=(const BufferRing&) = delete;

  /// Registers an empty ring for `count` buffers as buffer group `group`. Returns 0 or an errno.
  [[nodiscard]] int open(Uring& uring, std::uint16_t group, std::size_t count);

  /// Adds a buffer. The kernel sees all added buffers after publish(). `slot`: the buffer id.
  void add(std::span<std::byte> room, std::uint16_t slot) noexcept {
    ::io_uring_buf_ring_add(ring_, room.data(), static_cast<unsigned>(room.size()), slot, mask_,
                            added_++);
  }
  void publish() noexcept {
    ::io_uring_buf_ring_advance(ring_, added_);
    added_ = 0;
  }

 private:
  Pages memory_;
  io_uring_buf_ring* ring_ = nullptr;  ///< in memory_
  int mask_ = 0;
  int added_ = 0;
};

}  // namespace culvert::io
