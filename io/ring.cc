#include "io/ring.h"

#include <linux/if_packet.h>
#include <netinet/in.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "io/busy_poll.h"
#include "io/cache_line.h"
#include "io/control_message.h"
#include "io/event_fd.h"
#include "io/rx_buffers.h"
#include "io/rx_errors.h"
#include "io/tun.h"
#include "io/tx_batch.h"
#include "io/uring.h"

namespace culvert::io {
namespace {

constexpr unsigned kSubmissionEntries = 256;  // a larger batch is submitted in several parts

/// How a request receives.
enum class RxMethod : std::uint8_t {
  read_multishot,     ///< TUN
  poll,               ///< TUN before Linux 6.7: poll, then read() until it is empty
  receive_multishot,  ///< ICMP: recv()
  message_multishot,  ///< tunnel sockets: recvmsg(), for the receiving interface
};

/// A multishot request that receives packets until the kernel ends it. Then Ring arms it again.
struct RxRequest {
  Source source;
  RxMethod method;
  int file;  ///< index of the registered file
  bool is_armed = false;
};

/// The kind of request that a completion belongs to. The tag holds the kind and an index.
enum class Kind : std::uint8_t { rx_request, wake, write };

constexpr std::uint64_t tag_of(Kind kind, std::size_t index) noexcept {
  return std::uint64_t{static_cast<std::uint8_t>(kind)} << 32 | index;
}
struct Completion {
  Kind kind;
  std::uint32_t index;
  std::int32_t result;
  std::uint32_t flags;

  explicit Completion(const io_uring_cqe& entry) noexcept
      : kind(static_cast<Kind>(entry.user_data >> 32)),
        index(static_cast<std::uint32_t>(entry.user_data)),
        result(entry.res),
        flags(entry.flags) {}
  [[nodiscard]] int error() const noexcept { return -std::min(result, 0); }
};

/// The msghdr of a multishot recvmsg(): it asks for the sender (packet socket) or for IP_PKTINFO
/// (raw socket). In the buffer the kernel writes an io_uring_recvmsg_out in front of them.
msghdr message_shape(ReceiveKind kind) noexcept {
  msghdr shape{};
  if (kind == ReceiveKind::packet) {
    shape.msg_namelen = sizeof(sockaddr_ll);
  } else {
    shape.msg_controllen = sizeof(ControlMessage<in_pktinfo>);
  }
  return shape;
}

constexpr std::size_t index_of(Source source) noexcept { return static_cast<std::size_t>(source); }

class alignas(kCacheLineBytes) Ring final : public PacketIo {
 public:
  Ring(WorkerDescriptors descriptors, const QueueSizes& sizes, std::chrono::nanoseconds busy_poll,
       std::string_view object)
      : descriptors_(std::move(descriptors)),
        object_(object),
        busy_poll_(busy_poll),
        tx_batch_(sizes, descriptors_),
        losses_(descriptors_.receive_kind, descriptors_.receive),
        message_shape_(message_shape(descriptors_.receive_kind)) {}

  [[nodiscard]] Result<void> open(const QueueSizes& sizes, const RingFeatures& features);

  Result<void> wait(std::chrono::nanoseconds timeout) noexcept override;
  [[nodiscard]] std::span<Packet> received(Source source) noexcept override {
    return rx_buffers_[index_of(source)].packets();
  }
  [[nodiscard]] bool send(const Datagram& datagram) noexcept override {
    return tx_batch_.add(datagram);
  }
  [[nodiscard]] bool write(const TunPacket& packet) noexcept override {
    return tx_batch_.add(packet);
  }
  [[nodiscard]] Submitted submit() noexcept override;
  void release() noexcept override;
  void finish() noexcept override { uring_.finish(); }
  void wake() noexcept override { wake_.signal(); }
  [[nodiscard]] Losses losses() noexcept override { return losses_.read(); }

 private:
  [[nodiscard]] Unexpected<Error> fail(int code, const char* operation) const {
    return {Error{.code = code, .operation = operation, .object = object_, .advice = ""}};
  }
  [[nodiscard]] Result<void> register_files(const RingFeatures& features);
  [[nodiscard]] Result<void> open_buffers(const QueueSizes& sizes);
  void provide_buffer(std::size_t source, std::size_t slot) noexcept;
  void arm(std::size_t index) noexcept;
  void arm_all() noexcept;
  void handle(const Completion& completion) noexcept;
  /// The bytes that a multishot recvmsg() writes in front of each packet.
  [[nodiscard]] std::size_t message_bytes() const noexcept {
    return sizeof(io_uring_recvmsg_out) + message_shape_.msg_namelen +
           message_shape_.msg_controllen;
  }
  [[nodiscard]] RxMeta read_message(std::span<const std::byte> message) const noexcept;
  void receive_packet(const RxRequest& rx_request, const Completion& completion) noexcept;
  void end_request(RxRequest& rx_request, int error) noexcept;
  void handle_completions() noexcept;
  void wait_for_completions(std::chrono::nanoseconds timeout) noexcept;
  void prepare_writes() noexcept;
  [[nodiscard]] std::size_t collect_results() noexcept;

