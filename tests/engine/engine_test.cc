// Two engines, connected over the loopback device of their own network namespace: a packet written
// into one TUN device is read from the other, for every number of workers and both kinds of I/O.
#include "engine/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>

#include <algorithm>
#include <map>
#include <thread>

#include "proto/byte_order.h"
#include "tests/io/rig.h"
#include "tests/support/packet_builder.h"

namespace culvert {
namespace {

using io::Fd;
using test::Bytes;
using ::testing::HasSubstr;

Config end_of_tunnel(const char* device, const char* local, const char* remote,
                     const Parameters& mode) {
  Config config;
  config.device = device;
  config.mtu = std::uint16_t{1400};
  config.tunnels.push_back({.name = device,
                            .mode = mode,
                            .local = proto::Ipv4Address::from_text(local),
                            .remote = *proto::Ipv4Address::from_text(remote)});
  return config;
}

/// A packet socket on a TUN device: sends packets into it, or receives the packets that leave it.
class DeviceSocket {
 public:
  explicit DeviceSocket(const std::string& device)
      : socket_(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    address_.sll_family = AF_PACKET;
    address_.sll_protocol = htons(ETH_P_IPV6);
    address_.sll_ifindex = static_cast<int>(::if_nametoindex(device.c_str()));
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address_), sizeof address_),
              0);
  }
  void send(const Bytes& packet) {
    const auto sent = ::sendto(socket_.get(), packet.data(), packet.size(), 0,
                               reinterpret_cast<const sockaddr*>(&address_), sizeof address_);
    EXPECT_EQ(sent, static_cast<ssize_t>(packet.size())) << std::strerror(errno);
  }
  /// The next packet received on the device; empty after ten seconds without a packet.
  Bytes receive() {
    for (;;) {
      pollfd readable{.fd = socket_.get(), .events = POLLIN, .revents = 0};
      if (::poll(&readable, 1, 10'000) <= 0) return {};
      Bytes bytes(70'000);
      sockaddr_ll from{};
      socklen_t size = sizeof from;
      const auto count = ::recvfrom(socket_.get(), bytes.data(), bytes.size(), 0,
                                    reinterpret_cast<sockaddr*>(&from), &size);
      if (count < 0 || from.sll_pkttype == PACKET_OUTGOING) continue;
      bytes.resize(static_cast<std::size_t>(count));
      return bytes;
    }
  }

 private:
  Fd socket_;
  sockaddr_ll address_{};
};

/// Datagram `number` of a flow. Lengths differ, so that GRO joins none of them.
Bytes numbered(std::uint16_t flow, std::uint32_t number) {
  Bytes body(8 + number % 2 * 8);
  proto::store_be32(body, 0, number);
  return test::ipv6("2001:db8::1", "2001:db8::2") / test::udp(flow, 4242) / test::payload(body);
}

struct Variant {
  unsigned workers;
  IoChoice io;
};
class Engines : public io::NamespaceTest, public ::testing::WithParamInterface<Variant> {
 protected:
  void open(const Parameters& mode) {
    near_ = open_end(end_of_tunnel("near", "127.0.0.1", "127.0.0.2", mode));
    far_ = open_end(end_of_tunnel("far", "127.0.0.2", "127.0.0.1", mode));
  }
  std::unique_ptr<Engine> open_end(Config config) {
    config.workers = GetParam().workers;
    config.io = GetParam().io;
    auto engine = Engine::open(std::move(config));
    EXPECT_TRUE(engine) << (engine ? "" : engine.error().message());
    if (!engine) return nullptr;
    EXPECT_TRUE((*engine)->start());
    io::ip("link set " + (*engine)->status().device + " mtu 1400 up");
    return std::move(*engine);
  }
  std::unique_ptr<Engine> near_, far_;
};

Totals all(const EngineStatus& status) {
  Totals totals = status.totals;
  for (const auto& tunnel : status.tunnels) totals += tunnel.totals;
  return totals;
}

TEST_P(Engines, ForwardEachPacketOnceAndKeepFlowsInOrder) {
  open(proto::Gre::Parameters{.ikey = 7, .okey = 7});
  ASSERT_TRUE(near_ && far_);
  DeviceSocket in("near"), out("far");
  constexpr std::uint16_t kFlows = 16;
  constexpr std::uint32_t kPackets = 100;
  std::map<std::uint16_t, std::uint32_t> next;
  for (std::uint32_t number = 0; number < kPackets; ++number) {
    for (std::uint16_t flow = 0; flow < kFlows; ++flow) in.send(numbered(flow, number));
    for (std::uint16_t i = 0; i < kFlows; ++i) {
      const Bytes packet = out.receive();
      ASSERT_FALSE(packet.empty()) << "lost near number " << number;
      const auto flow = proto::load_be16(packet, 40);
      ASSERT_EQ(proto::load_be32(packet, 48), next[flow]++) << "flow " << flow;
    }
  }
  near_->stop();
  far_->stop();
  const Totals sent = all(near_->status()), received = all(far_->status());
  EXPECT_EQ(sent.out_packets, kFlows * kPackets);
  EXPECT_EQ(received.in_packets, kFlows * kPackets);
  for (const auto& totals : {sent, received}) {
    EXPECT_EQ(totals.held(Direction::outbound), 0u);
    EXPECT_EQ(totals.held(Direction::inbound), 0u);
  }
}

TEST_P(Engines, ChangeTheirTunnelWhilePacketsFlow) {
  open(proto::SixInFour::Parameters{});
  ASSERT_TRUE(near_ && far_);
  DeviceSocket in("near"), out("far");
  std::atomic<bool> stop{false};
  std::thread changer([&] {
    auto config = end_of_tunnel("near", "127.0.0.1", "127.0.0.2", proto::SixInFour::Parameters{});
    config.workers = GetParam().workers;
    config.io = GetParam().io;
    for (std::uint8_t ttl = 1; !stop; ttl = static_cast<std::uint8_t>(ttl % 250 + 1)) {
      config.tunnels[0].ttl = ttl;
      EXPECT_TRUE(near_->apply(config));
      EXPECT_EQ(near_->status().tunnels.at(0).config.ttl, ttl);
    }
  });
  std::thread watcher([&] {
    while (!stop) EXPECT_EQ(near_->status().tunnels.size(), 1u);
  });
  std::uint32_t received = 0;
  for (std::uint32_t number = 0; number < 500; ++number) {
    in.send(numbered(1, number));
    received += !out.receive().empty();
  }
  stop = true;
  changer.join();
  watcher.join();
  EXPECT_EQ(received, 500u);  // changes lose no packet
  near_->stop();              // a packet may arrive before it is counted as sent
  EXPECT_EQ(all(near_->status()).out_packets, 500u);  // the counters of unchanged tunnels continue
}

/// Adds and removes tunnels beside the one that carries the traffic.
std::vector<TunnelConfig> others_of(const TunnelConfig& carrying, unsigned turn) {
  std::vector<TunnelConfig> tunnels;
  for (unsigned i = 0; i < 200; ++i) {
    if ((i + turn) % 3 == 0) continue;
    TunnelConfig other = carrying;
    other.name = "other" + std::to_string(i);
    other.remote = proto::Ipv4Address::from_host(0x7f000200 + i + turn % 2);
    auto prefix = proto::Ipv6Prefix::from_text("2001:db8:ff::/64").value();
    prefix.address.bytes[7] = std::byte(i);
    other.prefixes6 = {prefix};
    tunnels.push_back(other);
  }
  return tunnels;
}

TEST_P(Engines, LoseNothingWhileOtherTunnelsComeAndGo) {
  open(proto::SixInFour::Parameters{});
  ASSERT_TRUE(near_ && far_);
  auto config = end_of_tunnel("near", "127.0.0.1", "127.0.0.2", proto::SixInFour::Parameters{});
  config.workers = GetParam().workers;
  config.io = GetParam().io;
  config.tunnels[0].prefixes6 = {proto::Ipv6Prefix::from_text("2001:db8::/48").value()};
  const TunnelConfig carrying = config.tunnels[0];
  DeviceSocket in("near"), out("far");
  std::atomic<bool> stop{false};
  std::thread changer([&] {
    for (unsigned turn = 0; !stop; ++turn) {
      config.tunnels = others_of(carrying, turn);
      const auto place = config.tunnels.size() * (turn % 5) / 4;
      config.tunnels.insert(config.tunnels.begin() + static_cast<std::ptrdiff_t>(place), carrying);
      const auto applied = near_->apply(config);
      EXPECT_TRUE(applied) << (applied ? "" : applied.error().message());
      EXPECT_EQ(near_->status().tunnels.at(place).config, carrying);
    }
  });
  std::uint32_t received = 0;
  for (std::uint32_t number = 0; number < 300; ++number) {
    in.send(numbered(1, number));
    received += !out.receive().empty();
  }
  stop = true;
  changer.join();
  EXPECT_EQ(received, 300u);
  near_->stop();
  const auto status = near_->status();
  const auto place = std::find_if(status.tunnels.begin(), status.tunnels.end(),
                                  [](const auto& each) { return each.config.name == "near"; });
  ASSERT_NE(place, status.tunnels.end());
  EXPECT_EQ(place->totals.out_packets, 300u);
  EXPECT_EQ(all(status).held(Direction::outbound), 0u);
}

TEST_P(Engines, LeaveNoDeviceBehind) {
  open(proto::SixInFour::Parameters{});
  near_.reset();
  far_->stop();
  far_.reset();
  EXPECT_EQ(::if_nametoindex("near"), 0u);
  EXPECT_EQ(::if_nametoindex("far"), 0u);
}

TEST_P(Engines, SayWhenTheirDeviceIsTakenAway) {
  Config config = end_of_tunnel("near", "127.0.0.1", "127.0.0.2", proto::SixInFour::Parameters{});
  config.workers = GetParam().workers;
  config.io = GetParam().io;
  near_ = open_end(config);
  ASSERT_TRUE(near_);
  io::ip("link delete near");
  pollfd failure{.fd = near_->failure_fd(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&failure, 1, 5000), 1);
  config.tunnels[0].ttl = std::uint8_t{9};
  EXPECT_TRUE(near_->apply(config));  // waits for no worker that has ended
}

INSTANTIATE_TEST_SUITE_P(Variants, Engines,
                         ::testing::Values(Variant{1, IoChoice::uring}, Variant{2, IoChoice::uring},
                                           Variant{1, IoChoice::epoll},
                                           Variant{2, IoChoice::epoll}),
                         [](const auto& test) {
                           return std::string(test.param.io == IoChoice::uring ? "Uring"
                                                                               : "Epoll") +
                                  std::to_string(test.param.workers);
                         });

class OneEngine : public io::NamespaceTest {};

TEST_F(OneEngine, RefusesWhatCannotChange) {
  auto config = end_of_tunnel("near", "127.0.0.1", "127.0.0.2", proto::SixInFour::Parameters{});
  auto engine = Engine::open(config);
  ASSERT_TRUE(engine);
  const auto refused = [&](auto change) {
    Config changed = config;
    change(changed);
    return !(*engine)->apply(changed);
  };
  EXPECT_TRUE(refused([](Config& c) { c.device = "other"; }));
  EXPECT_TRUE(refused([](Config& c) { c.workers = 2; }));
  EXPECT_TRUE(refused([](Config& c) { c.busy_poll = std::chrono::microseconds{50}; }));
  EXPECT_TRUE(refused([](Config& c) { c.pinning = !c.pinning; }));
  EXPECT_TRUE(refused([](Config& c) { c.flows = 2'048; }));
  EXPECT_TRUE(refused([](Config& c) { c.tunnels.clear(); }));
  EXPECT_TRUE(refused([](Config& c) { c.tunnels[0].mode = proto::Gre::Parameters{}; }));
  EXPECT_TRUE(refused([](Config& c) { c.tunnels[0].ttl = std::uint8_t{0}; }));
  EXPECT_FALSE(refused([](Config& c) { c.tunnels[0].ttl = std::uint8_t{9}; }));
}

/// IPv4 in GRE, without IPv6 on the device.
Config ipv4_in_gre(std::uint16_t mtu_bytes) {
  auto config = end_of_tunnel("near", "127.0.0.1", "127.0.0.2", proto::Gre::Parameters{});
  config.mtu = mtu_bytes;
  config.needs_ipv6 = false;
  config.tunnels[0].prefixes4 = {proto::Ipv4Prefix::from_text("10.1.0.0/16").value()};
  return config;
}

TEST_F(OneEngine, RefusesAnMtuOnTheOtherSideOf1280) {  // RFC 8200 5
  for (const auto& [open, next] : {std::pair{1'000, 1'400}, {1'400, 1'000}, {1'280, 1'279}}) {
    auto config = ipv4_in_gre(static_cast<std::uint16_t>(open));
    auto engine = Engine::open(config);
    ASSERT_TRUE(engine) << engine.error().message();
    config.mtu = static_cast<std::uint16_t>(next);
    const auto refused = (*engine)->apply(config);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message(), HasSubstr("mtu " + std::to_string(next)));
    EXPECT_THAT(refused.error().message(), HasSubstr("the other side of 1280"));
    EXPECT_EQ((*engine)->status().mtu_bytes, open);
    config.mtu = static_cast<std::uint16_t>(open + 1);
    EXPECT_TRUE((*engine)->apply(config));  // on the same side, or 1281
  }
}

TEST_F(OneEngine, RefusesATunnelThatNeedsIpv6OnADeviceWithASmallMtu) {
  auto config = ipv4_in_gre(1'000);
  auto engine = Engine::open(config);
  ASSERT_TRUE(engine) << engine.error().message();
  config.mtu.reset();
  EXPECT_TRUE((*engine)->apply(config));
  config.tunnels[0].prefixes6 = {proto::Ipv6Prefix::from_text("2001:db8::/48").value()};
  const auto refused = (*engine)->apply(config);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("mtu 1000"));
  EXPECT_THAT(refused.error().message(), HasSubstr("IPv6 needs 1280"));
}

TEST_F(OneEngine, MayCrossAnMtuOf1280WithoutIpv6InAnyTunnel) {
  auto config = end_of_tunnel("near", "127.0.0.1", "127.0.0.2", proto::Ipip::Parameters{});
  auto engine = Engine::open(config);
  ASSERT_TRUE(engine) << engine.error().message();
  config.mtu = std::uint16_t{1'000};
  ASSERT_TRUE((*engine)->apply(config));
  EXPECT_EQ((*engine)->status().mtu_bytes, 1'000);
}

TEST_F(OneEngine, CountsWhatRemovedTunnelsHaveCounted) {
  auto config = end_of_tunnel("near", "127.0.0.1", "127.0.0.2", proto::SixInFour::Parameters{});
  config.tunnels[0].prefixes6 = {proto::Ipv6Prefix::from_text("2001:db8::/48").value()};
  auto engine = Engine::open(config);
  ASSERT_TRUE(engine) << engine.error().message();
  ASSERT_TRUE((*engine)->start());
  io::ip("link set near up");
  DeviceSocket("near").send(numbered(1, 1));
  const auto sent = [&] { return all((*engine)->status()).out_packets; };
  for (int i = 0; i < 200 && sent() == 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  ASSERT_EQ(sent(), 1u);
  config.tunnels[0].name = "renamed";
  ASSERT_TRUE((*engine)->apply(config));
  EXPECT_EQ((*engine)->status().tunnels.at(0).totals.out_packets, 0u);
  EXPECT_EQ((*engine)->status().totals.out_packets, 1u);
  (*engine)->stop();
  EXPECT_EQ(all((*engine)->status()).held(Direction::outbound), 0u);
}

TEST_F(OneEngine, KeepsSequenceNumbersOnOneWorkerAsTunnelsCome) {  // RFC 2890 2.2
  auto config = end_of_tunnel("near", "127.0.0.1", "127.0.0.2", proto::Gre::Parameters{});
  config.workers = 2;
  auto engine = Engine::open(config);
  ASSERT_TRUE(engine);
  config.tunnels[0].mode = proto::Gre::Parameters{.iseq = true};
  const auto applied = (*engine)->apply(config);
  ASSERT_FALSE(applied);
  EXPECT_THAT(applied.error().message(), HasSubstr("near, seq"));
}

TEST_F(OneEngine, HasTheSmallestMtuOfItsTunnelsAndKeepsIt) {
  auto config = end_of_tunnel("near", "127.0.0.1", "127.0.0.2", proto::SixInFour::Parameters{});
  config.mtu.reset();
  io::ip("link set lo mtu 1500");
  config.tunnels[0].prefixes6 = {proto::Ipv6Prefix::from_text("2001:db8::/48").value()};
  TunnelConfig gre = config.tunnels[0];
  gre.name = "gre";
  gre.mode = proto::Gre::Parameters{.ikey = 1, .okey = 1};
  gre.prefixes6 = {proto::Ipv6Prefix::from_text("2001:db8:1::/48").value()};
  config.tunnels.push_back(gre);
  auto engine = Engine::open(config);
  ASSERT_TRUE(engine) << engine.error().message();
  EXPECT_EQ((*engine)->status().mtu_bytes, 1500 - 28);
  config.tunnels.pop_back();
  ASSERT_TRUE((*engine)->apply(config));
  EXPECT_EQ((*engine)->status().mtu_bytes, 1500 - 28);
  config.mtu = std::uint16_t{1400};
  ASSERT_TRUE((*engine)->apply(config));
  EXPECT_EQ((*engine)->status().mtu_bytes, 1400);
}

TEST_F(OneEngine, KeepsSequenceNumbersOnOneWorker) {  // RFC 2890 2.2
  auto config =
      end_of_tunnel("near", "127.0.0.1", "127.0.0.2", proto::Gre::Parameters{.oseq = true});
  config.workers = 2;
  std::string said;
  config.log = [&](LogLevel, std::string_view line) { said += line; };
  auto engine = Engine::open(config);
  ASSERT_TRUE(engine);
  EXPECT_EQ((*engine)->status().workers, 1u);
  EXPECT_TRUE((*engine)->apply(config)) << "the configuration has not changed";
  EXPECT_THAT(said, HasSubstr("seq"));
}

TEST_F(OneEngine, HasNoLocalAddressWithoutARoute) {
  io::ip("link set lo down");
  auto config = end_of_tunnel("near", "127.0.0.1", "198.51.100.1", proto::SixInFour::Parameters{});
  config.tunnels[0].local.reset();
  auto engine = Engine::open(config);
  ASSERT_TRUE(engine) << engine.error().message();
  EXPECT_TRUE((*engine)->status().tunnels.at(0).local.is_unspecified());
}

TEST_F(OneEngine, RefusesADeviceNameInUse) {
  const auto config =
      end_of_tunnel("near", "127.0.0.1", "127.0.0.2", proto::SixInFour::Parameters{});
  auto first = Engine::open(config);
  ASSERT_TRUE(first);
  auto second = Engine::open(config);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message(), HasSubstr("near"));
}

}  // namespace
}  // namespace culvert
