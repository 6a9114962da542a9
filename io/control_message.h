// Writes and reads one control message (cmsg(3)) that is sent or received with a datagram. For the
// hot path: no allocation. Pure functions; any thread.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <optional>
#include <span>

namespace culvert::io {

/// The bytes of a control message with one value. Align it as a cmsghdr.
template <class Value>
using ControlMessage = std::array<std::byte, CMSG_SPACE(sizeof(Value))>;

/// Builds a control message. `level`, `type`: for example SOL_SOCKET and SO_MARK, or IPPROTO_IP and
/// IP_PKTINFO.
template <class Value>
[[nodiscard]] ControlMessage<Value> control_message(int level, int type,
                                                    const Value& value) noexcept {
  ControlMessage<Value> message{};
  cmsghdr control{};
  control.cmsg_level = level;
  control.cmsg_type = type;
  control.cmsg_len = CMSG_LEN(sizeof value);
  std::memcpy(message.data(), &control, sizeof control);
  std::memcpy(message.data() + CMSG_LEN(0), &value, sizeof value);
  return message;
}

/// The value of the first message in `control`, which the kernel has written. Empty if that message
/// has another level or type, or if `control` is too short.
template <class Value>
[[nodiscard]] std::optional<Value> control_value(std::span<const std::byte> control, int level,
                                                 int type) noexcept {
  if (control.size() < CMSG_LEN(sizeof(Value))) return std::nullopt;
  cmsghdr header;
  std::memcpy(&header, control.data(), sizeof header);
  if (header.cmsg_level != level || header.cmsg_type != type ||
      header.cmsg_len < CMSG_LEN(sizeof(Value)))
    return std::nullopt;
  Value value;
  std::memcpy(&value, control.data() + CMSG_LEN(0), sizeof value);
  return value;
}

}  // namespace culvert::io
