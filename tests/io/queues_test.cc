// Ring and Poller do the same: every test here runs with each of them.
#include "io/queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "io/packet_socket.h"
#include "io/poller.h"
#include "io/raw_socket.h"
#include "io/ring.h"
#include "io/tun.h"
#include "proto/checksum.h"
#include "proto/ipv4.h"
#include "tests/io/rig.h"

namespace culvert::io {
namespace {

using namespace std::chrono_literals;

using test::Bytes;

enum class Kind { ring, ring_without_multishot_read, poller };

std::string name_of(Kind kind) {
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

class QueuesTest : public NamespaceTest, public ::testing::WithParamInterface<Kind> {
 protected:
  /// Opens tun0 (10.0.0.1/24, so 10.0.0.2 is behind it) and, with a wire, sockets for protocol 41.
  void open(ReceiveKind receive, const QueueSizes& sizes = {}) {
    if (GetParam() != Kind::poller && !probe_ring()) GTEST_SKIP() << "no io_uring here";
    auto tun = open_tun("tun0", 1);
    ASSERT_TRUE(tun) << tun.error().message();
    ip("addr add 10.0.0.1/24 dev tun0");
    ip("link set tun0 up");
    WorkerDescriptors descriptors;
    descriptors.tun = std::move(tun->queues.front());
    descriptors.receive_kind = receive;
    if (receive == ReceiveKind::packet) {
      auto sockets = open_packet_sockets({.protocols = {41}, .interface = device_}, 1);
      ASSERT_TRUE(sockets) << sockets.error().message();
      descriptors.receive = std::move(*sockets);
    } else {
      auto socket = open_raw_receive_socket(41, device_);
      ASSERT_TRUE(socket) << socket.error().message();
      descriptors.receive.push_back(std::move(*socket));
    }
    auto send = open_raw_send_socket(device_);
    ASSERT_TRUE(send) << send.error().message();
    descriptors.send = std::move(*send);
    auto icmp = open_icmp_socket();
    ASSERT_TRUE(icmp) << icmp.error().message();
    descriptors.icmp = std::move(*icmp);
    auto opened = GetParam() == Kind::poller
                      ? open_poller(std::move(descriptors), sizes, "tun0")
                      : open_ring(std::move(descriptors), sizes, "tun0",
                                  {.multishot_read = GetParam() == Kind::ring});
    ASSERT_TRUE(opened) << opened.error().message();
    queues_ = std::move(*opened);
  }

  /// Rounds until `count` packets of a source have come, or none more for a second. Each packet as
  /// it was; other sources are left to run dry.
  std::vector<Bytes> gather(Source source, std::size_t count) {
    std::vector<Bytes> packets;
    const auto deadline = std::chrono::steady_clock::now() + 1s;
    while (packets.size() < count && std::chrono::steady_clock::now() < deadline) {
      const auto waited = queues_->wait(20ms);
      EXPECT_TRUE(waited) << waited.error().message();
      for (const Packet& packet : queues_->received(source)) {
        EXPECT_GE(packet.headroom_bytes(), kHeadroomBytes);
        EXPECT_FALSE(packet.truncated);
        packets.emplace_back(packet.bytes().begin(), packet.bytes().end());
      }
      queues_->release();
    }
    return packets;
  }

  std::string device_;
  std::unique_ptr<Queues> queues_;
};

TEST_P(QueuesTest, ReadsTunPacketsInOrder) {
  open(ReceiveKind::raw, {.tun_packets = 8});
  const Fd sender = udp_socket("10.0.0.1", 4000);
  for (int i = 0; i < 100; ++i)
    ASSERT_EQ(
        send_to(sender, address_of("10.0.0.2", 5000), bytes_of("number " + std::to_string(i))), 0);
  const auto packets = gather(Source::tun, 100);
  ASSERT_EQ(packets.size(), 100U);
  for (std::size_t i = 0; i < 100; ++i) {
    ASSERT_GT(packets[i].size(), 28U);
    EXPECT_EQ(Bytes(packets[i].begin() + 28, packets[i].end()),
              bytes_of("number " + std::to_string(i)));
  }
}

INSTANTIATE_TEST_SUITE_P(All, QueuesTest,
                         ::testing::Values(Kind::ring, Kind::ring_without_multishot_read,
                                           Kind::poller),
                         [](const auto& test) { return name_of(test.param); });

}  // namespace
}  // namespace culvert::io
