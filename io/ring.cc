#include "io/ring.h"

#include <fcntl.h>
#include <liburing.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "io/arrivals.h"
#include "io/departures.h"
#include "io/faults.h"

namespace culvert::io {
namespace {

constexpr std::uint8_t kReadMultishot = 49;  // IORING_OP_READ_MULTISHOT, Linux 6.7
constexpr unsigned kSetupFlags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                 IORING_SETUP_R_DISABLED | IORING_SETUP_SUBMIT_ALL |
                                 IORING_SETUP_CQSIZE;
constexpr unsigned kSubmissionEntries = 512;  // a batch that is larger goes in several pieces

/// One io_uring, from open to its end.
class Uring {
 public:
  Uring() { ring_.ring_fd = -1; }
  Uring(const Uring&) = delete;
  Uring& operator=(const Uring&) = delete;
  ~Uring() {
    if (ring_.ring_fd >= 0) ::io_uring_queue_exit(&ring_);
  }

  /// Returns 0 or an errno.
  [[nodiscard]] int open(unsigned submission_entries, unsigned completion_entries) noexcept {
    io_uring_params parameters{};
    parameters.flags = kSetupFlags;
    parameters.cq_entries = completion_entries;
    const int result = ::io_uring_queue_init_params(submission_entries, &ring_, &parameters);
    if (result < 0) ring_.ring_fd = -1;
    return -std::min(result, 0);
  }
  /// Makes this thread the issuer. io_uring_enable_rings() is declared by liburing 2.3, but not in
  /// its shared library. Returns 0 or an errno.
  [[nodiscard]] int enable() noexcept {
    const auto result =
        ::syscall(__NR_io_uring_register, ring_.ring_fd, IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
    return result < 0 ? errno : 0;
  }
  [[nodiscard]] io_uring* get() noexcept { return &ring_; }

 private:
  io_uring ring_{};
};

/// The ring of buffers of one source, from which the kernel takes one for each packet.
class BufferRing {
 public:
  BufferRing() = default;
  BufferRing(const BufferRing&) = delete;
  BufferRing& operator=(const BufferRing&) = delete;
  ~BufferRing() {
    if (ring_ != nullptr) ::munmap(ring_, bytes_);
  }

  /// Returns 0 or an errno.
  [[nodiscard]] int open(Uring& uring, std::uint16_t group, std::size_t count) noexcept {
    const auto entries = static_cast<unsigned>(std::bit_ceil(count));
    bytes_ = entries * sizeof(io_uring_buf);
    void* memory =
        ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return errno;
    ring_ = static_cast<io_uring_buf_ring*>(memory);
    mask_ = ::io_uring_buf_ring_mask(entries);
    io_uring_buf_reg registration{};
    registration.ring_addr = reinterpret_cast<std::uintptr_t>(memory);
    registration.ring_entries = entries;
    registration.bgid = group;
    return -::io_uring_register_buf_ring(uring.get(), &registration, 0);
  }
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

/// How a request receives.
enum class Way : std::uint8_t {
  read_multishot,     ///< TUN
  poll,               ///< TUN before Linux 6.7: told when readable, then read() until it is empty
  receive_multishot,  ///< raw sockets
  message_multishot,  ///< packet sockets, with the sender: it names the kind of interface
};

/// A request that receives packets again and again until the kernel ends it; then it is armed anew.
struct Intake {
  Source source;
  Way way;
  int descriptor;  ///< its place among the registered files
  bool is_armed = false;
};

/// What a completion is about, and the index within that.
enum class Kind : std::uint8_t { intake, wake, send, write };

std::uint64_t tag(Kind kind, std::size_t index) noexcept {
  return std::uint64_t{static_cast<std::uint8_t>(kind)} << 32 | index;
}

struct Completion {
  std::uint64_t tag;
  std::int32_t result;
  std::uint32_t flags;
};

/// The packet socket's sender, as a multishot receive puts it in front of each packet.
constexpr std::size_t kMessageBytes = sizeof(io_uring_recvmsg_out) + sizeof(sockaddr_ll);

class Ring final : public Queues {
 public:
  Ring(WorkerDescriptors descriptors, const QueueSizes& sizes, std::string_view object)
      : descriptors_(std::move(descriptors)),
        object_(object),
        departures_(sizes, descriptors_.tun_has_virtio_header),
        losses_(descriptors_.receive_kind, descriptors_.receive) {
    message_shape_.msg_namelen = sizeof(sockaddr_ll);
    kept_.reserve(sizes.tun_packets + sizes.tunnel_packets + sizes.icmp_packets + 64);
  }

