// Pinning on the hot path: workers that share a flow table, tunnels that share a prefix.
//
//     far 2001:db8:f::/48 ---+--- a (198.51.100.1) ---+--- us --- near 2001:db8:e::/48
//                            +--- b (198.51.100.2) ---+
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <vector>

#include "engine/flows/flow_table.h"
#include "engine/forward/worker.h"
#include "tests/support/memory_queue.h"
#include "tests/support/packet_builder.h"
#include "tests/support/tunnel_rig.h"

namespace culvert {
namespace {

using namespace test;

constexpr const char* kFar = "2001:db8:f::1";
constexpr const char* kNear = "2001:db8:e::2";
constexpr const char* kRemoteA = "198.51.100.1";
constexpr const char* kRemoteB = "198.51.100.2";
constexpr const char* kLocalA = "192.0.2.1";
constexpr const char* kLocalB = "192.0.2.2";
constexpr std::uint32_t kA = 0, kB = 1;  // slots

proto::Ipv4Address address(const char* text) { return *proto::Ipv4Address::from_text(text); }

/// The backup tunnel, by its metric.
TunnelConfig tunnel_config(const char* name, const char* local, const char* remote,
                           std::uint32_t metric) {
  TunnelConfig config = sit_config();
  config.name = name;
  config.local = address(local);
  config.remote = address(remote);
  config.prefixes6 = {*proto::Ipv6Prefix::from_text("2001:db8:f::/48")};
  config.metric = metric;
  return config;
}
TunnelConfig config_a(std::uint32_t metric = 1) {
  return tunnel_config("a", kLocalA, kRemoteA, metric);
}
TunnelConfig config_b(std::uint32_t metric = 2) {
  return tunnel_config("b", kLocalB, kRemoteB, metric);
}

class Pinning : public ::testing::Test {
 protected:
  static constexpr std::size_t kWorkers = 2;

  /// Publishes tunnels by slot; the next hop and the path of a slot stay.
  void use(std::vector<std::optional<TunnelConfig>> configs, OwnAddresses own = {}) {
    TunnelSlots slots;
    for (auto& config : configs) {
      slots.emplace_back();
      if (!config) continue;
      Tunnel tunnel = make_tunnel(*config, 1480, 1500);
      tunnel.index = static_cast<std::uint32_t>(slots.size() - 1);
      tunnel.path = paths_.at(tunnel.index);
      tunnel.path->local = config->local.value_or(address(kLocalA));
      slots.back() = std::make_shared<const Tunnel>(std::move(tunnel));
    }
    auto tables =
        std::make_unique<Tables>(std::move(slots), HostFacts{.addresses = std::move(own)});
    if (tables_) {
      for (std::size_t i = 0; i < kWorkers; ++i) tables_->deactivate(i);
      return tables_->publish(std::move(tables), [] {});
    }
    tables_ = std::make_unique<Snapshot<Tables>>(std::move(tables), kWorkers);
    for (std::size_t i = 0; i < kWorkers; ++i) {
      auto queues = std::make_unique<MemoryPacketIo>();
      queues_.push_back(queues.get());
      workers_.push_back(std::make_unique<Worker>(
          std::move(queues), *tables_, WorkerOptions{.index = i, .flows = table_.get()}));
      for (std::uint32_t slot = 0; slot < 3; ++slot) ASSERT_TRUE(workers_[i]->prepare(slot));
    }
  }
  void pin_nothing() { table_.reset(); }

