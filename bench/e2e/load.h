// Senders and receivers of load, and the counters that they share. Each runs in its own process, or
// as a program (bench/load), for a limited time.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "io/fd.h"
#include "io/result.h"

namespace culvert::bench {

using Clock = std::chrono::steady_clock;

/// The time after which a receiver without a sender, and every socket call, fails.
inline constexpr int kTimeoutSeconds = 10;

/// The state of one sender and its receiver, in memory that they share with the measuring process.
/// Each counter has one writer and orders no other data, so all orders are relaxed.
struct Flow {
  static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
  std::atomic<bool> is_listening{false};  ///< the receiver is ready: the sender may start
  std::atomic<bool> stop{false};          ///< set by the measuring process
  std::atomic<bool> hold{false};          ///< UDP: while true, the sender does not send
  std::atomic<std::uint64_t> sent{0};     ///< TCP: bytes; UDP: datagrams
  alignas(64) std::atomic<std::uint64_t> received{0};  ///< TCP: bytes; UDP: datagrams
  std::atomic<std::uint64_t> not_in_order{0};          ///< UDP: reordered or duplicate datagrams
  alignas(64) std::atomic<std::uint32_t> retransmissions{0};  ///< TCP: of the sender
  std::atomic<std::uint32_t> mss_bytes{0};                    ///< TCP: of the sender
  std::atomic<bool> is_equal{true};  ///< TCP: received equals sent, if verified

  [[nodiscard]] bool stopped() const noexcept { return stop.load(std::memory_order_relaxed); }
};

/// Adds to a counter that only the caller writes.
inline void add_to(std::atomic<std::uint64_t>& counter, std::uint64_t count) noexcept {
  counter.store(counter.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
}

[[nodiscard]] inline const sockaddr* as_sockaddr(const sockaddr_in6& address) noexcept {
  return reinterpret_cast<const sockaddr*>(&address);
}

/// Opens an IPv6 socket of this type (SOCK_STREAM, SOCK_DGRAM) with a timeout of kTimeoutSeconds.
/// With an IPv4-mapped address it exchanges IPv4 packets.
[[nodiscard]] Result<io::Fd> open_load_socket(int type);
[[nodiscard]] Result<void> set_timeout(const io::Fd& socket);

/// Sends on one TCP connection, as fast as possible, until `end` or Flow::stop. Fails if the
/// receiver does not confirm the end.
[[nodiscard]] Result<void> send_stream(const sockaddr_in6& to, Clock::time_point end, Flow& flow);
/// Accepts one connection and reads to its end. With `verify` it compares every byte. Returns the
/// duration.
[[nodiscard]] Result<std::chrono::duration<double>> receive_stream(const sockaddr_in6& at,
                                                                   bool verify, Flow& flow);

/// A uniform random choice of addresses: 0 to `networks - 1` is added to bits 48 to 63 (the last
/// group of the /64 prefix), and 0 to `hosts - 1` to the last 32 bits.
struct Spread {
  std::uint32_t networks = 1;  ///< at most 65,536
  std::uint32_t hosts = 1;
};

struct Datagrams {
  std::size_t payload_bytes = 0;
  std::chrono::nanoseconds interval{0};  ///< between batches of 64; 0: as fast as one CPU can
  std::optional<Spread> spread{};        ///< empty: one destination, with a connected socket
};

/// The source of spread datagrams, and the base of their destinations.
struct SpreadEndpoints {
  std::string device;  ///< of the calling thread's namespace, without link-layer addresses
  sockaddr_in6 from;
  sockaddr_in6 to;
};

/// Sends numbered datagrams to many addresses, directly into the queue of a device: a route look-up
/// of the kernel for each new address costs more than the tunnel, and would hide the tunnel's cost.
/// A datagram that does not fit in the queue counts as sent, and is lost.
[[nodiscard]] Result<void> send_spread(const SpreadEndpoints& ends, const Datagrams& config,
                                       Flow& flow);

/// Sends numbered datagrams, 64 per call, until Flow::stop.
[[nodiscard]] Result<void> send_datagrams(const sockaddr_in6& to, const Datagrams& config,
                                          Flow& flow);
/// Receives and counts datagrams until Flow::stop.
[[nodiscard]] Result<void> receive_datagrams(const sockaddr_in6& at, Flow& flow);

}  // namespace culvert::bench
