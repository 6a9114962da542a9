#include "engine/tables/route_table.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "tests/support/link_header.h"
#include "tests/support/packet_builder.h"
#include "tests/support/tunnel_rig.h"

namespace culvert::test {
namespace {

proto::Ipv6Address address(const char* text) { return proto::Ipv6Address::from_text(text).value(); }

/// Tunnels and their route table. Remotes are 198.51.100.1 and so on.
class Routes {
 public:
  explicit Routes(std::vector<TunnelConfig> configs) {
    for (TunnelConfig& config : configs) {
      Tunnel tunnel = make_tunnel(config, 1480, 1500);
      tunnel.index = static_cast<std::uint32_t>(slots_.size());
      slots_.push_back(std::make_shared<const Tunnel>(std::move(tunnel)));
    }
    table_.emplace(slots_);
  }
  [[nodiscard]] std::string to(const char* destination) const {
    return name_of(table_->find(address(destination)));
  }
  [[nodiscard]] std::string to(const Bytes& packet, std::size_t link_bytes = 0) const {
    return name_of(table_->find(classify(packet, link_bytes), packet));
  }
  [[nodiscard]] const RouteTable& table() const { return *table_; }

 private:
  static std::string name_of(const RouteTable::Route& route) {
    if (route.tunnel == nullptr) return "";
    return (route.is_up ? "" : "down ") + route.tunnel->config.name;
  }
  TunnelSlots slots_;
  std::optional<RouteTable> table_;
};

TunnelConfig config(const std::string& name, std::vector<const char*> prefixes, int number = 1) {
  TunnelConfig made = sit_config();
  made.name = name;
  made.remote = remote_numbered(number);
  for (const char* prefix : prefixes)
    made.prefixes6.push_back(proto::Ipv6Prefix::from_text(prefix).value());
  return made;
}

TEST(RouteTable, TakesTheLongestPrefixOfAllTunnels) {
  const Routes routes({config("alice", {"2001:db8::2/128", "2001:db8:100::/56"}),
                       config("bob", {"2001:db8::/64"}, 2)});
  EXPECT_EQ(routes.to("2001:db8::2"), "alice");
  EXPECT_EQ(routes.to("2001:db8::3"), "bob");
  EXPECT_EQ(routes.to("2001:db8:100:ff::1"), "alice");
  EXPECT_EQ(routes.to("2001:db8:100:100::1"), "");
  EXPECT_EQ(routes.to("ff02::1"), "");
}

TEST(RouteTable, GivesEverythingToATunnelWithoutPrefixes) {
  const Routes routes({config("only", {})});
  EXPECT_EQ(routes.to("2001:db8::1"), "only");
  EXPECT_EQ(routes.to("ff02::1"), "only");
  EXPECT_EQ(routes.to(ipv4("10.0.0.1", "10.0.0.2") / udp(1, 2)), "only");
}

TEST(RouteTable, KnowsTheOtherEndsLinkLocalAddresses) {  // RFC 4213 3.7
  const Routes routes({config("one", {"2001:db8:1::/48"}, 1),
                       config("two", {"fe80::c633:6403/128"}, 2),
                       config("three", {"2001:db8:3::/48"}, 3)});
  EXPECT_EQ(routes.to("fe80::198.51.100.1"), "one");
  EXPECT_EQ(routes.to("fe80::198.51.100.2"), "two");
  EXPECT_EQ(routes.to("fe80::198.51.100.3"), "two") << "a configured prefix for this address";
  EXPECT_EQ(routes.to("fe80::198.51.100.4"), "");
}

TEST(RouteTable, KeepsIpv4Apart) {
  auto gre = config("gre", {"2001:db8::/32"});
  gre.mode = proto::Gre::Parameters{};
  gre.prefixes4 = {proto::Ipv4Prefix::from_text("10.1.0.0/16").value()};
  const Routes routes({gre, config("sit", {"2001:db8:1::/48"}, 2)});
  EXPECT_EQ(routes.to(ipv4("10.0.0.1", "10.1.0.2") / udp(1, 2)), "gre");
  EXPECT_EQ(routes.to(ipv4("10.0.0.1", "10.2.0.2") / udp(1, 2)), "");
  EXPECT_EQ(routes.to(ipv6("2001:db8::1", "2001:db8:1::2") / udp(1, 2)), "sit");
}

TEST(RouteTable, TakesTheLowestMetricOfThoseThatAreUp) {
  auto first = config("first", {"2001:db8::/32"}, 1),
       second = config("second", {"2001:db8::/32"}, 2);
  first.metric = 10;
  second.metric = 20;
  EXPECT_EQ(Routes({first, second}).to("2001:db8::1"), "first");
  EXPECT_EQ(Routes({second, first}).to("2001:db8::1"), "first");
  first.up = false;
  EXPECT_EQ(Routes({first, second}).to("2001:db8::1"), "second");
  second.up = false;
  EXPECT_EQ(Routes({first, second}).to("2001:db8::1"), "down first");
}

Bytes flow(std::uint32_t number) {
  return ipv6("2001:db8:1::1", "2001:db8::1") /
         udp(static_cast<std::uint16_t>(number >> 8), static_cast<std::uint16_t>(number)) /
         payload(8);
}

std::vector<TunnelConfig> three_of_weight(int a, int b, int c) {
  std::vector<TunnelConfig> configs;
  for (const auto& [name, weight] : {std::pair{"a", a}, {"b", b}, {"c", c}}) {
    configs.push_back(config(name, {"2001:db8::/32"}, static_cast<int>(configs.size()) + 1));
    configs.back().weight = static_cast<std::uint16_t>(weight);
  }
  return configs;
}

TEST(RouteTable, SharesFlowsByWeight) {
  const Routes routes(three_of_weight(1, 2, 5));
  std::map<std::string, int> flows;
  constexpr int kFlows = 40'000;
  for (std::uint32_t i = 0; i < kFlows; ++i) ++flows[routes.to(flow(i * 7))];
  EXPECT_NEAR(flows["a"], kFlows / 8, kFlows / 80);
  EXPECT_NEAR(flows["b"], kFlows / 4, kFlows / 80);
  EXPECT_NEAR(flows["c"], kFlows * 5 / 8, kFlows / 80);
}

TEST(RouteTable, MovesNoFlowThatItNeedNotMove) {
  auto configs = three_of_weight(1, 2, 5);
  const Routes before(configs);
  configs.erase(configs.begin() + 1);
  const Routes after(configs);
  int moved = 0;
  for (std::uint32_t i = 0; i < 5'000; ++i) {
    const std::string was = before.to(flow(i));
    if (was == "b") {
      ++moved;
    } else {
      ASSERT_EQ(after.to(flow(i)), was);
    }
  }
  EXPECT_GT(moved, 0);
}

TEST(RouteTable, SendsAllFragmentsOfAPacketTheSameWay) {
  for (int i = 0; i < 50; ++i) {
    Bytes first =
        ipv4("10.0.0.1", "10.0.0.2") / udp(static_cast<std::uint16_t>(i), 2) / payload(64);
    Bytes second = first;
    proto::set_ipv4_fragment(first, 0, true, false);
    proto::set_ipv4_fragment(second, 64, false, false);
    EXPECT_EQ(route_hash(classify(first), first), route_hash(classify(second), second));
  }
}

TEST(RouteTable, FindsPacketsBehindALinkLayerHeaderAsWithoutIt) {
  const Routes routes(three_of_weight(1, 2, 5));
  for (std::uint32_t i = 0; i < 100; ++i) {
    const Bytes packet = flow(i);
    for (const std::size_t link_bytes : kLinkHeaderSizes)
      ASSERT_EQ(routes.to(with_link_header(packet, link_bytes), link_bytes), routes.to(packet));
  }
}

}  // namespace
}  // namespace culvert::test
