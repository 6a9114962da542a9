#include "io/uring.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <utility>

namespace culvert::io {

int Uring::open(unsigned submission_entries, unsigned completion_entries) noexcept {
  io_uring_params parameters{};
  parameters.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                     IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_R_DISABLED | IORING_SETUP_SUBMIT_ALL |
                     IORING_SETUP_CQSIZE;
  parameters.cq_entries = completion_entries;
  const int result = ::io_uring_queue_init_params(submission_entries, &ring_, &parameters);
  if (result < 0) ring_.ring_fd = -1;
  return -std::min(result, 0);
}

int Uring::register_files(std::span<const int> files) noexcept {
  return -::io_uring_register_files(&ring_, files.data(), static_cast<unsigned>(files.size()));
}

bool Uring::has_multishot_read() noexcept {
  io_uring_probe* probe = ::io_uring_get_probe_ring(&ring_);
  if (probe == nullptr) return false;
  const bool has_it = ::io_uring_opcode_supported(probe, kReadMultishot) != 0;
  ::io_uring_free_probe(probe);
  return has_it;
}

/// liburing 2.3 declares io_uring_enable_rings(), but its shared library lacks it.
void Uring::enable_now() noexcept {
  const auto result =
      ::syscall(__NR_io_uring_register, ring_.ring_fd, IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
  if (result < 0) fault_ = errno;
  is_enabled_ = true;
}

void Uring::finish() noexcept {
  io_uring_sync_cancel_reg all{};
  all.flags = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL;
  all.timeout = {.tv_sec = -1, .tv_nsec = -1};
  ::io_uring_register_sync_cancel(&ring_, &all);
  ::io_uring_get_events(&ring_);  // here the cancelled requests release their files
  ::io_uring_unregister_files(&ring_);
}

io_uring_sqe* Uring::make_room() noexcept {
  check(::io_uring_submit(&ring_));
  io_uring_sqe* entry = ::io_uring_get_sqe(&ring_);
  if (entry != nullptr) return entry;
  if (fault_ == 0) fault_ = EBUSY;
  return reinterpret_cast<io_uring_sqe*>(scrap_.data());
}

void Uring::submit_and_wait(std::chrono::nanoseconds timeout) noexcept {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(timeout);
  __kernel_timespec limit{.tv_sec = seconds.count(), .tv_nsec = (timeout - seconds).count()};
  io_uring_cqe* first;
  check(::io_uring_submit_and_wait_timeout(&ring_, &first, 1, &limit, nullptr));
}

int BufferRing::open(Uring& uring, std::uint16_t group, std::size_t count) {
  const auto entries = static_cast<unsigned>(std::bit_ceil(count));
  auto pages =
      Pages::map(entries * sizeof(io_uring_buf), Pages::Kind::on_demand, "ring of buffers");
  if (!pages) return pages.error().code;
  memory_ = std::move(*pages);
  ring_ = reinterpret_cast<io_uring_buf_ring*>(memory_.data());
  mask_ = ::io_uring_buf_ring_mask(entries);
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uintptr_t>(ring_);
  registration.ring_entries = entries;
  registration.bgid = group;
  return -::io_uring_register_buf_ring(&uring.ring_, &registration, 0);
}

}  // namespace culvert::io
