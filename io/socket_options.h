// What raw and packet sockets have in common: opening, options, filters, and errors that say what
// to do. Set-up only; any thread.
#pragma once

#include <linux/filter.h>

#include <span>
#include <string>

#include "io/fd.h"
#include "io/result.h"

namespace culvert::io {

/// Which socket, for errors: {"raw socket", "protocol 41"}.
struct SocketName {
  std::string kind;
  std::string object;

  [[nodiscard]] Unexpected<Error> fail(int code, const std::string& verb,
                                       std::string advice = {}) const;
};

/// Opens a non-blocking, close-on-exec SOCK_RAW socket that lets nothing in until set_filter() is
/// called: so nothing slips in before it is bound.
[[nodiscard]] Result<Fd> open_filtered_socket(int family, int protocol, const SocketName& name);

/// Replaces the filter: what `program` accepts comes in; everything, if it is empty.
[[nodiscard]] Result<void> set_filter(const Fd& socket, std::span<const sock_filter> program,
                                      const SocketName& name);

[[nodiscard]] Result<void> set_option(const Fd& socket, int level, int option, int value,
                                      const std::string& verb, const SocketName& name);

/// Ties a socket to one interface; does nothing if `device` is empty.
[[nodiscard]] Result<void> bind_to_device(const Fd& socket, const std::string& device,
                                          const SocketName& name);

/// Grow a buffer: past the system's limit if that is allowed (CAP_NET_ADMIN), else up to it.
void set_receive_buffer(const Fd& socket, int bytes) noexcept;
void set_send_buffer(const Fd& socket, int bytes) noexcept;

/// A full one makes the kernel answer protocol unreachable, or lose packets.
inline constexpr int kReceiveBufferBytes = 8 << 20;
/// Of a packet socket: what a fast sender brings while a worker waits 10 ms for its turn on a core.
inline constexpr int kPacketReceiveBufferBytes = 16 << 20;
inline constexpr int kSendBufferBytes = 4 << 20;

}  // namespace culvert::io