  static Bytes outer(const char* remote, const char* local, const Bytes& inner) {
    return ipv4(remote, local, {.protocol = 41}) / payload(inner);
  }
  void round(std::size_t worker) {
    ASSERT_TRUE(workers_[worker]->round(std::chrono::nanoseconds{0}, now_));
  }
  /// Receives a packet from a tunnel.
  void in(const char* remote, const char* local, const Bytes& inner, std::uint32_t interface = 0,
          std::size_t worker = 0) {
    queues_[worker]->put(io::Source::tunnel, outer(remote, local, inner)).interface_index =
        interface;
    const std::size_t before = queues_[worker]->written.size();
    round(worker);
    EXPECT_EQ(queues_[worker]->written.size(), before + 1);
  }
  void in_by_a(const Bytes& inner) { in(kRemoteA, kLocalA, inner); }
  void in_by_b(const Bytes& inner) { in(kRemoteB, kLocalB, inner); }
  /// Sends a packet; returns the datagram sent.
  SentDatagram out(const Bytes& inner, std::size_t worker = 0) {
    queues_[worker]->put(io::Source::tun, inner);
    queues_[worker]->sent.clear();
    round(worker);
    EXPECT_EQ(queues_[worker]->sent.size(), 1u);
    return queues_[worker]->sent.empty() ? SentDatagram{} : queues_[worker]->sent.front();
  }
  static proto::Ipv4Address source_of(const SentDatagram& datagram) {
    return proto::load<proto::Ipv4Address>(datagram.bytes, 12);
  }
  std::size_t flow_count() {
    std::size_t count = 0;
    table_->for_each(table_->tick(now_), [&](const FlowRecord&) { ++count; });
    return count;
  }

  static Bytes request(std::uint16_t port = 80) {
    return ipv6(kFar, kNear) / tcp(4242, port, {.flags = 0x02}) / payload(8);
  }
  static Bytes answer(std::uint16_t port = 80) {
    return ipv6(kNear, kFar) / tcp(port, 4242, {.flags = 0x12}) / payload(8);
  }

