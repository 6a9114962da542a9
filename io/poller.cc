#include "io/poller.h"

#include <fcntl.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

#include "io/busy_poll.h"
#include "io/cache_line.h"
#include "io/control_message.h"
#include "io/event_fd.h"
#include "io/rx_buffers.h"
#include "io/rx_errors.h"
#include "io/tx_batch.h"

namespace culvert::io {
namespace {

// The kind of an epoll event: a Source, or kWake for wake().
constexpr std::uint32_t kWake = kSources;

/// The arrays of recvmmsg(), allocated once.
class ReceiveVector {
 public:
  explicit ReceiveVector(std::size_t count)
      : messages_(count), pieces_(count), senders_(count), controls_(count) {}

  /// Receives until no packet or no buffer is left. Returns 0 or an errno.
  [[nodiscard]] int receive(int fd, RxBuffers& rx_buffers) noexcept;

 private:
  LineVector<mmsghdr> messages_;
  LineVector<iovec> pieces_;
  LineVector<sockaddr_ll> senders_;                  ///< of packet sockets
  LineVector<ControlMessage<in_pktinfo>> controls_;  ///< of raw sockets
};

int ReceiveVector::receive(int fd, RxBuffers& rx_buffers) noexcept {
  const std::size_t first = rx_buffers.packets().size();
  const std::size_t count = rx_buffers.count() - first;
  for (std::size_t i = 0; i < count; ++i) {
    const auto room = rx_buffers.room(first + i);
    pieces_[i] = {.iov_base = room.data(), .iov_len = room.size()};
    messages_[i] = {};
    messages_[i].msg_hdr.msg_name = &senders_[i];
    messages_[i].msg_hdr.msg_namelen = sizeof senders_[i];
    messages_[i].msg_hdr.msg_control = controls_[i].data();
    messages_[i].msg_hdr.msg_controllen = controls_[i].size();
    messages_[i].msg_hdr.msg_iov = &pieces_[i];
    messages_[i].msg_hdr.msg_iovlen = 1;
  }
  const int received =
      ::recvmmsg(fd, messages_.data(), static_cast<unsigned>(count), MSG_DONTWAIT, nullptr);
  if (received < 0) return errno == EAGAIN || errno == EINTR ? 0 : errno;
  for (std::size_t i = 0; i < static_cast<std::size_t>(received); ++i) {
    const std::size_t control_bytes = messages_[i].msg_hdr.msg_controllen;
    const auto meta = control_bytes != 0
                          ? rx_meta(std::span<const std::byte>{controls_[i]}.first(control_bytes))
                          : rx_meta(senders_[i]);
    rx_buffers.append(first + i, messages_[i].msg_len, meta);
  }
  return 0;
}

class alignas(kCacheLineBytes) Poller final : public PacketIo {
 public:
  Poller(WorkerDescriptors descriptors, const QueueSizes& sizes, std::chrono::nanoseconds busy_poll,
         std::string_view object)
      : descriptors_(std::move(descriptors)),
        object_(object),
        busy_poll_(busy_poll),
        receive_vector_(std::max(sizes.tunnel_packets, sizes.icmp_packets)),
        tx_batch_(sizes, descriptors_),
        losses_(descriptors_.receive_kind, descriptors_.receive) {}

  [[nodiscard]] Result<void> open(const QueueSizes& sizes);

  Result<void> wait(std::chrono::nanoseconds timeout) noexcept override;
  [[nodiscard]] std::span<Packet> received(Source source) noexcept override {
    return rx_buffers_[static_cast<std::size_t>(source)].packets();
  }
  [[nodiscard]] bool send(const Datagram& datagram) noexcept override {
    return tx_batch_.add(datagram);
  }
  [[nodiscard]] bool write(const TunPacket& packet) noexcept override {
    return tx_batch_.add(packet);
  }
  [[nodiscard]] Submitted submit() noexcept override;
  void release() noexcept override {
    for (RxBuffers& rx_buffers : rx_buffers_) rx_buffers.clear();
  }
  void wake() noexcept override { wake_.signal(); }
  [[nodiscard]] Losses losses() noexcept override { return losses_.read(); }

 private:
  [[nodiscard]] Result<void> watch(int fd, std::uint32_t kind, std::size_t index = 0);
  [[nodiscard]] Result<void> receive(Source source, int fd) noexcept;
  void submit_writes() noexcept;

  WorkerDescriptors descriptors_;
  std::string object_;
  BusyPoll busy_poll_;
  Fd epoll_;
  EventFd wake_;
  std::array<RxBuffers, kSources> rx_buffers_;
  ReceiveVector receive_vector_;
  TxBatch tx_batch_;
  LossMeter losses_;
};

Result<void> Poller::watch(int fd, std::uint32_t kind, std::size_t index) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = std::uint64_t{kind} << 32 | index;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0) return {};
  return Unexpected{
      Error{.code = errno, .operation = "watch descriptors of", .object = object_, .advice = ""}};
}

