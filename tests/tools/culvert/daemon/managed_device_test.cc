// One device with its kernel state: the checks against the host, the addresses and routes, and the
// line on stdout. The engine is a fake; the kernel is real, in a network namespace.
#include "tools/culvert/daemon/managed_device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <sstream>

#include "engine/host/host_check.h"
#include "tests/support/in_namespace.h"
#include "tests/tools/culvert/daemon/fake_engine.h"
#include "tools/culvert/config/command_line.h"
#include "tools/culvert/config/config_file.h"

namespace culvert::program {
namespace {

using test::addresses_and_routes;
using test::in_namespace;
using test::mtu_of;

using proto::Ipv4Address;
using proto::Ipv4Prefix;
using testing::HasSubstr;
using testing::Not;

host::DeviceSettings settings(const std::string& words) {
  std::istringstream stream{words};
  const auto parsed = parse_command_line(
      "tun1", std::vector<std::string>{std::istream_iterator<std::string>{stream}, {}}, {});
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message());
  return *parsed;
}

/// An outer interface "eth9" with 10.0.0.5/24 and a default route. It is a TUN device: the routing
/// table does not distinguish types of devices.
struct Host {
  Host() {
    EXPECT_TRUE(netlink->disable_address_generation(outer->index));
    EXPECT_TRUE(netlink->add_address(outer->index, *Ipv4Prefix::from_text("10.0.0.5/24")));
    EXPECT_TRUE(netlink->set_up(outer->index));
    EXPECT_TRUE(netlink->add_route(outer->index, *Ipv4Prefix::from_text("0.0.0.0/0")));
  }
  Result<io::Tun> outer = io::open_tun("eth9", 1);
  Result<netlink::Netlink> netlink = netlink::Netlink::open();
};

TEST(CheckAgainstHost, TakesWhatFits) {
  in_namespace([] {
    Host host;
    for (const char* words : {"mode sit remote 192.0.2.1 local 10.0.0.5",
                              "mode sit remote 192.0.2.1 local any dev eth9",
                              "mode sit remote 192.0.2.1 local 127.0.0.1",
                              "mode gre remote 192.0.2.1 route 198.51.100.0/24 route ::/0"}) {
      const auto checked = host::HostChecker{*host.netlink}.check(settings(words));
      EXPECT_TRUE(checked) << words << checked.error().message();
    }
  });
}

TEST(CheckAgainstHost, RefusesARemoteThatCannotBeOne) {
  in_namespace([] {
    Host host;
    const auto advice = [&](const std::string& remote) {
      const auto checked =
          host::HostChecker{*host.netlink}.check_remotes(settings("mode sit remote " + remote));
      if (checked) return std::string{};
      EXPECT_EQ(checked.error().object, "tun1, word 'remote', value '" + remote + "'");
      return checked.error().advice;
    };
    EXPECT_THAT(advice("10.0.0.5"), HasSubstr("is an address of this host"));
    EXPECT_THAT(advice("10.0.0.0"), HasSubstr("is the network address of 10.0.0.0/24"));
    EXPECT_THAT(advice("10.0.0.255"), HasSubstr("is the broadcast address of 10.0.0.0/24"));
    EXPECT_EQ(advice("10.0.0.6"), "");
    EXPECT_EQ(advice("10.0.1.255"), "");
    ASSERT_TRUE(
        host.netlink->add_address(host.outer->index, *Ipv4Prefix::from_text("10.7.0.2/31")));
    EXPECT_EQ(advice("10.7.0.3"), "") << "RFC 3021";
  });
}

TEST(CheckAgainstHost, SaysWhichLocalAddressWorksBehindANat) {
  in_namespace([] {
    Host host;
    const auto checked = host::HostChecker{*host.netlink}.check(
        settings("mode sit remote 192.0.2.1 local 203.0.113.9"));
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().code, EADDRNOTAVAIL);
    EXPECT_EQ(checked.error().object, "tun1, word 'local', value '203.0.113.9'");
    EXPECT_THAT(checked.error().advice, HasSubstr("is on no interface of this host"));
    EXPECT_THAT(checked.error().advice, HasSubstr("write local 10.0.0.5"));
  });
}

TEST(CheckAgainstHost, NamesTheTunnelAndItsLine) {
  in_namespace([] {
    Host host;
    const auto refused_by = [&](const std::string& toml) {
      const auto parsed = parse_config(toml, "culvert.toml");
      EXPECT_TRUE(parsed) << parsed.error().message();
      const auto checked = host::HostChecker{*host.netlink}.check(parsed->devices.at(0));
      EXPECT_FALSE(checked);
      return checked.error().object;
    };
    const std::string good =
        "[device.tun1]\n[[device.tun1.tunnel]]\nname = 'alice'\nmode = 'sit'\nremote = "
        "'192.0.2.1'\nprefix = ['2001:db8:1::/48']\n";
    const std::string bad = "[[device.tun1.tunnel]]\nmode = 'sit'\nremote = '192.0.2.2'\n";
    EXPECT_EQ(refused_by(good + bad +
                         "name = 'bob'\nlocal = '203.0.113.9'\nprefix = ['2001:db8:2::/48']\n"),
              "tun1, tunnel 'bob', culvert.toml, line 7, word 'local', value '203.0.113.9'");
    EXPECT_EQ(refused_by(bad + "dev = 'eth5'\n"),
              "tun1, culvert.toml, line 1, word 'dev', value 'eth5'");
  });
}