  Time now_{std::chrono::hours{1}};
  std::unique_ptr<FlowTable> table_ = std::move(*FlowTable::open(1'024, SipKey{1, 2}, now_));
  std::vector<std::shared_ptr<Path>> paths_{std::make_shared<Path>(), std::make_shared<Path>(),
                                            std::make_shared<Path>()};
  std::unique_ptr<Snapshot<Tables>> tables_;
  std::vector<MemoryPacketIo*> queues_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

TEST_F(Pinning, AnswersByTheTunnelOfTheRequest) {
  use({config_a(), config_b()});
  EXPECT_EQ(out(answer(79)).destination, address(kRemoteA));  // selected by metric
  in_by_b(request());
  EXPECT_EQ(out(answer()).destination, address(kRemoteB));
  EXPECT_EQ(source_of(out(answer())), address(kLocalB));
  EXPECT_EQ(out(answer(81)).destination, address(kRemoteA));  // another flow
  in_by_a(request());  // the request moves to the other tunnel
  EXPECT_EQ(out(answer()).destination, address(kRemoteA));
}

TEST_F(Pinning, AnswersByItAlsoFromAnotherWorker) {
  use({config_a(), config_b()});
  in(kRemoteB, kLocalB, request(), 0, 0);
  EXPECT_EQ(out(answer(), 1).destination, address(kRemoteB));
}

TEST_F(Pinning, DoesNothingWithoutATable) {
  pin_nothing();
  use({config_a(), config_b()});
  in_by_b(request());
  EXPECT_EQ(out(answer()).destination, address(kRemoteA));
}

// As many flows as a round may hold: more than the prefetch distance.
TEST_F(Pinning, KeepsTheFlowsOfARoundApart) {
  use({config_a(), config_b()});
  constexpr std::uint16_t kFlows = 50;
  for (std::uint16_t i = 0; i < kFlows; ++i) {
    const bool is_b = i % 3 == 0;
    queues_[0]->put(io::Source::tunnel,
                    outer(is_b ? kRemoteB : kRemoteA, is_b ? kLocalB : kLocalA, request(i)));
  }
  round(0);
  for (std::uint16_t i = 0; i < kFlows; ++i) queues_[1]->put(io::Source::tun, answer(i));
  round(1);
  ASSERT_EQ(queues_[1]->sent.size(), kFlows);
  for (std::uint16_t i = 0; i < kFlows; ++i)
    EXPECT_EQ(queues_[1]->sent[i].destination, address(i % 3 == 0 ? kRemoteB : kRemoteA)) << i;
}

// ---- flows that begin outbound ------------------------------------------------------------------

TEST_F(Pinning, LeavesAFlowWhereItWasPlaced) {
  use({config_a(1), config_b(2)});
  EXPECT_EQ(out(answer()).destination, address(kRemoteA));
  use({config_a(2), config_b(1)});
  EXPECT_EQ(out(answer()).destination, address(kRemoteA));
  in_by_b(request());  // the far side replies through the other tunnel
  EXPECT_EQ(out(answer()).destination, address(kRemoteA));
  EXPECT_EQ(out(answer(81)).destination, address(kRemoteB));
}

TEST_F(Pinning, MovesAFlowWhoseTunnelIsDown) {
  use({config_a(), config_b()});
  in_by_b(request());
  TunnelConfig down = config_b();
  down.up = false;
  use({config_a(), down});
  EXPECT_EQ(out(answer()).destination, address(kRemoteA));
  use({config_a(), config_b()});  // stays there until it arrives through the other tunnel again
  EXPECT_EQ(out(answer()).destination, address(kRemoteA));
  in_by_b(request());
  EXPECT_EQ(out(answer()).destination, address(kRemoteB));
}

TEST_F(Pinning, MovesAFlowWhoseTunnelIsGone) {
  use({config_a(), config_b()});
  in_by_b(request());
  use({config_a(), std::nullopt});
  EXPECT_EQ(out(answer()).destination, address(kRemoteA));
}

TEST_F(Pinning, GivesNoFlowOfARemovedTunnelToTheNextInItsSlot) {
  use({config_a(), config_b()});
  in_by_b(request());
  use({config_a(), std::nullopt});
  EXPECT_EQ(table_->forget(kB), 1u);
  use({config_a(), tunnel_config("c", kLocalB, "198.51.100.3", 3)});
  EXPECT_EQ(out(answer()).destination, address(kRemoteA));
}

// ---- outer endpoints ----------------------------------------------------------------------------

TEST_F(Pinning, SendsToWhereAFlowOfRemoteAnyCameFrom) {
  TunnelConfig any = config_a();
  any.remote = {};
  use({any});
  in("203.0.113.9", kLocalA, request(80));
  in("203.0.113.10", kLocalA, request(81));
  EXPECT_EQ(out(answer(80)).destination, address("203.0.113.9"));
  EXPECT_EQ(out(answer(81)).destination, address("203.0.113.10"));
  queues_[0]->put(io::Source::tun, answer(82));
  queues_[0]->sent.clear();
  round(0);
  EXPECT_TRUE(queues_[0]->sent.empty());
  EXPECT_EQ(flow_count(), 2u);  // a packet that cannot be sent creates no flow
}

TEST_F(Pinning, SendsFromTheAddressToWhichAFlowCame) {
  TunnelConfig any = config_a();
  any.local.reset();
  use({any}, {address(kLocalA), address(kLocalB)});
  in(kRemoteA, kLocalB, request());
  EXPECT_EQ(source_of(out(answer())), address(kLocalB));
  EXPECT_EQ(source_of(out(answer(81))), address(kLocalA));
  use({any}, {address(kLocalA)});  // the host no longer has the address
  EXPECT_EQ(source_of(out(answer())), address(kLocalA));
}

TEST_F(Pinning, SendsByTheInterfaceByWhichAFlowCame) {
  use({config_a()});
  io::NextHop hop;
  hop.interface_index = 7;
  paths_[kA]->next_hop.store(hop);
  in(kRemoteA, kLocalA, request(80), 7);
  in(kRemoteA, kLocalA, request(81), 8);
  const SentDatagram by_next_hop = out(answer(80));
  EXPECT_EQ(by_next_hop.next_hop.interface_index, 7u);
  const SentDatagram by_route = out(answer(81));
  EXPECT_FALSE(by_route.next_hop);
  EXPECT_EQ(by_route.interface_index, 8u);
  EXPECT_EQ(out(answer(82)).next_hop.interface_index, 7u);
}

TEST_F(Pinning, HoldsToNoInterfaceThatHasNoRoute) {
  use({config_a()});
  in(kRemoteA, kLocalA, request(), 8);
  EXPECT_EQ(out(answer()).interface_index, 8u);
  queues_[0]->send_error = ENETUNREACH;
  queues_[0]->put(io::Source::tun, answer());
  round(0);
  queues_[0]->send_error = 0;
  EXPECT_EQ(out(answer()).interface_index, 0u);
  now_ += std::chrono::seconds{2};  // then the pinned interface is used again
  EXPECT_EQ(out(answer()).interface_index, 8u);
}

// ---- errors and fragments -----------------------------------------------------------------------

TEST_F(Pinning, SendsAnErrorByTheTunnelOfThePacketThatItQuotes) {
  use({config_a(), config_b()});
  in_by_b(request());
  const Bytes error = ipv6("2001:db8:e::ffff", kFar) / icmpv6(2, 0, 1280) / payload(request());
  EXPECT_EQ(out(error).destination, address(kRemoteB));
  const Bytes other = ipv6("2001:db8:e::ffff", kFar) / icmpv6(2, 0, 1280) / payload(request(81));
  EXPECT_EQ(out(other).destination, address(kRemoteA));
  EXPECT_EQ(flow_count(), 1u);
}

TEST_F(Pinning, SendsLaterFragmentsWhereTheFirstWent) {
  use({config_a(), config_b()});
  in_by_b(ipv6(kFar, kNear) / udp(53, 1024) / payload(8));
  const Bytes first =
      ipv6(kNear, kFar) / fragment(0, true, 99) / udp(1024, 53, {.checksum = 1}) / payload(16);
  const Bytes later = ipv6(kNear, kFar, {.next_header = 44}) /
                      payload(hex("11 00 00 18 00 00 00 63  01 02 03 04 05 06 07 08"));
  EXPECT_EQ(out(later).destination, address(kRemoteA));  // its first fragment is unknown so far
  EXPECT_EQ(out(first).destination, address(kRemoteB));
  EXPECT_EQ(out(later).destination, address(kRemoteB));
}

// An error about an inbound fragmented packet may quote a later fragment.
TEST_F(Pinning, KnowsTheFragmentsThatCame) {
  use({config_a(), config_b()});
  in_by_b(ipv6(kFar, kNear) / fragment(0, true, 99) / udp(53, 1024, {.checksum = 1}) / payload(16));
  const Bytes later = ipv6(kFar, kNear, {.next_header = 44}) /
                      payload(hex("11 00 00 18 00 00 00 63  01 02 03 04 05 06 07 08"));
  in_by_a(later);  // which changes no pin
  EXPECT_EQ(out(ipv6(kNear, kFar) / icmpv6(3, 1) / payload(later)).destination, address(kRemoteB));
  EXPECT_EQ(out(ipv6(kNear, kFar) / udp(1024, 53) / payload(8)).destination, address(kRemoteB));
}

// ---- packets that would return to where they came from ------------------------------------------

class LoopsBack : public Pinning {
 protected:
  /// The request comes back from TUN: nothing on this host has its destination.
  void return_from_tun(const Bytes& inner, std::size_t worker = 0) {
    queues_[worker]->sent.clear();
    queues_[worker]->written.clear();
    queues_[worker]->put(io::Source::tun, inner);
    round(worker);
  }
  [[nodiscard]] std::uint64_t looped(std::uint32_t slot, std::size_t worker = 0) const {
    return workers_[worker]->totals(slot).dropped(DropReason::loops_back);
  }
  /// Expects an ICMP error, `type` and `code`, whose IP header has `header_bytes`.
  void expect_error(std::size_t header_bytes, std::uint8_t type, std::uint8_t code) const {
    ASSERT_EQ(queues_[0]->written.size(), 1u);
    EXPECT_EQ(queues_[0]->written[0].bytes.at(header_bytes), std::byte{type});
    EXPECT_EQ(queues_[0]->written[0].bytes.at(header_bytes + 1), std::byte{code});
  }
  /// Everything goes by tunnel a, as with `route ::/0`.
  static TunnelConfig catch_all() {
    TunnelConfig config = config_a();
    config.prefixes6 = {};
    return config;
  }
  static Bytes echo() { return ipv6(kFar, kNear) / icmpv6(128, 0, 0x1234'0001) / payload(8); }
};

TEST_F(LoopsBack, IsDroppedEachTimeAndAnswered) {  // RFC 4443 3.1
  use({catch_all()});
  for (const Bytes& inner :
       {echo(), request(), Bytes(ipv6(kFar, kNear) / udp(53, 1024) / payload(8))}) {
    in_by_a(inner);
    for (int i = 0; i < 2; ++i) {
      return_from_tun(inner);
      EXPECT_TRUE(queues_[0]->sent.empty());
      expect_error(40, 1, 3);
    }
  }
  EXPECT_EQ(looped(kA), 6u);
  return_from_tun(echo(), 1);  // another worker
  EXPECT_EQ(looped(kA, 1), 1u);
  EXPECT_EQ(out(answer()).destination, address(kRemoteA));
}

TEST_F(LoopsBack, IsDroppedAndAnsweredAlsoIfItIsIpv4) {
  TunnelConfig config = gre_config();
  config.local = address(kLocalA);
  use({config});
  const Bytes inner = ipv4("10.1.0.1", "10.2.0.2") / udp(53, 1024) / payload(8);
  queues_[0]->put(
      io::Source::tunnel,
      (ipv4(kRemoteA, kLocalA) / gre({.protocol_type = 0x0800}) / payload(inner)).bytes());
  round(0);
  return_from_tun(inner);
  EXPECT_EQ(looped(kA), 1u);
  expect_error(20, 3, 1);
}

TEST_F(LoopsBack, IsDroppedFragmentByFragment) {
  use({catch_all()});
  const Bytes first =
      ipv6(kFar, kNear) / fragment(0, true, 99) / udp(53, 1024, {.checksum = 1}) / payload(16);
  const Bytes later = ipv6(kFar, kNear, {.next_header = 44}) /
                      payload(hex("11 00 00 18 00 00 00 63  01 02 03 04 05 06 07 08"));
  in_by_a(first);
  in_by_a(later);
  return_from_tun(first);
  return_from_tun(later);
  EXPECT_EQ(looped(kA), 2u);
}

TEST_F(LoopsBack, IsForwardedToAnotherTunnel) {
  use({config_a(), config_b()});
  const Bytes inner = ipv6(kFar, "2001:db8:f::2") / udp(1, 2) / payload(8);
  in_by_b(inner);
  EXPECT_EQ(out(inner).destination, address(kRemoteA));
}

TEST_F(LoopsBack, IsForwardedToAnotherRemote) {
  use({catch_all()});
  in_by_a(echo());
  TunnelConfig moved = catch_all();
  moved.remote = address(kRemoteB);
  use({moved});
  EXPECT_EQ(out(echo()).destination, address(kRemoteB));
}

TEST_F(LoopsBack, IsForwardedIfAHostSendsItToItself) {  // RFC 7676 3.2
  use({catch_all()});
  const Bytes probe = ipv6(kFar, kFar) / udp(1, 2) / payload(1232);
  in_by_a(probe);
  EXPECT_EQ(out(probe).destination, address(kRemoteA));
}

// A host may have moved to this side.
TEST_F(LoopsBack, IsForwardedTwoSecondsLater) {
  use({catch_all()});
  in_by_a(echo());
  now_ += std::chrono::seconds{2};
  EXPECT_EQ(out(echo()).destination, address(kRemoteA));
}

TEST_F(LoopsBack, IsNotWhatGoesTheOtherWay) {
  use({catch_all()});
  in_by_a(request());
  EXPECT_EQ(out(answer()).destination, address(kRemoteA));
  EXPECT_EQ(out(ipv6(kFar, kNear) / tcp(80, 4242, {}) / payload(8)).destination,
            address(kRemoteA));  // other ports
}

}  // namespace
}  // namespace culvert
