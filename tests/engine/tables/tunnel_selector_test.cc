#include "engine/tables/tunnel_selector.h"

#include <gtest/gtest.h>

#include "tests/support/packet_builder.h"
#include "tests/support/tunnel_rig.h"

namespace culvert::test {
namespace {

/// Tunnels and their selector. A config without a name leaves its slot free.
class Selection {
 public:
  explicit Selection(const std::vector<TunnelConfig>& configs) {
    for (const TunnelConfig& config : configs) {
      auto& slot = slots_.emplace_back();
      if (config.name.empty()) continue;
      Tunnel tunnel = make_tunnel(config, 1480, 1500);
      tunnel.index = static_cast<std::uint32_t>(slots_.size() - 1);
      slot = std::make_shared<const Tunnel>(std::move(tunnel));
    }
    selector_.emplace(slots_);
  }
  /// The name of the tunnel for a packet. Its choice must give the same tunnel as no choice, and for
  /// a tunnel alone in its prefix that tunnel's slot.
  [[nodiscard]] std::string to(const Bytes& packet) const {
    const PacketMeta meta = classify(packet);
    const TunnelChoice choice = selector_->choose(meta, packet);
    const auto route = selector_->select(choice, meta, packet);
    EXPECT_EQ(route.tunnel, selector_->select({}, meta, packet).tunnel);
    EXPECT_TRUE(choice.is_known());
    EXPECT_EQ(choice.is_none(), route.tunnel == nullptr);
    EXPECT_EQ(selector_->slot_of(choice).has_value(), route.tunnel != nullptr);
    if (route.tunnel != nullptr && !choice.is_group()) {
      EXPECT_EQ(selector_->slot_of(choice), route.tunnel->index);
    }
    if (route.tunnel == nullptr) return "";
    return (route.is_up ? "" : "down ") + route.tunnel->config.name;
  }

 private:
  TunnelSlots slots_;
  std::optional<TunnelSelector> selector_;
};

TunnelConfig behind_prefix(const char* name, const char* prefix) {
  TunnelConfig config = sit_config();
  config.name = name;
  config.prefixes6 = {*proto::Ipv6Prefix::from_text(prefix)};
  return config;
}
Bytes packet_to(const char* destination, std::uint16_t port = 1) {
  return ipv6(kHost, destination) / udp(port, 2) / payload(8);
}

TEST(TunnelSelector, SelectsTheOnlyTunnelForEverything) {
  TunnelConfig only = sit_config();
  only.name = "only";
  const Selection first({only}), third({TunnelConfig{}, TunnelConfig{}, only});
  only.up = false;
  const Selection down({only});
  const std::vector<Bytes> packets{packet_to(kServer), packet_to("fe80::1"),
                                   packet_to("fe80::c633:6401"), ipv4(kA4, kB4) / udp(1, 2),
                                   Bytes(46, std::byte{1})};  // the last is no IP packet
  for (const Bytes& packet : packets) {
    EXPECT_EQ(first.to(packet), "only");
    EXPECT_EQ(third.to(packet), "only");
    EXPECT_EQ(down.to(packet), "down only");
  }
}

TEST(TunnelSelector, SelectsTheLongestPrefix) {
  TunnelConfig a = behind_prefix("a", "2001:db8:1::/48");
  a.prefixes4 = {proto::Ipv4Prefix{}};
  const Selection selection({a, TunnelConfig{}, behind_prefix("b", "2001:db8:1:1::/64")});
  EXPECT_EQ(selection.to(ipv4(kA4, kB4) / udp(1, 2)), "a");
  EXPECT_EQ(selection.to(packet_to("2001:db8:1::2")), "a");
  EXPECT_EQ(selection.to(packet_to("2001:db8:1:1::2")), "b");
  EXPECT_EQ(selection.to(packet_to("2001:db8:2::2")), "");
  EXPECT_EQ(selection.to(Bytes(46, std::byte{1})), "") << "no IP packet";
  EXPECT_EQ(Selection({behind_prefix("a", "2001:db8:1::/48")}).to(packet_to("2001:db8:2::2")), "")
      << "the only tunnel, but it does not carry everything";
  EXPECT_EQ(Selection({TunnelConfig{}}).to(packet_to(kServer)), "");
}

TEST(TunnelSelector, SelectsOneOfAGroupByTheFlow) {
  std::vector<TunnelConfig> configs{behind_prefix("a", "2001:db8:1::/48"),
                                    behind_prefix("b", "2001:db8:1::/48")};
  for (TunnelConfig& config : configs) config.weight = 1;
  const Selection selection(configs);
  std::size_t to_a = 0;
  for (std::uint16_t port = 0; port < 200; ++port)
    to_a += selection.to(packet_to("2001:db8:1::2", port)) == "a";
  EXPECT_GT(to_a, 50u);
  EXPECT_LT(to_a, 150u);
}

}  // namespace
}  // namespace culvert::test