  [[nodiscard]] Result<void> open(const QueueSizes& sizes, const RingFeatures& features);

  Result<void> wait(std::chrono::nanoseconds timeout) noexcept override;
  [[nodiscard]] std::span<Packet> received(Source source) noexcept override {
    return arrivals_[static_cast<std::size_t>(source)].packets();
  }
  [[nodiscard]] bool send(const Datagram& datagram) noexcept override {
    return departures_.add(datagram);
  }
  [[nodiscard]] bool write(const TunPacket& packet) noexcept override {
    return departures_.add(packet);
  }
  [[nodiscard]] Submitted submit() noexcept override;
  void release() noexcept override;
  void finish() noexcept override;
  void wake() noexcept override { ::eventfd_write(wake_.get(), 1); }
  [[nodiscard]] Losses losses() noexcept override { return losses_.read(); }

 private:
  [[nodiscard]] Unexpected<Error> fail(int code, const char* operation) const {
    return {Error{.code = code, .operation = operation, .object = object_, .advice = ""}};
  }
  [[nodiscard]] Result<void> register_files(const RingFeatures& features);
  [[nodiscard]] Result<void> open_buffers(const QueueSizes& sizes);
  [[nodiscard]] io_uring_sqe* next_entry(Kind kind, std::size_t index) noexcept;
  void arm(std::size_t index) noexcept;
  void arm_wake() noexcept;
  void arm_all() noexcept;
  [[nodiscard]] Result<void> take(const Completion& completion) noexcept;
  [[nodiscard]] Result<void> end_of(Intake& intake, int error) noexcept;
  [[nodiscard]] Result<void> take_all() noexcept;
  [[nodiscard]] bool has_packets() const noexcept;
  [[nodiscard]] std::size_t extra_bytes(Source source) const noexcept {
    const bool is_message =
        source == Source::tunnel && descriptors_.receive_kind == ReceiveKind::packet;
    return is_message ? kMessageBytes : 0;
  }
  void submit_sends() noexcept;
  void submit_writes() noexcept;
  [[nodiscard]] std::size_t collect_results() noexcept;

