// The filter in the kernel against routes that are added, in a network namespace.
#include "io/netlink/route_filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "io/netlink/netlink_request.h"
#include "io/tun.h"
#include "tests/support/in_namespace.h"

namespace culvert::netlink {
namespace {

/// A device tun7 for routes, and a socket with their events.
struct FilteredRoutes {
  FilteredRoutes() {
    auto netlink = Netlink::open();
    EXPECT_TRUE(netlink->disable_address_generation(tun->index));
    EXPECT_TRUE(netlink->set_up(tun->index));
    EXPECT_TRUE(netlink->set_up(other->index));
  }
  void filter(const RouteInterests& interests) {
    filter_routes(events4->get(), AF_INET, interests);
    filter_routes(events6->get(), AF_INET6, interests);
    count();  // what came before
  }
  /// Whether there is an event of a route that is added. `route`: as ip(8) takes it.
  bool reports(const std::string& route) {
    EXPECT_EQ(std::system(("ip route add " + route).c_str()), 0) << route;
    const std::size_t added = count();
    EXPECT_EQ(std::system(("ip route del " + route).c_str()), 0) << route;
    EXPECT_EQ(added, count()) << "of its removal: " << route;
    return added != 0;
  }
  std::size_t count() {
    std::size_t found = 0;
    for (auto* socket : {events4->get(), events6->get()})
      read_events(socket, [&](nlmsghdr*) { ++found; });
    return found;
  }
  Result<io::Tun> tun = io::open_tun("tun7", 1), other = io::open_tun("tun8", 1);
  Result<NlSocket> events4 =
      subscribe(NETLINK_ROUTE, {RTNLGRP_IPV4_ROUTE, RTNLGRP_LINK}, "IPv4 routes");
  Result<NlSocket> events6 = subscribe(NETLINK_ROUTE, {RTNLGRP_IPV6_ROUTE}, "IPv6 routes");
};

proto::Ipv4Prefix ipv4(const char* text) { return *proto::Ipv4Prefix::from_text(text); }
proto::Ipv6Prefix ipv6(const char* text) { return *proto::Ipv6Prefix::from_text(text); }

TEST(RouteFilter, PassesIpv4RoutesThatOverlap) {
  test::in_namespace([] {
    FilteredRoutes routes;
    RouteInterests interests;
    interests.prefixes4 = {ipv4("192.0.2.129/32"), ipv4("10.32.0.0/11")};
    routes.filter(interests);
    for (const char* route : {"default", "128.0.0.0/1", "192.0.2.0/24", "192.0.2.128/25",
                              "192.0.2.129/32", "10.0.0.0/8", "10.32.0.0/11", "10.63.255.0/24"})
      EXPECT_TRUE(routes.reports(std::string{route} + " dev tun7")) << route;
    EXPECT_TRUE(routes.reports("192.0.3.0/24 nexthop dev tun7 nexthop dev tun8"));
    for (const char* route : {"0.0.0.0/5", "192.0.2.0/25", "192.0.2.128/32", "192.0.3.0/24",
                              "10.64.0.0/11", "10.16.0.0/12", "11.0.0.0/8"})
      EXPECT_FALSE(routes.reports(std::string{route} + " dev tun7")) << route;
  });
}

TEST(RouteFilter, PassesIpv6RoutesThatOverlap) {
  test::in_namespace([] {
    FilteredRoutes routes;
    RouteInterests interests;
    interests.prefixes6 = {ipv6("2001:db8:0:1::/64"), ipv6("2001:db8:40::/42"),
                           ipv6("2001:db8:9:9::5/128"), ipv6("3000::/8")};
    routes.filter(interests);
    for (const char* route :
         {"2000::/3", "2001:db8::/32", "2001:db8::/33", "2001:db8::/63", "2001:db8:0:1::/64",
          "2001:db8:0:1::7/128", "2001:db8:7f::/48", "2001:db8:9:9::5/128", "30ff::/16"})
      EXPECT_TRUE(routes.reports(std::string{route} + " dev tun7")) << route;
    for (const char* route : {"2001:db8:0:2::/64", "2001:db8:8000::/33", "2001:db9::/32",
                              "2001:db8:80::/48", "3100::/16", "2001:db8:9:a::5/128", "::/0"})
      EXPECT_FALSE(routes.reports(std::string{route} + " dev tun7")) << route;
  });
}

TEST(RouteFilter, PassesRoutesByAnInterfaceAndOtherEvents) {
  test::in_namespace([] {
    FilteredRoutes routes;
    RouteInterests interests;
    interests.interfaces = {routes.tun->index};
    routes.filter(interests);
    EXPECT_TRUE(routes.reports("192.0.2.0/24 dev tun7"));
    EXPECT_TRUE(routes.reports("2001:db8::/32 dev tun7"));
    EXPECT_FALSE(routes.reports("192.0.2.0/24 dev tun8"));
    EXPECT_FALSE(routes.reports("2001:db8::/32 dev tun8"));
    EXPECT_EQ(std::system("ip link set tun7 mtu 1400"), 0);
    EXPECT_GT(routes.count(), 0u);
  });
}

TEST(RouteFilter, PassesAllThatOverlapIfThereAreManyPrefixes) {
  test::in_namespace([] {
    FilteredRoutes routes;
    RouteInterests interests;
    for (unsigned i = 0; i < 10'000; ++i)
      interests.prefixes4.push_back(
          {proto::Ipv4Address::from_host(0x0a00'0000 + 64 * i), std::uint8_t{32}});
    routes.filter(interests);
    EXPECT_TRUE(routes.reports("10.9.195.192/32 dev tun7"));  // the last one
    EXPECT_TRUE(routes.reports("10.0.0.0/8 dev tun7"));
    EXPECT_FALSE(routes.reports("10.128.0.0/9 dev tun7"));
  });
}

}  // namespace
}  // namespace culvert::netlink
