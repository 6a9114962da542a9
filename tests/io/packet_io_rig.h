// A PacketIo in its own network namespace, for tests that run with Ring and with Poller.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "io/packet_io.h"
#include "io/packet_socket.h"
#include "io/poller.h"
#include "io/raw_socket.h"
#include "io/ring.h"
#include "io/tun.h"
#include "tests/io/rig.h"

namespace culvert::io {

enum class Kind { ring, ring_without_multishot_read, poller };

inline std::string name_of(Kind kind) {
  switch (kind) {
    case Kind::ring:
      return "Ring";
    case Kind::ring_without_multishot_read:
      return "RingWithoutMultishotRead";
    case Kind::poller:
      return "Poller";
  }
  return {};
}

/// For INSTANTIATE_TEST_SUITE_P: every test runs with each kind.
inline auto all_kinds() {
  return ::testing::Values(Kind::ring, Kind::ring_without_multishot_read, Kind::poller);
}
inline std::string kind_name(const ::testing::TestParamInfo<Kind>& test) {
  return name_of(test.param);
}

class PacketIoRig : public NamespaceTest, public ::testing::WithParamInterface<Kind> {
 protected:
  void SetUp() override {
    NamespaceTest::SetUp();
    if (GetParam() != Kind::poller && !probe_ring()) GTEST_SKIP() << "io_uring is refused here";
  }

  /// Opens tun0 (10.0.0.1/24, so 10.0.0.2 is behind it), sockets for protocol 41 (packet sockets
  /// also for 47) on `device_`, and a PacketIo with them.
  void open(ReceiveKind receive, const QueueSizes& sizes = {}) {
    WorkerDescriptors descriptors;
    descriptors.receive_kind = receive;
    open_tun_device(descriptors);
    open_receive(descriptors);
    auto send = open_raw_send_socket(device_);
    ASSERT_TRUE(send) << send.error().message();
    descriptors.send = std::move(*send);
    auto icmp = open_icmp_socket(std::array<std::uint8_t, 2>{41, 47});
    ASSERT_TRUE(icmp) << icmp.error().message();
    descriptors.icmp = std::move(*icmp);
    auto opened = GetParam() == Kind::poller
                      ? open_poller(std::move(descriptors), sizes, busy_poll_, "tun0")
                      : open_ring(std::move(descriptors), sizes, busy_poll_, "tun0",
                                  {.multishot_read = GetParam() == Kind::ring});
    ASSERT_TRUE(opened) << opened.error().message();
    packet_io_ = std::move(*opened);
  }

  void open_tun_device(WorkerDescriptors& descriptors) {
    auto tun = open_tun("tun0", 1);
    ASSERT_TRUE(tun) << tun.error().message();
    ip("addr add 10.0.0.1/24 dev tun0");
    ip("link set tun0 up");
    has_uso_ = tun->has_uso;
    descriptors.tun = std::move(tun->queues.front());
    // Blocking, as an injected descriptor may be.
    const int flags = ::fcntl(descriptors.tun.get(), F_GETFL);
    ASSERT_EQ(::fcntl(descriptors.tun.get(), F_SETFL, flags & ~O_NONBLOCK), 0);
  }

  void open_receive(WorkerDescriptors& descriptors) {
    if (descriptors.receive_kind == ReceiveKind::packet) {
      auto sockets = open_packet_sockets({.protocols = {41, 47}, .interface = device_}, 1);
      ASSERT_TRUE(sockets) << sockets.error().message();
      descriptors.receive = std::move(*sockets);
      guard_ = std::move(*open_raw_guard_socket(41));
    } else {
      auto socket = open_raw_receive_socket(41, device_);
      ASSERT_TRUE(socket) << socket.error().message();
      descriptors.receive.push_back(std::move(*socket));
    }
  }

  struct Received {
    Bytes bytes;
    Offload offload;
    bool truncated;
    unsigned interface_index;
  };

  /// Runs rounds until `count` packets of a source have arrived, or `limit` is over.
  std::vector<Received> gather(Source source, std::size_t count,
                               std::chrono::milliseconds limit = std::chrono::seconds{10}) {
    std::vector<Received> packets;
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (packets.size() < count && std::chrono::steady_clock::now() < deadline) {
      const auto waited = packet_io_->wait(std::chrono::milliseconds{20});
      EXPECT_TRUE(waited) << waited.error().message();
      for (const Packet& packet : packet_io_->received(source)) {
        EXPECT_GE(packet.headroom_bytes(), kHeadroomBytes);
        EXPECT_FALSE(packet.has_bad_offload);
        packets.push_back({.bytes = {packet.bytes().begin(), packet.bytes().end()},
                           .offload = packet.offload,
                           .truncated = packet.truncated,
                           .interface_index = packet.interface_index});
      }
      packet_io_->release();
    }
    return packets;
  }
  /// The packets that arrive within 100 ms.
  std::vector<Received> gather_all(Source source) {
    return gather(source, SIZE_MAX, std::chrono::milliseconds{100});
  }
  bool stays_empty(Source source) { return gather_all(source).empty(); }

  std::string device_;
  std::chrono::nanoseconds busy_poll_{0};
  bool has_uso_ = false;
  Fd guard_;
  std::unique_ptr<PacketIo> packet_io_;
};

}  // namespace culvert::io