TEST(CheckAgainstHost, NamesNoRouteWhereTheRemoteEndpointIsNotKnown) {
  in_namespace([] {
    Host host;
    const auto checked =
        host::HostChecker{*host.netlink}.check(settings("mode sit remote any local 203.0.113.9"));
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().object, "tun1, word 'local', value '203.0.113.9'");
    EXPECT_THAT(checked.error().advice, HasSubstr("write an address of this host"));
    EXPECT_THAT(checked.error().advice, Not(HasSubstr("0.0.0.0")));
  });
}

TEST(CheckAgainstHost, SaysThatThereIsNoRouteEither) {
  in_namespace([] {
    auto netlink = netlink::Netlink::open();
    const auto checked =
        host::HostChecker{*netlink}.check(settings("mode sit remote 192.0.2.1 local 203.0.113.9"));
    ASSERT_FALSE(checked);
    EXPECT_THAT(checked.error().advice, HasSubstr("no route to remote 192.0.2.1"));
  });
}

TEST(CheckAgainstHost, NamesTheInterfacesThatThereAre) {
  in_namespace([] {
    Host host;
    const auto checked =
        host::HostChecker{*host.netlink}.check(settings("mode sit remote 192.0.2.1 dev eth5"));
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().code, ENODEV);
    EXPECT_THAT(checked.error().object, HasSubstr("word 'dev', value 'eth5'"));
    EXPECT_THAT(checked.error().advice, HasSubstr("lo"));
    EXPECT_THAT(checked.error().advice, HasSubstr("eth9"));
  });
}

TEST(CheckAgainstHost, RefusesARouteThatCoversTheRemoteEnd) {
  in_namespace([] {
    Host host;
    const std::string words = "mode gre remote 192.0.2.1 route ";
    for (const char* route : {"0.0.0.0/0", "192.0.0.0/8", "192.0.2.1/32"}) {
      const auto checked = host::HostChecker{*host.netlink}.check(settings(words + route));
      ASSERT_FALSE(checked) << route;
      EXPECT_EQ(checked.error().code, ELOOP);
      EXPECT_THAT(checked.error().object, HasSubstr(std::string{"word 'route', value '"} + route));
      EXPECT_THAT(checked.error().advice, HasSubstr("`ip route add 192.0.2.1/32 dev eth9`"));
    }
    EXPECT_TRUE(host::HostChecker{*host.netlink}.check(settings(words + "0.0.0.0/0 dev eth9")));
    // A more specific route to the remote endpoint keeps it out of the tunnel.
    ASSERT_TRUE(host.netlink->add_route(host.outer->index, *Ipv4Prefix::from_text("192.0.2.0/24")));
    EXPECT_TRUE(host::HostChecker{*host.netlink}.check(settings(words + "192.0.0.0/8")));
    EXPECT_FALSE(host::HostChecker{*host.netlink}.check(settings(words + "192.0.2.0/24")));
    EXPECT_FALSE(host::HostChecker{*host.netlink}.check(settings(words + "192.0.2.0/25")));
  });
}

TEST(ManagedDevice, SetsWhatWasAskedForAndTakesItAway) {
  in_namespace([] {
    Host host;
    FakeEngineLog log;
    const std::string before = addresses_and_routes();
    {
      const auto device = ManagedDevice::bring_up(
          settings("mode sit remote 192.0.2.1 local 10.0.0.5 mtu 1400 address 2001:db8:1::2/64 "
                   "address 2001:db8:2::2/64 route 2001:db8:9::/48"),
          *host.netlink, [&](const Config& config) { return open_fake(config, log); });
      ASSERT_TRUE(device) << device.error().message();
      EXPECT_EQ(log.started, 1);
      EXPECT_EQ(mtu_of((*device)->status().device), 1400);
      const std::string now = addresses_and_routes();
      EXPECT_THAT(now, HasSubstr("20010db8000100000000000000000002"));
      EXPECT_THAT(now, HasSubstr("20010db8000200000000000000000002"));
      EXPECT_THAT(now, HasSubstr("20010db8000900000000000000000000 30"));
      // RFC 4213 3.7: fe80::/64 with 10.0.0.5 in the last 32 bits.
      EXPECT_THAT(now, HasSubstr("fe80000000000000000000000a000005"));
    }
    EXPECT_EQ(log.alive, 0);
    EXPECT_EQ(addresses_and_routes(), before);
  });
}