  WorkerDescriptors descriptors_;
  std::string object_;
  BusyPoll busy_poll_;
  EventFd wake_;
  std::uint64_t wake_calls_ = 0;
  std::array<RxBuffers, kSources> rx_buffers_;
  TxBatch tx_batch_;
  LossMeter losses_;
  std::array<BufferRing, kSources> buffers_;
  Uring uring_;  // declared after all memory that the kernel may write, so that it is closed first
  std::array<std::size_t, kSources> buffers_with_kernel_{};
  LineVector<RxRequest> rx_requests_;  ///< [0] is the request of TUN
  int tun_file_ = 0, wake_file_ = 0;
  bool is_wake_armed_ = false;
  msghdr message_shape_;
  LineVector<Completion> deferred_;  ///< receive completions during submit(), for the next round
  Result<void> failure_;             ///< wait() returns it
};

// ---- opening ------------------------------------------------------------------------------------

Result<void> Ring::register_files(const RingFeatures& features) {
  std::vector<int> files;
  const auto add = [&](int fd) {
    files.push_back(fd);
    return static_cast<int>(files.size() - 1);
  };
  tun_file_ = add(descriptors_.tun.get());
  wake_file_ = add(wake_.fd());
  const bool reads_multishot = features.multishot_read && uring_.has_multishot_read();
  rx_requests_.push_back({.source = Source::tun,
                          .method = reads_multishot ? RxMethod::read_multishot : RxMethod::poll,
                          .file = tun_file_});
  for (const Fd& socket : descriptors_.receive) {
    rx_requests_.push_back({.source = Source::tunnel,
                            .method = RxMethod::message_multishot,
                            .file = add(socket.get())});
  }
  if (descriptors_.icmp) {
    rx_requests_.push_back({.source = Source::icmp,
                            .method = RxMethod::receive_multishot,
                            .file = add(descriptors_.icmp.get())});
  }
  const int error = uring_.register_files(files);
  return error != 0 ? Result<void>{fail(error, "register descriptors of")} : Result<void>{};
}

void Ring::provide_buffer(std::size_t source, std::size_t slot) noexcept {
  const std::size_t extra_bytes = source == index_of(Source::tunnel) ? message_bytes() : 0;
  buffers_[source].add(rx_buffers_[source].room(slot, extra_bytes),
                       static_cast<std::uint16_t>(slot));
  ++buffers_with_kernel_[source];
}

Result<void> Ring::open_buffers(const QueueSizes& sizes) {
  auto rx_buffers = open_rx_buffers(sizes, descriptors_);
  if (!rx_buffers) return Unexpected{rx_buffers.error()};
  rx_buffers_ = std::move(*rx_buffers);
  for (std::size_t source = 0; source < kSources; ++source) {
    const std::size_t count = rx_buffers_[source].count();
    const int error = buffers_[source].open(uring_, static_cast<std::uint16_t>(source), count);
    if (error != 0) return fail(error, "register buffers of");
    for (std::size_t slot = 0; slot < count; ++slot) provide_buffer(source, slot);
    buffers_[source].publish();
  }
  return {};
}

Result<void> Ring::open(const QueueSizes& sizes, const RingFeatures& features) {
  // The most completions that can wait at once, besides those of writes.
  const std::size_t receives = sizes.tun_packets              // one for each buffer of TUN,
                               + sizes.tunnel_packets         // of the tunnel sockets
                               + sizes.icmp_packets           // and of the ICMP socket
                               + 1                            // the last one of TUN's request,
                               + descriptors_.receive.size()  // of each tunnel socket's
                               + 1                            // and of the ICMP socket's
                               + 1;                           // wake()
  deferred_.reserve(receives);
  // So the completion queue never overflows.
  const std::size_t completions = receives + sizes.batch_writes;
  const int error =
      uring_.open(kSubmissionEntries, static_cast<unsigned>(std::bit_ceil(completions)));
  if (error != 0) return fail(error, "open io_uring for");
  auto wake = EventFd::open(object_, EventFd::Mode::blocking);
  if (!wake) return Unexpected{wake.error()};
  wake_ = std::move(*wake);
  if (auto registered = register_files(features); !registered) return registered;
  return open_buffers(sizes);
}

// ---- receiving ----------------------------------------------------------------------------------

void Ring::arm(std::size_t index) noexcept {
  RxRequest& rx_request = rx_requests_[index];
  rx_request.is_armed = true;
  const std::uint64_t tag = tag_of(Kind::rx_request, index);
  if (rx_request.method == RxMethod::poll) {
    uring_.next_entry(IORING_OP_POLL_ADD, rx_request.file, tag)->poll32_events = POLLIN;
    return;
  }
  io_uring_sqe* entry;
  if (rx_request.method == RxMethod::read_multishot) {
    entry = uring_.next_entry(kReadMultishot, rx_request.file, tag);
    entry->off = ~std::uint64_t{0};
  } else if (rx_request.method == RxMethod::receive_multishot) {
    entry = uring_.next_entry(IORING_OP_RECV, rx_request.file, tag);
    entry->ioprio = IORING_RECV_MULTISHOT;
  } else {
    entry = uring_.next_entry(IORING_OP_RECVMSG, rx_request.file, tag);
    entry->ioprio = IORING_RECV_MULTISHOT;
    entry->addr = reinterpret_cast<std::uintptr_t>(&message_shape_);
    entry->len = 1;
  }
  entry->flags |= IOSQE_BUFFER_SELECT;
  entry->buf_group = static_cast<std::uint16_t>(rx_request.source);
}

/// Arms all requests that the kernel has ended, except those whose source has no provided buffer.
void Ring::arm_all() noexcept {
  if (!is_wake_armed_) {
    io_uring_sqe* entry = uring_.next_entry(IORING_OP_READ, wake_file_, tag_of(Kind::wake, 0));
    entry->addr = reinterpret_cast<std::uintptr_t>(&wake_calls_);
    entry->len = sizeof wake_calls_;
    is_wake_armed_ = true;
  }
  for (std::size_t i = 0; i < rx_requests_.size(); ++i) {
    if (!rx_requests_[i].is_armed && buffers_with_kernel_[index_of(rx_requests_[i].source)] > 0)
      arm(i);
  }
}

void Ring::end_request(RxRequest& rx_request, int error) noexcept {
  rx_request.is_armed = false;
  if (error == ENOBUFS || error == 0) return;
  if (rx_request.source == Source::tun) {
    if (error != EAGAIN && error != EINTR) failure_ = Unexpected{tun_rx_error(error, object_)};
  } else if (auto fault = socket_rx_error(error, object_); !fault) {
    failure_ = std::move(fault);
  }
}

/// `message`: the message_bytes() in front of the packet, written by the kernel.
RxMeta Ring::read_message(std::span<const std::byte> message) const noexcept {
  io_uring_recvmsg_out header;
  std::memcpy(&header, message.data(), sizeof header);
  message = message.subspan(sizeof header);
  if (descriptors_.receive_kind == ReceiveKind::raw)
    return rx_meta(
        message.first(std::min<std::size_t>(header.controllen, message_shape_.msg_controllen)));
  sockaddr_ll sender;
  std::memcpy(&sender, message.data(), sizeof sender);
  return rx_meta(sender);
}

void Ring::receive_packet(const RxRequest& rx_request, const Completion& completion) noexcept {
  const std::size_t slot = completion.flags >> IORING_CQE_BUFFER_SHIFT;
  RxBuffers& rx_buffers = rx_buffers_[index_of(rx_request.source)];
  auto filled_bytes = static_cast<std::size_t>(std::max(completion.result, 0));
  RxMeta meta;
  if (rx_request.method == RxMethod::message_multishot) {
    meta = read_message(rx_buffers.room(slot, message_bytes()));
    filled_bytes -= std::min(filled_bytes, message_bytes());
  }
  rx_buffers.append(slot, filled_bytes, meta);
  --buffers_with_kernel_[index_of(rx_request.source)];
}

void Ring::handle(const Completion& completion) noexcept {
  if (completion.kind == Kind::wake) {
    is_wake_armed_ = false;
    return;
  }
  RxRequest& rx_request = rx_requests_[completion.index];
  if (rx_request.method == RxMethod::poll) {
    const int error =
        completion.error() != 0
            ? completion.error()
            : rx_buffers_[index_of(rx_request.source)].read_from(descriptors_.tun.get());
    return end_request(rx_request, error);
  }
  if ((completion.flags & IORING_CQE_F_BUFFER) != 0) receive_packet(rx_request, completion);
  if ((completion.flags & IORING_CQE_F_MORE) == 0) end_request(rx_request, completion.error());
}

/// Handles the deferred completions, then the completion queue.
void Ring::handle_completions() noexcept {
  for (const Completion& completion : deferred_) handle(completion);
  deferred_.clear();
  uring_.for_each_completion([this](const io_uring_cqe& entry) { handle(Completion{entry}); });
  if (uring_.fault() != 0) failure_ = fail(uring_.fault(), "wait on io_uring for");
}

/// The first poll submits the armed requests: before that they cannot complete.
void Ring::wait_for_completions(std::chrono::nanoseconds timeout) noexcept {
  bool is_submitted = false;
  busy_poll_.wait(
      timeout,
      [&] {
        if (!std::exchange(is_submitted, true) || uring_.has_pending_completions()) uring_.submit();
        return uring_.has_completions() || uring_.fault() != 0;
      },
      [&](std::chrono::nanoseconds rest) { uring_.submit_and_wait(rest); });
}

/// First handles packets that have arrived during the submit() of the last round. If there are any,
/// no system call is needed: the next submit() also submits the requests that are armed here.
Result<void> Ring::wait(std::chrono::nanoseconds timeout) noexcept {
  uring_.enable();
  handle_completions();
  arm_all();
  const bool has_packets =
      std::any_of(rx_buffers_.begin(), rx_buffers_.end(),
                  [](auto& rx_buffers) { return !rx_buffers.slots().empty(); });
  if (has_packets || !failure_) {
    busy_poll_.skip();
  } else {
    wait_for_completions(timeout);
    // Linux wakes the readers of a TUN device just before it detaches them. A request that looks in
    // between finds the device in order, waits again, and is never ended.
    if (!uring_.has_completions() && is_deleted(descriptors_.tun))
      failure_ = Unexpected{tun_rx_error(EBADFD, object_)};
    handle_completions();
  }
  return failure_;
}

void Ring::release() noexcept {
  for (std::size_t source = 0; source < kSources; ++source) {
    const bool kernel_chooses =
        source != index_of(Source::tun) || rx_requests_[0].method != RxMethod::poll;
    if (kernel_chooses && !rx_buffers_[source].slots().empty()) {
      for (const std::uint16_t slot : rx_buffers_[source].slots()) provide_buffer(source, slot);
      buffers_[source].publish();
    }
    rx_buffers_[source].clear();
  }
}

// ---- sending ------------------------------------------------------------------------------------

void Ring::prepare_writes() noexcept {
  std::size_t index = 0;
  for (const auto& pieces : tx_batch_.writes()) {
    io_uring_sqe* entry =
        uring_.next_entry(IORING_OP_WRITEV, tun_file_, tag_of(Kind::write, index++));
    entry->addr = reinterpret_cast<std::uintptr_t>(pieces.data());
    entry->len = static_cast<unsigned>(pieces.size());
    entry->off = ~std::uint64_t{0};
  }
}

/// Returns the number of completed writes. Defers receive completions to the next round.
std::size_t Ring::collect_results() noexcept {
  std::size_t results = 0;
  uring_.for_each_completion([&](const io_uring_cqe& entry) {
    const Completion completion{entry};
    if (completion.kind == Kind::write) {
      tx_batch_.set_write_result(completion.index, completion.error());
      ++results;
    } else {
      deferred_.push_back(completion);
    }
  });
  return results;
}

/// Sends use sendmmsg(): it is one system call too, and costs 60 to 70 ns per datagram less than a
/// submission entry and its completion. Writes complete within the call that submits them; this
/// call also posts the completions of packets that have arrived.
Submitted Ring::submit() noexcept {
  uring_.enable();
  tx_batch_.send_all();
  std::size_t pending = tx_batch_.writes().size();
  if (pending == 0) return tx_batch_.finish();
  tx_batch_.set_write_results(ECANCELED);  // the result of writes without a completion
  prepare_writes();
  uring_.submit();
  pending -= collect_results();
  while (pending > 0 && uring_.fault() == 0) {
    uring_.submit_and_wait();
    pending -= collect_results();
  }
  return tx_batch_.finish();
}

}  // namespace

Result<std::unique_ptr<PacketIo>> open_ring(WorkerDescriptors descriptors, const QueueSizes& sizes,
                                            std::chrono::nanoseconds busy_poll,
                                            std::string_view object, const RingFeatures& features) {
  auto ring = std::make_unique<Ring>(std::move(descriptors), sizes, busy_poll, object);
  if (auto opened = ring->open(sizes, features); !opened) return Unexpected{opened.error()};
  return std::unique_ptr<PacketIo>{std::move(ring)};
}

}  // namespace culvert::io
