// Common functions for raw and packet sockets: opening, options, filters, and errors with advice.
// Set-up only; any thread.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "io/fd.h"
#include "io/result.h"

namespace culvert::io {

/// The name of a socket in errors: {"raw socket", "protocol 41"}.
struct SocketName {
  std::string kind;
  std::string object;

  /// "VERB KIND OBJECT" as an error.
  [[nodiscard]] Unexpected<Error> fail(int code, const std::string& verb,
                                       std::string advice = {}) const;
};

/// Opens a non-blocking, close-on-exec SOCK_RAW socket whose filter drops all packets until
/// set_filter() is called, so that it receives nothing before it is bound.
[[nodiscard]] Result<Fd> open_filtered_socket(int family, int protocol, const SocketName& name);

/// Ends a filter: it accepts the packet if the loaded value is one of `values` (at most 255), and
/// drops it otherwise.
void accept_values(std::vector<sock_filter>& program, std::span<const std::uint8_t> values);

/// Replaces the filter by a classic BPF program. An empty program removes the filter, so the socket
/// receives everything.
[[nodiscard]] Result<void> set_filter(const Fd& socket, std::span<const sock_filter> program,
                                      const SocketName& name);

/// setsockopt() with an int. `verb`: the operation in errors, "set IP_PKTINFO of".
[[nodiscard]] Result<void> set_option(const Fd& socket, int level, int option, int value,
                                      const std::string& verb, const SocketName& name);

/// Binds a socket to one interface (SO_BINDTODEVICE). Does nothing if `device` is empty.
[[nodiscard]] Result<void> bind_to_device(const Fd& socket, const std::string& device,
                                          const SocketName& name);

/// Set a buffer's size: beyond the system's limit with CAP_NET_ADMIN, otherwise up to that limit.
void set_receive_buffer(const Fd& socket, int bytes) noexcept;
void set_send_buffer(const Fd& socket, int bytes) noexcept;

/// Of a raw socket. If it is full, the kernel drops packets or answers protocol unreachable.
inline constexpr int kReceiveBufferBytes = 8 << 20;
/// Of a packet socket: enough for a fast sender while a worker waits 10 ms for a core.
inline constexpr int kPacketReceiveBufferBytes = 16 << 20;
inline constexpr int kSendBufferBytes = 4 << 20;

}  // namespace culvert::io