TEST(ManagedDevice, AddsTheLinkLocalAddressWhenTheLocalAddressIsKnown) {
  in_namespace([] {
    auto netlink = netlink::Netlink::open();
    FakeEngineLog log;
    FakeEngine* engine = nullptr;
    const auto device = ManagedDevice::bring_up(settings("mode sit remote 192.0.2.1"), *netlink,
                                                [&](const Config& config) {
                                                  auto opened = open_fake(config, log);
                                                  engine = static_cast<FakeEngine*>(opened->get());
                                                  return opened;
                                                });
    ASSERT_TRUE(device) << device.error().message();
    EXPECT_THAT(addresses_and_routes(), Not(HasSubstr("fe80")));
    (*device)->paths_changed();
    EXPECT_THAT(addresses_and_routes(), Not(HasSubstr("fe80")));
    engine->set_local(0, *Ipv4Address::from_text("10.0.0.5"));
    (*device)->paths_changed();
    (*device)->paths_changed();
    EXPECT_THAT(addresses_and_routes(), HasSubstr("fe80000000000000000000000a000005"));
  });
}

TEST(ManagedDevice, DoesNotAddALinkLocalAddressThatWasAskedFor) {
  in_namespace([] {
    Host host;
    FakeEngineLog log;
    const auto device = ManagedDevice::bring_up(
        settings("mode sit remote 192.0.2.1 local 10.0.0.5 address fe80::a00:5/10"), *host.netlink,
        [&](const Config& config) { return open_fake(config, log); });
    EXPECT_TRUE(device) << device.error().message();
  });
}

TEST(ManagedDevice, SwitchesIpv6OnForItsDevice) {
  in_namespace([] {
    Host host;
    std::ofstream{"/proc/sys/net/ipv6/conf/default/disable_ipv6"} << "1\n";
    FakeEngineLog log;
    const auto device = ManagedDevice::bring_up(
        settings("mode sit remote 192.0.2.1 local 10.0.0.5 address 2001:db8::2/64"), *host.netlink,
        [&](const Config& config) { return open_fake(config, log); });
    ASSERT_TRUE(device) << device.error().message();
    EXPECT_THAT(addresses_and_routes(), HasSubstr("20010db8000000000000000000000002"));
  });
}

TEST(ManagedDevice, LeavesNothingWhenARouteIsRefused) {
  in_namespace([] {
    Host host;
    FakeEngineLog log;
    const auto device = ManagedDevice::bring_up(
        settings("mode gre remote 10.0.0.9 local 10.0.0.5 route 2001:db8::/32 route 0.0.0.0/0"),
        *host.netlink, [&](const Config& config) { return open_fake(config, log); });
    ASSERT_FALSE(device);
    EXPECT_EQ(device.error().code, EEXIST);
    EXPECT_THAT(device.error().advice, HasSubstr("by eth9"));
    EXPECT_EQ(log.opened, 1);
    EXPECT_EQ(log.alive, 0);
    EXPECT_EQ(::if_nametoindex("tun1"), 0u);
  });
}

EngineStatus status_of(const Config& config) {
  EngineStatus status;
  status.device = config.device;
  status.mtu_bytes = 1480;
  status.io = "uring";
  status.io_reason = "available";
  status.receive = "packet";
  status.receive_reason = "available";
  status.workers = 1;
  status.tunnels.push_back({.config = config.tunnels[0],
                            .local = *Ipv4Address::from_text("192.0.2.1"),
                            .mtu_bytes = 1480,
                            .send = "packet",
                            .send_reason = "next hop 192.0.2.9 on eth0",
                            .totals = {}});
  return status;
}

TEST(UpLine, SaysWhatWasTaken) {
  const Config config = settings("mode sit remote 198.51.100.1").config;
  EngineStatus status = status_of(config);
  EXPECT_EQ(up_line(config, status),
            "culvert: tun1 is up: sit 192.0.2.1 -> 198.51.100.1, mtu 1480, io uring, receive "
            "packet, send packet, 1 worker");
  status.workers = 2;
  status.tunnels[0].local = {};
  EXPECT_EQ(up_line(config, status),
            "culvert: tun1 is up: sit any -> 198.51.100.1, mtu 1480, io uring, receive packet, "
            "send packet, 2 "
            "workers");
}

TEST(UpLine, SaysWhyItFellBackButNotWhatWasAskedFor) {
  Config config = settings("mode gre remote 198.51.100.1").config;
  EngineStatus status = status_of(config);
  status.io = "epoll";
  status.io_reason = "io_uring_setup: EPERM";
  status.receive = "raw";
  status.receive_reason = "open packet socket: EPERM";
  status.tunnels[0].send = "raw";
  status.tunnels[0].send_reason = "would bypass nftables, chain a b";
  EXPECT_EQ(up_line(config, status),
            "culvert: tun1 is up: gre 192.0.2.1 -> 198.51.100.1, mtu 1480, io epoll "
            "(io_uring_setup: EPERM), receive raw (open packet socket: EPERM), send raw (would "
            "bypass nftables, chain a b), 1 worker");
  config.io = IoChoice::epoll;
  config.receive = ReceiveChoice::raw;
  config.send = SendChoice::raw;
  EXPECT_THAT(up_line(config, status), HasSubstr(", io epoll, receive raw, send raw, 1 worker"));
}

}  // namespace
}  // namespace culvert::program