Result<void> Poller::open(const QueueSizes& sizes) {
  auto rx_buffers = open_rx_buffers(sizes, descriptors_);
  if (!rx_buffers) return Unexpected{rx_buffers.error()};
  rx_buffers_ = std::move(*rx_buffers);
  epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_)
    return Unexpected{
        Error{.code = errno, .operation = "open epoll for", .object = object_, .advice = ""}};
  auto wake = EventFd::open(object_);
  if (!wake) return Unexpected{wake.error()};
  wake_ = std::move(*wake);
  if (auto watched = watch(wake_.fd(), kWake); !watched) return watched;
  if (auto watched = watch(descriptors_.tun.get(), static_cast<std::uint32_t>(Source::tun));
      !watched)
    return watched;
  for (std::size_t i = 0; i < descriptors_.receive.size(); ++i) {
    auto watched =
        watch(descriptors_.receive[i].get(), static_cast<std::uint32_t>(Source::tunnel), i);
    if (!watched) return watched;
  }
  if (descriptors_.icmp)
    return watch(descriptors_.icmp.get(), static_cast<std::uint32_t>(Source::icmp));
  return {};
}

Result<void> Poller::receive(Source source, int fd) noexcept {
  RxBuffers& rx_buffers = rx_buffers_[static_cast<std::size_t>(source)];
  if (rx_buffers.is_full()) return {};
  if (source == Source::tun) {
    const int error = rx_buffers.read_from(fd);
    if (error != 0) return Unexpected{tun_rx_error(error, object_)};
    return {};
  }
  const int error = receive_vector_.receive(fd, rx_buffers);
  return error == 0 ? Result<void>{} : socket_rx_error(error, object_);
}

/// Level-triggered: epoll reports packets that did not fit in this round again in the next round.
Result<void> Poller::wait(std::chrono::nanoseconds timeout) noexcept {
  std::array<epoll_event, 8> events;
  int count = 0;
  const auto poll = [&](std::chrono::nanoseconds limit) {
    count =
        ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                     static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(limit).count()));
    return count != 0;
  };
  busy_poll_.wait(
      timeout, [&] { return poll({}); }, poll);
  for (int i = 0; i < count; ++i) {
    const auto kind = static_cast<std::uint32_t>(events[i].data.u64 >> 32);
    const auto index = static_cast<std::uint32_t>(events[i].data.u64);
    if (kind == kWake) {
      wake_.clear();
      continue;
    }
    const auto source = static_cast<Source>(kind);
    const int fd = source == Source::tun      ? descriptors_.tun.get()
                   : source == Source::tunnel ? descriptors_.receive[index].get()
                                              : descriptors_.icmp.get();
    if (auto received = receive(source, fd); !received) return received;
  }
  return {};
}

void Poller::submit_writes() noexcept {
  std::size_t index = 0;
  for (const auto& pieces : tx_batch_.writes()) {
    const auto written =
        ::writev(descriptors_.tun.get(), pieces.data(), static_cast<int>(pieces.size()));
    tx_batch_.set_write_result(index++, written < 0 ? errno : 0);
  }
}

Submitted Poller::submit() noexcept {
  tx_batch_.send_all();
  submit_writes();
  return tx_batch_.finish();
}

}  // namespace

Result<void> probe_poller() {
  mmsghdr none{};
  const auto refused = [](int result) { return result < 0 && (errno == ENOSYS || errno == EPERM); };
  const char* call = nullptr;
  if (refused(::sendmmsg(-1, &none, 1, 0))) call = "sendmmsg()";
  if (call == nullptr && refused(::recvmmsg(-1, &none, 1, 0, nullptr))) call = "recvmmsg()";
  if (call == nullptr) return {};
  return Unexpected{Error{.code = errno,
                          .operation = "call",
                          .object = call,
                          .advice = "epoll needs it: allow it in the seccomp profile, or allow "
                                    "io_uring and write io uring"}};
}

Result<std::unique_ptr<PacketIo>> open_poller(WorkerDescriptors descriptors,
                                              const QueueSizes& sizes,
                                              std::chrono::nanoseconds busy_poll,
                                              std::string_view object) {
  auto poller = std::make_unique<Poller>(std::move(descriptors), sizes, busy_poll, object);
  if (auto opened = poller->open(sizes); !opened) return Unexpected{opened.error()};
  return std::unique_ptr<PacketIo>{std::move(poller)};
}

}  // namespace culvert::io
