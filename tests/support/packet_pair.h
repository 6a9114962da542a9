// PacketPair: two descriptors that exchange whole packets, in order, without any device. They
// replace TUN and raw sockets; the packets' addresses are ignored.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "io/fd.h"
#include "tests/support/packet_builder.h"

namespace culvert::test {

struct PacketPair {
  io::Fd a, b;
  PacketPair() {
    int pair[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    a.reset(pair[0]);
    b.reset(pair[1]);
  }
};

inline void put(const io::Fd& end, const Bytes& bytes) {
  EXPECT_EQ(::send(end.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()))
      << std::strerror(errno);
}

/// Empty if there is no packet.
inline Bytes receive(const io::Fd& end) {
  Bytes bytes(70'000);
  const auto count = ::recv(end.get(), bytes.data(), bytes.size(), 0);
  bytes.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  return bytes;
}

}  // namespace culvert::test
