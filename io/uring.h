// One io_uring and its rings of buffers, as Ring uses them. Includes liburing, so it is not
// installed. But for open(), one thread: the one that called enable().
#pragma once

#include <liburing.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

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

  /// Sets it up, disabled, so that another thread may become its issuer. Needs Linux 6.1. Returns 0
  /// or an errno.
  [[nodiscard]] int open(unsigned submission_entries, unsigned completion_entries) noexcept;
  [[nodiscard]] int register_files(std::span<const int> files) noexcept;
  /// Whether the kernel can read again and again into provided buffers (Linux 6.7).
  [[nodiscard]] bool has_multishot_read() noexcept;

  /// Makes this thread the issuer, once. What fails here and below is remembered in fault().
  void enable() noexcept {
    if (!is_enabled_) enable_now();
  }
  /// Cancels what is armed and gives the registered files back. A ring that is only closed is taken
  /// apart later, by a kernel thread, and until then it keeps the TUN device alive: who opens the
  /// same name right after us would find it in use. What fails here is left to that kernel thread.
  void finish() noexcept;
  /// The errno after which nothing works any more; 0: all is well.
  [[nodiscard]] int fault() const noexcept { return fault_; }

  /// An empty submission entry for a registered file; room is made if there is none.
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

  /// Whether completions can be taken. Costs no system call, no more than has_pending_completions().
  [[nodiscard]] bool has_completions() const noexcept { return ::io_uring_cq_ready(&ring_) != 0; }
  /// Whether the kernel has completions that it will post when it is called next.
  [[nodiscard]] bool has_pending_completions() const noexcept {
    return (IO_URING_READ_ONCE(*ring_.sq.kflags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) !=
           0;
  }
  /// Gives the entries to the kernel and lets it post what has completed or arrived.
  void submit() noexcept { check(::io_uring_submit_and_get_events(&ring_)); }
  /// The same, and waits for one completion.
  void submit_and_wait() noexcept { check(::io_uring_submit_and_wait(&ring_, 1)); }
  void submit_and_wait(std::chrono::nanoseconds timeout) noexcept;

  /// Calls `handle(completion)` for each, in order. They are the kernel's again afterwards.
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
  /// Gives the kernel what is there. After a fault there is a place to write to, but nobody reads
  /// it.
  [[nodiscard]] io_uring_sqe* make_room() noexcept;
  void check(int result) noexcept {
    // ETIME: the timeout; EBUSY and EAGAIN: completions are to be taken first, or memory is short.
    if (result < 0 && result != -ETIME && result != -EINTR && result != -EBUSY && result != -EAGAIN)
      fault_ = -result;
  }

  io_uring ring_{};
  bool is_enabled_ = false;
  int fault_ = 0;
  alignas(io_uring_sqe) std::array<std::byte, sizeof(io_uring_sqe)> scrap_{};  ///< see make_room()
};

/// Buffers of which the kernel takes one for each packet, in the order in which they were added.
class BufferRing {
 public:
  BufferRing() = default;
  BufferRing(const BufferRing&) = delete;
  BufferRing& operator=(const BufferRing&) = delete;
  ~BufferRing();

  /// Registers the ring, empty, under the number `group`. Returns 0 or an errno.
  [[nodiscard]] int open(Uring& uring, std::uint16_t group, std::size_t count) noexcept;

  /// Prepares a buffer; publish() gives the kernel all that were prepared.
  void add(std::span<std::byte> room, std::uint16_t slot) noexcept {
    ::io_uring_buf_ring_add(ring_, room.data(), static_cast<unsigned>(room.size()), slot, mask_,
                            added_++);
  }
  void publish() noexcept {
    ::io_uring_buf_ring_advance(ring_, added_);
    added_ = 0;
  }

 private:
  io_uring_buf_ring* ring_ = nullptr;
  std::size_t bytes_ = 0;
  int mask_ = 0;
  int added_ = 0;
};

}  // namespace culvert::io
