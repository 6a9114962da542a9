// A control message (cmsg(3)) as bytes that lie ready beside a datagram, or that came with one. Set
// and read on the packet's way: no allocation.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <optional>
#include <span>

namespace culvert::io {

/// Of one value; to be aligned as a cmsghdr.
template <class Value>
using ControlMessage = std::array<std::byte, CMSG_SPACE(sizeof(Value))>;

/// `level`, `type`: SOL_SOCKET and SO_MARK, IPPROTO_IP and IP_PKTINFO.
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

/// The value of the first message that the kernel has put in `control`, if that is of this kind.
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
