// A control message (cmsg(3)) as bytes that lie ready beside a datagram. Set on the packet's way:
// no allocation.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstring>

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

}  // namespace culvert::io
