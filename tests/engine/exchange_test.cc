// Two engines with two workers each, connected in memory, so that every worker of one sends to the
// other's workers. Packets flow in both directions while the owners call status, apply and refresh.
// Mainly for the thread sanitizer.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <functional>
#include <string>
#include <thread>

#include "engine/engine.h"
#include "proto/byte_order.h"
#include "tests/support/packet_builder.h"
#include "tests/support/packet_pair.h"

namespace culvert {
namespace {

using test::Bytes;
using test::PacketPair;

constexpr std::size_t kWorkers = 2;
constexpr std::uint32_t kPackets = 2000;
constexpr std::uint32_t kWindow = 32;  // smaller than the sockets' buffers
constexpr std::size_t kVirtioBytes = 10;
constexpr std::size_t kNumberOffset = kVirtioBytes + 48;  // IPv6 and UDP header

/// A packet from host `source` to host `destination`: none of them is at both engines.
Bytes numbered(std::uint32_t number, int source, int destination) {
  Bytes body(64);
  proto::store_be32(body, 0, number);
  Bytes packet(kVirtioBytes);
  const std::string network = "2001:db8::";
  const Bytes inner =
      test::ipv6(network + std::to_string(source), network + std::to_string(destination)) /
      test::udp(1, 2) / test::payload(body);
  packet.insert(packet.end(), inner.begin(), inner.end());
  return packet;
}

Config config_of(const char* local, const char* remote, IoChoice io) {
  Config config;
  config.device = "memory";
  config.io = io;
  config.mtu = std::uint16_t{1400};
  config.pin_workers = false;
  config.sizes = {.tun_packets = 16, .tunnel_packets = 16, .icmp_packets = 4};
  config.tunnels.push_back({.name = "t",
                            .mode = proto::SixInFour::Parameters{},
                            .local = proto::Ipv4Address::from_text(local),
                            .remote = *proto::Ipv4Address::from_text(remote)});
  config.tunnels[0].coalesce = false;  // no GRO, so that the test can count packets
  return config;
}

/// One engine, and the test's ends of its TUN queues.
struct Side {
  Config config;
  std::array<PacketPair, kWorkers> tuns;
  std::unique_ptr<Engine> engine;

  void open(std::array<io::Fd, kWorkers> receives, std::array<io::Fd, kWorkers> sends) {
    InjectedDescriptors injected(kWorkers);
    for (std::size_t i = 0; i < kWorkers; ++i) {
      injected[i].tun = std::move(tuns[i].a);
      injected[i].receive_kind = io::ReceiveKind::raw;
      injected[i].receive.push_back(std::move(receives[i]));
      injected[i].send = std::move(sends[i]);
    }
    auto opened = Engine::open(config, std::move(injected));
    ASSERT_TRUE(opened) << opened.error().message();
    engine = std::move(*opened);
    config.workers = kWorkers;
    ASSERT_TRUE(engine->start());
  }
};

/// Sends all packets of one flow into `in` and receives them from `out`: each once, in order.
void exchange(const io::Fd& in, const io::Fd& out, int source, int destination) {
  std::uint32_t sent = 0, received = 0;
  for (int idle = 0; received < kPackets && idle < 10'000;) {
    if (sent < kPackets && sent - received < kWindow)
      test::put(in, numbered(sent++, source, destination));
    const Bytes packet = test::receive(out);
    if (packet.empty()) {
      std::this_thread::sleep_for(std::chrono::microseconds{100});
      ++idle;
      continue;
    }
    idle = 0;
    ASSERT_EQ(packet.size(), numbered(0, source, destination).size());
    ASSERT_EQ(proto::load_be32(packet, kNumberOffset), received++);
  }
  EXPECT_EQ(received, kPackets);
}

class Exchange : public ::testing::TestWithParam<IoChoice> {
 protected:
  /// A worker's packets arrive at the other worker of the other engine.
  void SetUp() override {
    near_.config = config_of("127.0.0.1", "127.0.0.2", GetParam());
    far_.config = config_of("127.0.0.2", "127.0.0.1", GetParam());
    std::array<PacketPair, kWorkers> out, back;
    near_.open({std::move(back[0].b), std::move(back[1].b)},
               {std::move(out[0].a), std::move(out[1].a)});
    far_.open({std::move(out[1].b), std::move(out[0].b)},
              {std::move(back[1].a), std::move(back[0].a)});
  }
  /// Calls `function(number of the call)` on a thread of its own until the test ends.
  void keep_calling(std::function<void(unsigned)> function) {
    owners_.emplace_back([this, function = std::move(function)] {
      for (unsigned i = 0; !stop_; ++i) function(i);
    });
  }
  void stop_calling() {
    stop_ = true;
    for (auto& owner : owners_) owner.join();
    owners_.clear();
  }

  Side near_, far_;
  std::atomic<bool> stop_{false};
  std::vector<std::thread> owners_;
};

TEST_P(Exchange, GoesOnWhileItIsAskedChangedAndRefreshed) {
  ASSERT_TRUE(near_.engine && far_.engine);
  for (Side* side : {&near_, &far_}) {
    // open, apply, refresh: one thread at a time; status: any time.
    keep_calling([side, config = side->config](unsigned i) mutable {
      config.tunnels[0].ttl = static_cast<std::uint8_t>(i % 250 + 1);
      if (i % 2 == 0) {
        EXPECT_TRUE(side->engine->apply(config));
      }
      side->engine->refresh();
    });
    keep_calling([side](unsigned) { EXPECT_EQ(side->engine->status().workers, kWorkers); });
  }
  std::vector<std::thread> flows;
  for (std::size_t i = 0; i < kWorkers; ++i) {
    flows.emplace_back([&, i] { exchange(near_.tuns[i].b, far_.tuns[1 - i].b, 1, 2); });
    flows.emplace_back([&, i] { exchange(far_.tuns[i].b, near_.tuns[1 - i].b, 2, 1); });
  }
  for (auto& flow : flows) flow.join();
  stop_calling();
  for (Side* side : {&near_, &far_}) {
    side->engine->stop();
    const Totals totals = side->engine->status().tunnels.at(0).totals;
    EXPECT_EQ(totals.out_packets, kWorkers * kPackets);
    EXPECT_EQ(totals.in_packets, kWorkers * kPackets);
    EXPECT_EQ(totals.held(Direction::outbound), 0u);
    EXPECT_EQ(totals.held(Direction::inbound), 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(Io, Exchange, ::testing::Values(IoChoice::automatic, IoChoice::epoll),
                         [](const auto& test) {
                           return test.param == IoChoice::epoll ? "Epoll" : "Auto";
                         });

}  // namespace
}  // namespace culvert
