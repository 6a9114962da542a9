// What the senders and receivers of bench share. Each runs in a process of its own, or as a program
// (bench/load); nothing runs for ever.
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

/// How long a receiver waits for its sender, and either for an answer, before it gives up.
inline constexpr int kTimeoutSeconds = 10;

/// One sender and its receiver, in memory that they share with who measures. Counters have one
/// writer each and order nothing, so they are relaxed.
struct Flow {
  static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
  std::atomic<bool> is_listening{false};  ///< the receiver is ready: the sender may start
  std::atomic<bool> stop{false};          ///< from who measures
  std::atomic<bool> hold{false};          ///< UDP, the same: nothing is sent while it is true
  std::atomic<std::uint64_t> sent{0};     ///< TCP: bytes; UDP: datagrams
  alignas(64) std::atomic<std::uint64_t> received{0};  ///< the same, by the receiver
  std::atomic<std::uint64_t> not_in_order{0};          ///< UDP: overtaken on the way, or copies
  alignas(64) std::atomic<std::uint32_t> retransmissions{0};  ///< TCP: the sender's
  std::atomic<std::uint32_t> mss_bytes{0};                    ///< TCP: the sender's
  std::atomic<bool> is_equal{true};  ///< TCP: what came is what was sent, if verified

  [[nodiscard]] bool stopped() const noexcept { return stop.load(std::memory_order_relaxed); }
};

/// Adds to a counter that only the caller writes.
inline void add_to(std::atomic<std::uint64_t>& counter, std::uint64_t count) noexcept {
  counter.store(counter.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
}

[[nodiscard]] inline const sockaddr* as_sockaddr(const sockaddr_in6& address) noexcept {
  return reinterpret_cast<const sockaddr*>(&address);
}

/// An IPv6 socket of a type (SOCK_STREAM, SOCK_DGRAM) whose calls end after the patience above.
[[nodiscard]] Result<io::Fd> open_load_socket(int type);
[[nodiscard]] Result<void> set_timeout(const io::Fd& socket);

/// One TCP connection, as fast as it goes, until `end` or until it is stopped. Fails if the
/// receiver does not confirm the end.
[[nodiscard]] Result<void> send_stream(const sockaddr_in6& to, Clock::time_point end, Flow& flow);
/// Accepts one connection and reads to its end; with `verify` compares every byte. Returns how long
/// that took.
[[nodiscard]] Result<std::chrono::duration<double>> receive_stream(const sockaddr_in6& at,
                                                                   bool verify, Flow& flow);

/// Addresses around one, each as likely as any other: up to `networks - 1` is added to bits 48 to
/// 63, which tell /64s apart, and up to `hosts - 1` to the last 32 bits.
struct Spread {
  std::uint32_t networks = 1;  ///< at most 65,536
  std::uint32_t hosts = 1;
};

struct Datagrams {
  std::size_t payload_bytes = 0;
  std::chrono::nanoseconds interval{0};  ///< between batches of 64; 0: as fast as one CPU can
  std::optional<Spread> spread{};        ///< nothing: all to one, by a connected socket
};

/// From where a spread goes, and around what.
struct SpreadEndpoints {
  std::string device;  ///< of the calling thread's namespace, one without link-layer addresses
  sockaddr_in6 from;
  sockaddr_in6 to;
};

/// Numbered datagrams to many, put straight into the queue of a device: the kernel's own way to
/// another address each time costs more than a tunnel does, and would hide it. One that the queue
/// has no room for counts as sent, and is lost.
[[nodiscard]] Result<void> send_spread(const SpreadEndpoints& ends, const Datagrams& config,
                                       Flow& flow);

/// Numbered datagrams, 64 a call, until it is stopped.
[[nodiscard]] Result<void> send_datagrams(const sockaddr_in6& to, const Datagrams& config,
                                          Flow& flow);
/// Counts datagrams until it is stopped.
[[nodiscard]] Result<void> receive_datagrams(const sockaddr_in6& at, Flow& flow);

}  // namespace culvert::bench
