#include <sys/uio.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "bench/e2e/error.h"
#include "bench/e2e/load.h"
#include "io/socket_options.h"

namespace culvert::bench {
namespace {

constexpr unsigned kBatch = 64;
constexpr int kReceiveBytes = 64 << 20;  // large, so that this program loses no packets

/// A batch of datagrams in one buffer.
struct Batch {
  explicit Batch(std::size_t payload_bytes) : bytes(kBatch * payload_bytes) {
    for (std::size_t i = 0; i < kBatch; ++i) {
      pieces[i] = {.iov_base = bytes.data() + i * payload_bytes, .iov_len = payload_bytes};
      messages[i].msg_hdr.msg_iov = &pieces[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
  }
  std::vector<unsigned char> bytes;
  std::array<iovec, kBatch> pieces{};
  std::array<mmsghdr, kBatch> messages{};
};

/// Counts datagrams whose number is not above all earlier ones: reordered or duplicate datagrams.
class Order {
 public:
  [[nodiscard]] bool is_broken_by(const void* datagram) noexcept {
    std::uint64_t number = 0;
    std::memcpy(&number, datagram, sizeof number);
    const bool is_broken = number < next_;
    next_ = std::max(next_, number + 1);
    return is_broken;
  }

 private:
  std::uint64_t next_ = 0;
};

}  // namespace

Result<void> send_datagrams(const sockaddr_in6& to, const Datagrams& config, Flow& flow) {
  const auto socket = open_load_socket(SOCK_DGRAM);
  if (!socket) return Unexpected{socket.error()};
  if (::connect(socket->get(), as_sockaddr(to), sizeof to) != 0)
    return fail(errno, "connect", "UDP");
  Batch batch(config.payload_bytes);
  constexpr timespec kHeld{0, 1'000'000};
  for (std::uint64_t sent = 0; !flow.stopped();) {
    if (flow.hold.load(std::memory_order_relaxed)) {
      ::nanosleep(&kHeld, nullptr);
      continue;
    }
    for (std::uint64_t i = 0; i < kBatch; ++i) {
      const std::uint64_t number = sent + i;
      std::memcpy(batch.pieces[i].iov_base, &number, sizeof number);
    }
    const int count = ::sendmmsg(socket->get(), batch.messages.data(), kBatch, 0);
    // Overload is intended, and a missing receiver is not an error here.
    if (count < 0 && errno != ENOBUFS && errno != EAGAIN && errno != ECONNREFUSED)
      return fail(errno, "send", "UDP");
    sent += static_cast<std::uint64_t>(std::max(count, 0));
    flow.sent.store(sent, std::memory_order_relaxed);
    const timespec rest{0, static_cast<long>(config.interval.count())};
    if (rest.tv_nsec > 0) ::nanosleep(&rest, nullptr);
  }
  return {};
}

// Sleeps for a millisecond and then receives all datagrams: a wake-up per datagram would use more
// CPU time than the datagrams, and distort the measurement of the tunnel.
Result<void> receive_datagrams(const sockaddr_in6& at, Flow& flow) {
  const auto socket = open_load_socket(SOCK_DGRAM);
  if (!socket) return Unexpected{socket.error()};
  io::set_receive_buffer(*socket, kReceiveBytes);
  if (::bind(socket->get(), as_sockaddr(at), sizeof at) != 0) return fail(errno, "bind", "UDP");
  flow.is_listening.store(true);
  Batch batch(sizeof(std::uint64_t));  // the rest of a datagram is not read
  Order order;
  while (!flow.stopped()) {
    const int count =
        ::recvmmsg(socket->get(), batch.messages.data(), kBatch, MSG_DONTWAIT, nullptr);
    if (count < 0 && errno != EAGAIN) return fail(errno, "receive", "UDP");
    for (int i = 0; i < count; ++i) {
      if (order.is_broken_by(batch.pieces[static_cast<std::size_t>(i)].iov_base))
        add_to(flow.not_in_order, 1);
    }
    if (count > 0) add_to(flow.received, static_cast<std::uint64_t>(count));
    constexpr timespec kMillisecond{0, 1'000'000};
    if (count <= 0) ::nanosleep(&kMillisecond, nullptr);
  }
  return {};
}

}  // namespace culvert::bench