  WorkerDescriptors descriptors_;
  std::string object_;
  Fd wake_;
  eventfd_t wake_calls_ = 0;
  std::array<Arrivals, kSources> arrivals_;
  Departures departures_;
  LossMeter losses_;
  std::array<BufferRing, kSources> buffers_;
  Uring uring_;  // after what it writes to, so that it is closed first
  bool is_enabled_ = false;
  bool is_wake_armed_ = false;
  std::array<std::size_t, kSources> buffers_with_kernel_{};
  std::vector<Intake> intakes_;
  int tun_file_ = 0, send_file_ = 0, wake_file_ = 0;
  msghdr message_shape_{};
  std::vector<Completion> kept_;  ///< of receives that came during submit(): the next round's
};

// ---- opening ------------------------------------------------------------------------------------

bool has_multishot_read(Uring& uring) noexcept {
  io_uring_probe* probe = ::io_uring_get_probe_ring(uring.get());
  if (probe == nullptr) return false;
  const bool has_it = ::io_uring_opcode_supported(probe, kReadMultishot) != 0;
  ::io_uring_free_probe(probe);
  return has_it;
}

Result<void> Ring::register_files(const RingFeatures& features) {
  std::vector<int> files;
  const auto add = [&](const Fd& fd) {
    files.push_back(fd.get());
    return static_cast<int>(files.size() - 1);
  };
  tun_file_ = add(descriptors_.tun);
  send_file_ = add(descriptors_.send);
  wake_file_ = add(wake_);
  const bool is_packet = descriptors_.receive_kind == ReceiveKind::packet;
  const bool reads_multishot = features.multishot_read && has_multishot_read(uring_);
  intakes_.push_back({.source = Source::tun,
                      .way = reads_multishot ? Way::read_multishot : Way::poll,
                      .descriptor = tun_file_});
  for (const Fd& socket : descriptors_.receive) {
    intakes_.push_back({.source = Source::tunnel,
                        .way = is_packet ? Way::message_multishot : Way::receive_multishot,
                        .descriptor = add(socket)});
  }
  if (descriptors_.icmp) {
    intakes_.push_back({.source = Source::icmp,
                        .way = Way::receive_multishot,
                        .descriptor = add(descriptors_.icmp)});
  }
  const int result =
      ::io_uring_register_files(uring_.get(), files.data(), static_cast<unsigned>(files.size()));
  return result < 0 ? Result<void>{fail(-result, "register descriptors of")} : Result<void>{};
}

Result<void> Ring::open_buffers(const QueueSizes& sizes) {
  auto arrivals = open_arrivals(sizes, descriptors_);
  if (!arrivals) return Unexpected{arrivals.error()};
  arrivals_ = std::move(*arrivals);
  for (std::size_t source = 0; source < kSources; ++source) {
    Arrivals& places = arrivals_[source];
    BufferRing& ring = buffers_[source];
    const int error = ring.open(uring_, static_cast<std::uint16_t>(source), places.count());
    if (error != 0) return fail(error, "register buffers of");
    for (std::size_t slot = 0; slot < places.count(); ++slot)
      ring.add(places.room(slot, extra_bytes(Source{static_cast<std::uint8_t>(source)})),
               static_cast<std::uint16_t>(slot));
    ring.publish();
    buffers_with_kernel_[source] = places.count();
  }
  return {};
}

Result<void> Ring::open(const QueueSizes& sizes, const RingFeatures& features) {
  // No completion is ever lost: there are places for all sends, writes and buffers at a time.
  const std::size_t completions = sizes.batch_sends + sizes.batch_writes + sizes.tun_packets +
                                  sizes.tunnel_packets + sizes.icmp_packets + 64;
  const int error =
      uring_.open(kSubmissionEntries, static_cast<unsigned>(std::bit_ceil(completions)));
  if (error != 0) return fail(error, "open io_uring for");
  wake_.reset(::eventfd(0, EFD_CLOEXEC));
  if (!wake_) return fail(errno, "open eventfd for");
  if (auto registered = register_files(features); !registered) return registered;
  return open_buffers(sizes);
}

// ---- receiving ----------------------------------------------------------------------------------

io_uring_sqe* Ring::next_entry(Kind kind, std::size_t index) noexcept {
  io_uring_sqe* entry = ::io_uring_get_sqe(uring_.get());
  while (entry == nullptr) {
    ::io_uring_submit(uring_.get());
    entry = ::io_uring_get_sqe(uring_.get());
  }
  std::memset(entry, 0, sizeof *entry);
  entry->flags = IOSQE_FIXED_FILE;
  entry->user_data = tag(kind, index);
  return entry;
}

void Ring::arm(std::size_t index) noexcept {
  Intake& intake = intakes_[index];
  io_uring_sqe* entry = next_entry(Kind::intake, index);
  entry->fd = intake.descriptor;
  entry->buf_group = static_cast<std::uint16_t>(intake.source);
  switch (intake.way) {
    case Way::read_multishot:
      entry->opcode = kReadMultishot;
      entry->off = ~std::uint64_t{0};
      entry->flags |= IOSQE_BUFFER_SELECT;
      break;
    case Way::poll:
      entry->opcode = IORING_OP_POLL_ADD;
      entry->poll32_events = POLLIN;
      entry->buf_group = 0;
      break;
    case Way::receive_multishot:
      entry->opcode = IORING_OP_RECV;
      entry->ioprio = IORING_RECV_MULTISHOT;
      entry->flags |= IOSQE_BUFFER_SELECT;
      break;
    case Way::message_multishot:
      entry->opcode = IORING_OP_RECVMSG;
      entry->addr = reinterpret_cast<std::uintptr_t>(&message_shape_);
      entry->len = 1;
      entry->ioprio = IORING_RECV_MULTISHOT;
      entry->flags |= IOSQE_BUFFER_SELECT;
      break;
  }
  intake.is_armed = true;
}

void Ring::arm_wake() noexcept {
  io_uring_sqe* entry = next_entry(Kind::wake, 0);
  entry->opcode = IORING_OP_READ;
  entry->fd = wake_file_;
  entry->addr = reinterpret_cast<std::uintptr_t>(&wake_calls_);
  entry->len = sizeof wake_calls_;
  is_wake_armed_ = true;
}

/// Arms what the kernel has ended, unless that was for want of buffers and there are still none.
void Ring::arm_all() noexcept {
  if (!is_wake_armed_) arm_wake();
  for (std::size_t i = 0; i < intakes_.size(); ++i) {
    const Intake& intake = intakes_[i];
    if (!intake.is_armed && buffers_with_kernel_[static_cast<std::size_t>(intake.source)] > 0)
      arm(i);
  }
}

Result<void> Ring::end_of(Intake& intake, int error) noexcept {
  intake.is_armed = false;
  if (error == ENOBUFS || error == 0) return {};
  if (intake.source != Source::tun) return socket_fault(error, object_);
  if (error == EAGAIN || error == EINTR) return {};
  return Unexpected{tun_fault(error, object_)};
}

Result<void> Ring::take(const Completion& completion) noexcept {
  if (static_cast<Kind>(completion.tag >> 32) == Kind::wake) {
    is_wake_armed_ = false;
    return {};
  }
  Intake& intake = intakes_[static_cast<std::uint32_t>(completion.tag)];
  Arrivals& arrivals = arrivals_[static_cast<std::size_t>(intake.source)];
  if (intake.way == Way::poll) {
    const int error = arrivals.read_from(descriptors_.tun.get());
    return end_of(intake, completion.result < 0 ? -completion.result : error);
  }
  if ((completion.flags & IORING_CQE_F_BUFFER) != 0) {
    --buffers_with_kernel_[static_cast<std::size_t>(intake.source)];
    const std::size_t slot = completion.flags >> IORING_CQE_BUFFER_SHIFT;
    std::size_t filled = static_cast<std::size_t>(std::max(completion.result, 0));
    std::uint16_t hardware_type = 0;
    if (intake.way == Way::message_multishot) {
      sockaddr_ll sender;
      std::memcpy(&sender, arrivals.room(slot, kMessageBytes).data() + sizeof(io_uring_recvmsg_out),
                  sizeof sender);
      hardware_type = sender.sll_hatype;
      filled -= std::min(filled, kMessageBytes);
    }
    arrivals.take(slot, filled, hardware_type);
  }
  if ((completion.flags & IORING_CQE_F_MORE) != 0) return {};
  return end_of(intake, -std::min(completion.result, 0));
}

/// Takes what was kept, then what lies in the completion queue.
Result<void> Ring::take_all() noexcept {
  Result<void> all;
  for (const Completion& completion : kept_) {
    if (auto taken = take(completion); !taken) all = std::move(taken);
  }
  kept_.clear();
  unsigned head;
  unsigned count = 0;
  io_uring_cqe* cqe;
  io_uring_for_each_cqe(uring_.get(), head, cqe) {
    ++count;
    auto taken = take({.tag = cqe->user_data, .result = cqe->res, .flags = cqe->flags});
    if (!taken) all = std::move(taken);
  }
  ::io_uring_cq_advance(uring_.get(), count);
  return all;
}

bool Ring::has_packets() const noexcept {
  return std::any_of(arrivals_.begin(), arrivals_.end(),
                     [](const Arrivals& arrivals) { return !arrivals.slots().empty(); });
}

/// What has come while the last round was submitted is taken first: then no system call is needed,
/// and what must be armed again goes to the kernel with the next submit().
Result<void> Ring::wait(std::chrono::nanoseconds timeout) noexcept {
  if (!is_enabled_) {
    if (const int error = uring_.enable(); error != 0) return fail(error, "enable io_uring for");
    is_enabled_ = true;
  }
  if (auto taken = take_all(); !taken) return taken;
  arm_all();
  if (has_packets()) return {};
  __kernel_timespec limit{.tv_sec = timeout.count() / 1'000'000'000,
                          .tv_nsec = timeout.count() % 1'000'000'000};
  io_uring_cqe* first;
  const int result = ::io_uring_submit_and_wait_timeout(uring_.get(), &first, 1, &limit, nullptr);
  if (result < 0 && result != -ETIME && result != -EINTR && result != -EAGAIN && result != -EBUSY)
    return fail(-result, "wait on io_uring for");
  return take_all();
}

void Ring::release() noexcept {
  for (std::size_t source = 0; source < kSources; ++source) {
    Arrivals& arrivals = arrivals_[source];
    const bool kernel_chooses = intakes_.front().way != Way::poll || source != 0;
    if (kernel_chooses && !arrivals.slots().empty()) {
      for (const std::uint16_t slot : arrivals.slots())
        buffers_[source].add(
            arrivals.room(slot, extra_bytes(Source{static_cast<std::uint8_t>(source)})), slot);
      buffers_[source].publish();
      buffers_with_kernel_[source] += arrivals.slots().size();
    }
    arrivals.clear();
  }
}

// ---- sending ------------------------------------------------------------------------------------

void Ring::submit_sends() noexcept {
  std::size_t index = 0;
  for (mmsghdr& message : departures_.sends()) {
    io_uring_sqe* entry = next_entry(Kind::send, index++);
    entry->fd = send_file_;
    entry->opcode = IORING_OP_SENDMSG;
    entry->addr = reinterpret_cast<std::uintptr_t>(&message.msg_hdr);
    entry->len = 1;
    entry->msg_flags = MSG_DONTWAIT;
  }
}

void Ring::submit_writes() noexcept {
  std::size_t index = 0;
  for (const auto& pieces : departures_.writes()) {
    io_uring_sqe* entry = next_entry(Kind::write, index++);
    entry->fd = tun_file_;
    entry->opcode = IORING_OP_WRITEV;
    entry->addr = reinterpret_cast<std::uintptr_t>(pieces.data());
    entry->len = static_cast<unsigned>(pieces.size());
    entry->off = ~std::uint64_t{0};
  }
}

/// Returns how many sends and writes have completed; receives are kept for the next round.
std::size_t Ring::collect_results() noexcept {
  unsigned head;
  unsigned count = 0;
  std::size_t results = 0;
  io_uring_cqe* cqe;
  io_uring_for_each_cqe(uring_.get(), head, cqe) {
    ++count;
    const auto index = static_cast<std::uint32_t>(cqe->user_data);
    const int error = -std::min(cqe->res, 0);
    switch (static_cast<Kind>(cqe->user_data >> 32)) {
      case Kind::send:
        departures_.set_send_result(index, error);
        ++results;
        break;
      case Kind::write:
        departures_.set_write_result(index, error);
        ++results;
        break;
      case Kind::intake:
      case Kind::wake:
        kept_.push_back({.tag = cqe->user_data, .result = cqe->res, .flags = cqe->flags});
        break;
    }
  }
  ::io_uring_cq_advance(uring_.get(), count);
  return results;
}

Submitted Ring::submit() noexcept {
  std::size_t pending = departures_.sends().size() + departures_.writes().size();
  if (pending == 0) return departures_.finish();
  submit_sends();
  submit_writes();
  // One system call does it all, and brings what has arrived meanwhile.
  ::io_uring_submit_and_get_events(uring_.get());
  pending -= collect_results();
  while (pending > 0) {
    ::io_uring_submit_and_wait(uring_.get(), 1);
    pending -= collect_results();
  }
  return departures_.finish();
}

// ---- is it allowed? -----------------------------------------------------------------------------

int disabled_by_sysctl() {
  int value = 0;
  std::ifstream{"/proc/sys/kernel/io_uring_disabled"} >> value;
  return value;
}

std::string advice_on(int code) {
  switch (code) {
    case ENOSYS:
      return "this kernel has no io_uring";
    case EPERM:
    case EACCES:
      if (const int value = disabled_by_sysctl(); value != 0)
        return "the sysctl kernel.io_uring_disabled is " + std::to_string(value);
      return "refused by a seccomp filter, as of Docker's default profile";
    case EINVAL:
      return "the kernel is older than 6.1: no deferred task run";
    case ENOMEM:
      return "RLIMIT_MEMLOCK is too small";
    default:
      return {};
  }
}

/// A ring that is only closed is taken apart later, by a kernel thread, and until then it keeps the
/// device alive: a process that starts right after us would find the name in use. Only the issuer
/// may do it at once. What fails here is left to that kernel thread.
void Ring::finish() noexcept {
  io_uring_sync_cancel_reg all{};
  all.flags = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL;
  all.timeout = {.tv_sec = -1, .tv_nsec = -1};
  ::io_uring_register_sync_cancel(uring_.get(), &all);
  ::io_uring_get_events(uring_.get());  // the cancelled requests let go of their files here
  ::io_uring_unregister_files(uring_.get());
}

}  // namespace

Result<void> probe_ring() {
  Uring uring;
  int error = uring.open(4, 8);
  BufferRing buffers;
  if (error == 0) error = buffers.open(uring, 0, 4);
  if (error == 0) return {};
  return Unexpected{Error{
      .code = error, .operation = "set up", .object = "io_uring", .advice = advice_on(error)}};
}

Result<std::unique_ptr<Queues>> open_ring(WorkerDescriptors descriptors, const QueueSizes& sizes,
                                          std::string_view object, const RingFeatures& features) {
  auto ring = std::make_unique<Ring>(std::move(descriptors), sizes, object);
  if (auto opened = ring->open(sizes, features); !opened) return Unexpected{opened.error()};
  return std::unique_ptr<Queues>{std::move(ring)};
}

}  // namespace culvert::io
