// One TCP connection, as fast as it goes: the sender sends for a time, the receiver counts what
// arrives and, asked with `verify`, compares every byte.
#include <linux/tcp.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "bench/load/load.h"

namespace {

using namespace culvert::load;

constexpr std::size_t kChunkBytes = 256 * 1024;
/// A prime, so that a lost, doubled or moved segment cannot meet the pattern again.
constexpr std::size_t kPeriodBytes = 1'000'003;

/// The stream repeats with the period; one chunk more, so that each chunk lies in one piece.
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

int send_stream(const Arguments& arguments) {
  const int fd = open_socket(SOCK_STREAM, arguments.duration);
  // Debian's default, so that numbers do not hang on what this machine was set to; a kernel without
  // it sends with what it has.
  constexpr std::string_view kCongestionControl = "cubic";
  (void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, kCongestionControl.data(),
                   kCongestionControl.size());
  const auto bytes = pattern();
  check(connect(fd, as_sockaddr(arguments.address), sizeof arguments.address), "connect");
  std::uint64_t sent = 0;
  for (const auto end = Clock::now() + arguments.duration; Clock::now() < end;) {
    const ssize_t count = send(fd, &bytes[sent % kPeriodBytes], kChunkBytes, MSG_NOSIGNAL);
    if (count < 0) fail("send");
    sent += static_cast<std::uint64_t>(count);
  }
  check(shutdown(fd, SHUT_WR), "shutdown");
  char byte = 0;
  const bool received = recv(fd, &byte, 1, 0) == 0;  // the receiver closes when it has everything
  tcp_info info{};
  socklen_t size = sizeof info;
  check(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size), "TCP_INFO");
  std::printf("{\"bytes\":%llu,\"retransmissions\":%u,\"mss_bytes\":%u,\"finished\":%s}\n",
              static_cast<unsigned long long>(sent), info.tcpi_total_retrans, info.tcpi_snd_mss,
              received ? "true" : "false");
  return received ? 0 : 1;
}

int receive_stream(const Arguments& arguments, bool verify) {
  const int listener = open_socket(SOCK_STREAM, arguments.duration);
  const int one = 1;
  check(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), "SO_REUSEADDR");
  check(bind(listener, as_sockaddr(arguments.address), sizeof arguments.address), "bind");
  check(listen(listener, 1), "listen");
  const int fd = check(accept(listener, nullptr, nullptr), "accept");
  const timeval patience{kPatienceSeconds, 0};
  check(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), "SO_RCVTIMEO");
  const auto bytes = pattern();
  std::vector<unsigned char> chunk(kChunkBytes);
  std::uint64_t received = 0;
  bool equal = true;
  const auto start = Clock::now();
  for (;;) {
    const ssize_t count = recv(fd, chunk.data(), chunk.size(), 0);
    if (count < 0) fail("recv");
    if (count == 0) break;
    const auto size = static_cast<std::size_t>(count);
    if (verify) {
      equal = equal && std::memcmp(chunk.data(), &bytes[received % kPeriodBytes], size) == 0;
    }
    received += size;
  }
  const Seconds elapsed = Clock::now() - start;
  std::printf("{\"bytes\":%llu,\"seconds\":%.6f,\"mbit_per_second\":%.1f,\"equal\":%s}\n",
              static_cast<unsigned long long>(received), elapsed.count(),
              static_cast<double>(received) * 8e-6 / elapsed.count(),
              !verify ? "null"
              : equal ? "true"
                      : "false");
  return equal ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments = parse(argc, argv, "verify");
  return arguments.sends ? send_stream(arguments)
                         : receive_stream(arguments, arguments.option != nullptr);
}
