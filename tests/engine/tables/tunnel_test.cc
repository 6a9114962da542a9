// make_tunnel(): the values that follow from a tunnel's configuration.
#include "engine/tables/tunnel.h"

#include <gtest/gtest.h>

#include "tests/support/tunnel_rig.h"

namespace culvert::test {
namespace {

TEST(MakeTunnel, ComputesTheEncapsulation) {
  const Tunnel sit = culvert::make_tunnel(sit_config());
  EXPECT_EQ(sit.ip_protocol(proto::kProtocolTypeIpv6), 41);  // RFC 4213 3.5
  EXPECT_EQ(sit.overhead_bytes(), 20);
  EXPECT_EQ(sit.gso, proto::KernelGso::ip);
  const Tunnel gre = culvert::make_tunnel(gre_config({.okey = 7}));
  EXPECT_EQ(gre.ip_protocol(proto::kProtocolTypeIpv4), 47);  // RFC 2784 3
  EXPECT_EQ(gre.overhead_bytes(), 20 + 8);
  EXPECT_EQ(gre.gso, proto::KernelGso::gre);
  const Tunnel all = culvert::make_tunnel(gre_config({.okey = 7, .ocsum = true, .oseq = true}));
  EXPECT_EQ(all.overhead_bytes(), 20 + 16);
  EXPECT_EQ(all.gso, proto::KernelGso::none);
}

TEST(MakeTunnel, ComputesTheProtocolOfEachPayload) {
  constexpr auto kIpv6 = proto::kProtocolTypeIpv6, kIpv4 = proto::kProtocolTypeIpv4;
  const Tunnel ipip = culvert::make_tunnel(ipip_config());
  EXPECT_EQ(ipip.ip_protocol(kIpv4), 4);  // RFC 2003 3.1
  EXPECT_EQ(ipip.ip_protocol(kIpv6), 0);
  TunnelConfig config = ipip_config();
  config.mode = proto::AnyIp::Parameters{};
  const Tunnel any = culvert::make_tunnel(config);
  EXPECT_EQ(any.ip_protocol(kIpv4), 4);
  EXPECT_EQ(any.ip_protocol(kIpv6), 41);
  EXPECT_EQ(any.ip_protocol(0x8847), 0);  // MPLS
  EXPECT_EQ(culvert::make_tunnel(sit_config()).ip_protocol(kIpv4), 0);
}

TEST(MakeTunnel, RepeatsDfOfIpv4InIpv4) {  // RFC 2003 3.1
  TunnelConfig config = ipip_config();
  config.pmtudisc = false;
  auto path = std::make_shared<Path>();
  path->route_mtu = 1400;
  const auto fit = [&](const TunnelConfig& of, bool dont_fragment) {
    return fit_ipv4(culvert::make_tunnel(of, path), 1400, dont_fragment);
  };
  EXPECT_TRUE(fit(config, true).dont_fragment);
  EXPECT_EQ(fit(config, true).mtu_bytes, 1380);
  EXPECT_FALSE(fit(config, false).dont_fragment);
  config.mode = proto::Gre::Parameters{};
  EXPECT_FALSE(fit(config, true).dont_fragment);
}

TEST(MakeTunnel, LeavesRoomForALinkLayerHeader) {
  Tunnel tunnel = culvert::make_tunnel(gre_config());
  EXPECT_EQ(tunnel.link_header_bytes, 0) << "a TUN device";
  tunnel.device_mtu = 1500;
  EXPECT_EQ(fit_ipv6(tunnel).mtu_bytes, 1500 - 24);
  tunnel.link_header_bytes = proto::link_header_bytes(proto::LinkType::ethernet);
  EXPECT_EQ(fit_ipv6(tunnel).mtu_bytes, 1500 - 24 - 14);
}

TEST(MakeTunnel, ComputesTheMtuThatSuitsTheTunnel) {
  const auto mtu_of = [](const TunnelConfig& config, std::uint16_t route_mtu) {
    auto path = std::make_shared<Path>();
    path->route_mtu = route_mtu;
    return culvert::make_tunnel(config, std::move(path)).device_mtu;
  };
  EXPECT_EQ(mtu_of(sit_config(), 1500), 1480);
  EXPECT_EQ(mtu_of(gre_config({.okey = 7}), 9000), 8972);
  EXPECT_EQ(mtu_of(sit_config(), 1290), 1280);  // RFC 8200 5
  EXPECT_EQ(mtu_of(sit_config(), 65'535), 65'515);
  TunnelConfig static_mtu = sit_config();
  static_mtu.pmtudisc = false;
  EXPECT_EQ(mtu_of(static_mtu, 1500), 1280);  // RFC 4213 3.2.1
  static_mtu.mode = proto::Ipip::Parameters{};
  EXPECT_EQ(mtu_of(static_mtu, 1500), 1480);  // it carries no IPv6
  EXPECT_EQ(mtu_of(ipip_config(), 576), 556);
}

TEST(MakeTunnel, FollowsASmallPathIfIpv6IsNotNeeded) {
  const auto path = std::make_shared<Path>();
  path->route_mtu = 1200;
  EXPECT_EQ(culvert::make_tunnel(gre_config(), path).device_mtu, 1280);
  EXPECT_EQ(culvert::make_tunnel(gre_config(), path, false).device_mtu, 1176);
}

TEST(MakeTunnel, MakesAPathUnlessItIsGiven) {
  const Tunnel tunnel = culvert::make_tunnel(sit_config());
  EXPECT_EQ(tunnel.path->local.load(std::memory_order_relaxed), kLocal);
  EXPECT_EQ(tunnel.path->mtu(), 1500);
  TunnelConfig local_any = sit_config();
  local_any.local.reset();
  EXPECT_TRUE(
      culvert::make_tunnel(local_any).path->local.load(std::memory_order_relaxed).is_unspecified());
  const auto path = std::make_shared<Path>();
  EXPECT_EQ(culvert::make_tunnel(sit_config(), path).path, path);
}

TEST(MakeTunnel, MakesTheTablesOfManySourcePrefixes) {
  TunnelConfig config = sit_config();
  for (std::size_t i = 0; i <= kMaxLinearPrefixes; ++i)
    config.prefixes6.push_back(
        *proto::Ipv6Prefix::from_text("2001:db8:" + std::to_string(i) + "::/48"));
  EXPECT_NE(culvert::make_tunnel(config).sources, nullptr);
  config.prefixes6.pop_back();
  EXPECT_EQ(culvert::make_tunnel(config).sources, nullptr);
}

}  // namespace
}  // namespace culvert::test
