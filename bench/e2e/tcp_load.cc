#include <linux/tcp.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <vector>

#include "bench/e2e/error.h"
#include "bench/e2e/load.h"

namespace culvert::bench {
namespace {

constexpr std::size_t kChunkBytes = 256 * 1024;
/// A prime, so that a lost, duplicated or moved segment never matches the pattern.
constexpr std::size_t kPeriodBytes = 1'000'003;

/// The pattern, plus one chunk, so that every chunk of the periodic stream is contiguous.
std::vector<unsigned char> pattern() {
  std::vector<unsigned char> bytes(kPeriodBytes + kChunkBytes);
  std::uint32_t state = 0x2545F491;
  for (std::size_t i = 0; i < kPeriodBytes; ++i) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    bytes[i] = static_cast<unsigned char>(state);
  }
  std::copy_n(bytes.begin(), kChunkBytes, bytes.begin() + kPeriodBytes);
  return bytes;
}

/// Reads the kernel's statistics of the sender's connection.
void publish(const io::Fd& socket, Flow& flow) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(socket.get(), IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return;
  flow.mss_bytes.store(info.tcpi_snd_mss, std::memory_order_relaxed);
  flow.retransmissions.store(info.tcpi_total_retrans, std::memory_order_relaxed);
}

Result<io::Fd> accept_one(const sockaddr_in6& at, Flow& flow) {
  auto listener = open_load_socket(SOCK_STREAM);
  if (!listener) return listener;
  const int one = 1;
  (void)::setsockopt(listener->get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (::bind(listener->get(), as_sockaddr(at), sizeof at) != 0 || ::listen(listener->get(), 1) != 0)
    return fail(errno, "listen for", "TCP");
  flow.is_listening.store(true);
  io::Fd socket{::accept4(listener->get(), nullptr, nullptr, SOCK_CLOEXEC)};
  if (!socket) return fail(errno, "accept", "TCP connection");
  if (auto set = set_timeout(socket); !set) return Unexpected{set.error()};
  return socket;
}

}  // namespace

Result<io::Fd> open_load_socket(int type) {
  io::Fd socket{::socket(AF_INET6, type | SOCK_CLOEXEC, 0)};
  if (!socket) return fail(errno, "open", "socket");
  if (auto set = set_timeout(socket); !set) return Unexpected{set.error()};
  return socket;
}

Result<void> set_timeout(const io::Fd& socket) {
  const timeval timeout{kTimeoutSeconds, 0};
  for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO}) {
    if (::setsockopt(socket.get(), SOL_SOCKET, option, &timeout, sizeof timeout) != 0)
      return fail(errno, "set the timeout of", "socket");
  }
  return {};
}

Result<void> send_stream(const sockaddr_in6& to, Clock::time_point end, Flow& flow) {
  const auto socket = open_load_socket(SOCK_STREAM);
  if (!socket) return Unexpected{socket.error()};
  // Debian's default, so that the figures do not depend on the settings of this machine. A kernel
  // without cubic uses its default.
  constexpr std::string_view kCongestionControl = "cubic";
  (void)::setsockopt(socket->get(), IPPROTO_TCP, TCP_CONGESTION, kCongestionControl.data(),
                     kCongestionControl.size());
  const auto bytes = pattern();
  if (::connect(socket->get(), as_sockaddr(to), sizeof to) != 0)
    return fail(errno, "connect", "TCP");
  for (std::uint64_t sent = 0; !flow.stopped() && Clock::now() < end;) {
    const ssize_t count =
        ::send(socket->get(), &bytes[sent % kPeriodBytes], kChunkBytes, MSG_NOSIGNAL);
    if (count < 0) return fail(errno, "send", "TCP");
    sent += static_cast<std::uint64_t>(count);
    flow.sent.store(sent, std::memory_order_relaxed);
    publish(*socket, flow);
  }
  if (::shutdown(socket->get(), SHUT_WR) != 0) return fail(errno, "shut down", "TCP");
  char byte = 0;
  if (::recv(socket->get(), &byte, 1, 0) !=
      0) {  // the receiver closes when it has received everything
    return fail(errno, "end", "TCP connection", "the receiver did not confirm that it has all");
  }
  publish(*socket, flow);
  return {};
}

Result<std::chrono::duration<double>> receive_stream(const sockaddr_in6& at, bool verify,
                                                     Flow& flow) {
  const auto socket = accept_one(at, flow);
  if (!socket) return Unexpected{socket.error()};
  const auto bytes = verify ? pattern() : std::vector<unsigned char>{};
  std::vector<unsigned char> chunk(kChunkBytes);
  const auto start = Clock::now();
  for (std::uint64_t received = 0;;) {
    const ssize_t count = ::recv(socket->get(), chunk.data(), chunk.size(), 0);
    if (count < 0) return fail(errno, "receive", "TCP");
    if (count == 0) break;
    const auto size = static_cast<std::size_t>(count);
    if (verify && std::memcmp(chunk.data(), &bytes[received % kPeriodBytes], size) != 0)
      flow.is_equal.store(false);
    received += size;
    flow.received.store(received, std::memory_order_relaxed);
  }
  return std::chrono::duration<double>{Clock::now() - start};
}

}  // namespace culvert::bench
