// Finds next hops in the kernel's routes, links and neighbors, in a network namespace whose veth
// pair leads to another namespace.
#include "engine/host/next_hop_finder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <cstdio>
#include <fstream>

#include "io/tun.h"
#include "tests/io/rig.h"
#include "tests/support/in_namespace.h"

namespace culvert::host {
namespace {

using test::in_namespace;

using io::EthernetAddress;
using io::ip;
using proto::Ipv4Address;
using testing::Contains;
using testing::HasSubstr;
using testing::Optional;

constexpr unsigned kOurs = 10;  // the index that io::Wire gives its device
constexpr EthernetAddress kOurAddress{{2, 0, 0, 0, 0, 1}}, kPeerAddress{{2, 0, 0, 0, 0, 2}};

Ipv4Address v4(const char* text) { return *Ipv4Address::from_text(text); }

struct FinderRig {
  io::Wire wire;
  Result<netlink::Netlink> netlink = netlink::Netlink::open();

  NextHopFound find(const char* remote, const char* local = nullptr, unsigned device_index = 0) {
    const auto from = local != nullptr ? Ipv4Address::from_text(local) : std::nullopt;
    auto found = NextHopFinder{*netlink}.find(v4(remote), from, device_index);
    EXPECT_TRUE(found) << found.error().message();
    return found ? *found : NextHopFound{};
  }
  void expect_none(const char* remote, const char* reason) {
    const auto found = find(remote);
    EXPECT_FALSE(found.hop) << remote;
    EXPECT_THAT(found.reason, HasSubstr(reason));
  }
};

/// The line of `ip neigh` about a neighbor.
std::string neighbor_text(const std::string& address) {
  std::string text(200, '\0');
  FILE* const pipe = ::popen(("ip -4 neigh show " + address).c_str(), "r");
  text.resize(std::fread(text.data(), 1, text.size(), pipe));
  ::pclose(pipe);
  return text;
}

template <class Condition>
bool comes_true(Condition condition, int milliseconds = 5000) {
  for (int i = 0; i < milliseconds / 10; ++i) {
    if (condition()) return true;
    ::usleep(10'000);
  }
  return false;
}

TEST(NextHop, IsTheRemoteEndpointOnTheSameLink) {
  in_namespace([] {
    FinderRig rig;
    const auto found = rig.find("192.0.2.2");
    EXPECT_EQ(found.hop,
              (io::NextHop{
                  .interface_index = kOurs, .source = kOurAddress, .destination = kPeerAddress}));
    EXPECT_EQ(found.reason, "next hop 192.0.2.2 on ours");
    EXPECT_EQ(found.neighbor, (NeighborKey{kOurs, v4("192.0.2.2")}));
  });
}

TEST(NextHop, IsTheGatewayBehindWhichTheRemoteIs) {
  in_namespace([] {
    FinderRig rig;
    ip("route add 198.51.100.0/24 via 192.0.2.2");
    const auto found = rig.find("198.51.100.7");
    EXPECT_EQ(found.hop.destination, kPeerAddress);
    EXPECT_EQ(found.reason, "next hop 192.0.2.2 on ours");
    EXPECT_EQ(found.neighbor, (NeighborKey{kOurs, v4("192.0.2.2")}));
  });
}

TEST(NextHop, IsMissingWithoutAPlainRoute) {
  in_namespace([] {
    FinderRig rig;
    rig.expect_none("203.0.113.1", "there is no route to 203.0.113.1");
    for (const std::string kind : {"blackhole", "unreachable", "prohibit"}) {
      ip("route add " + kind + " 203.0.113.0/24");
      rig.expect_none("203.0.113.1", "no route");
      ip("route del " + kind + " 203.0.113.0/24");
    }
    rig.expect_none("127.0.0.1", "the route to 127.0.0.1 is not a plain unicast route");
    rig.expect_none("192.0.2.1", "not a plain unicast route");    // our own
    rig.expect_none("192.0.2.255", "not a plain unicast route");  // broadcast
    ip("route add 203.0.113.0/24 via inet6 fe80::1 dev ours");
    rig.expect_none("203.0.113.1", "not a plain unicast route");
  });
}

TEST(NextHop, IsMissingByADeviceThatIsNoEthernet) {
  in_namespace([] {
    FinderRig rig;
    const auto tun = io::open_tun("tun7", 1);
    ASSERT_TRUE(tun);
    ip("link set tun7 up");
    ip("route add 203.0.113.0/24 dev tun7");
    rig.expect_none("203.0.113.1", "tun7 is not an Ethernet interface");
  });
}

TEST(NextHop, IsMissingWhileTheInterfaceIsDown) {
  in_namespace([] {
    FinderRig rig;
    ip("link set ours down");
    rig.expect_none("192.0.2.2", "no route");
    io::set_up("ours");
    ip("neigh replace 192.0.2.2 lladdr 02:00:00:00:00:02 dev ours");
    EXPECT_TRUE(rig.find("192.0.2.2").hop);
  });
}

TEST(NextHop, FollowsTheSourceAndTheInterface) {
  in_namespace([] {
    FinderRig rig;
    ip("link add other index 20 address 02:00:00:00:00:03 type veth peer name unused");
    ip("addr add 198.51.100.1/24 dev other");
    ip("link set unused up");
    io::set_up("other");
    ip("neigh add 198.51.100.2 lladdr 02:00:00:00:00:04 dev other");
    ip("route add 203.0.113.0/24 via 192.0.2.2 metric 1");
    ip("route add 203.0.113.0/24 via 198.51.100.2 metric 2");
    ip("rule add from 198.51.100.1 lookup 100");
    ip("route add 203.0.113.0/24 via 198.51.100.2 table 100");
    EXPECT_EQ(rig.find("203.0.113.1").hop.interface_index, kOurs);
    EXPECT_EQ(rig.find("203.0.113.1", "192.0.2.1").hop.interface_index, kOurs);
    EXPECT_EQ(rig.find("203.0.113.1", "198.51.100.1").hop.interface_index, 20u);
    const auto by_other = rig.find("203.0.113.1", nullptr, 20);
    EXPECT_EQ(by_other.hop.source, (EthernetAddress{{2, 0, 0, 0, 0, 3}}));
    EXPECT_EQ(by_other.hop.destination, (EthernetAddress{{2, 0, 0, 0, 0, 4}}));
  });
}

TEST(NextHop, IsResolvedByTheKernelWhenAskedFor) {
  in_namespace([] {
    FinderRig rig;
    ip("neigh del 192.0.2.2 dev ours");
    const auto found = rig.find("192.0.2.2");
    EXPECT_FALSE(found.hop);
    EXPECT_EQ(found.reason, "next hop 192.0.2.2 on ours is not resolved");
    EXPECT_EQ(found.neighbor, (NeighborKey{kOurs, v4("192.0.2.2")})) << "what to wait for";
    EXPECT_TRUE(comes_true([&] {
      return neighbor_text("192.0.2.2").find("REACHABLE") != std::string::npos;
    })) << neighbor_text("192.0.2.2");
    EXPECT_EQ(rig.find("192.0.2.2").hop.destination, kPeerAddress);
  });
}

TEST(NextHop, IsMissingWhileNobodyAnswers) {
  in_namespace([] {
    FinderRig rig;
    rig.expect_none("192.0.2.77", "is not resolved");
    EXPECT_THAT(neighbor_text("192.0.2.77"), HasSubstr("INCOMPLETE"));
    ip("neigh replace 192.0.2.78 nud failed dev ours");
    rig.expect_none("192.0.2.78", "is not resolved");
    EXPECT_THAT(neighbor_text("192.0.2.78"), HasSubstr("INCOMPLETE"));
  });
}

TEST(NextHop, IsConfirmedByTheKernelWhenItIsStale) {
  in_namespace([] {
    FinderRig rig;
    std::ofstream{"/proc/sys/net/ipv4/neigh/ours/delay_first_probe_time"} << 1;
    ip("neigh replace 192.0.2.2 lladdr 02:00:00:00:00:02 nud stale dev ours");
    EXPECT_EQ(rig.find("192.0.2.2").hop.destination, kPeerAddress) << "good enough meanwhile";
    EXPECT_TRUE(comes_true([&] {
      return neighbor_text("192.0.2.2").find("REACHABLE") != std::string::npos;
    })) << neighbor_text("192.0.2.2");
  });
}

// ---- NeighborWatch ------------------------------------------------------------------------------

bool is_readable(const NeighborWatch& watch, int timeout_ms) {
  pollfd entry{.fd = watch.fd(), .events = POLLIN, .revents = 0};
  return ::poll(&entry, 1, timeout_ms) == 1;
}

TEST(NeighborWatch, TellsWhichHaveChanged) {
  in_namespace([] {
    const io::Wire wire;
    auto watch = NeighborWatch::open();
    ASSERT_TRUE(watch);
    EXPECT_THAT(watch->changed(), Optional(testing::IsEmpty()));
    for (const std::string change :
         {"add 192.0.2.5 lladdr 02:00:00:00:00:05", "replace 192.0.2.5 lladdr 02:00:00:00:00:06",
          "del 192.0.2.5"}) {
      ip("neigh " + change + " dev ours");
      EXPECT_TRUE(is_readable(*watch, 5000)) << change;
      EXPECT_THAT(watch->changed(), Optional(Contains(NeighborKey{kOurs, v4("192.0.2.5")})))
          << change;
    }
    ip("-6 neigh add fe80::5 lladdr 02:00:00:00:00:05 dev ours");
    EXPECT_TRUE(is_readable(*watch, 5000));
    EXPECT_THAT(watch->changed(), Optional(testing::IsEmpty()));
    EXPECT_FALSE(is_readable(*watch, 0));
  });
}

/// So thousands of changes a second on other interfaces cost nothing.
TEST(NeighborWatch, WatchesTheseInterfacesAlone) {
  in_namespace([] {
    const io::Wire wire;
    auto watch = NeighborWatch::open();
    ASSERT_TRUE(watch);
    watch->set_interfaces({kOurs + 1'000});
    ip("neigh add 192.0.2.5 lladdr 02:00:00:00:00:05 dev ours");
    EXPECT_FALSE(is_readable(*watch, 0));
    watch->set_interfaces({kOurs + 1'000, kOurs});
    ip("-6 neigh add fe80::5 lladdr 02:00:00:00:00:05 dev ours");
    EXPECT_FALSE(is_readable(*watch, 0));
    ip("neigh del 192.0.2.5 dev ours");
    EXPECT_TRUE(is_readable(*watch, 5000));
    EXPECT_THAT(watch->changed(), Optional(Contains(NeighborKey{kOurs, v4("192.0.2.5")})));
  });
}

TEST(NeighborWatch, SaysThatItHasMissedSome) {
  in_namespace([] {
    const io::Wire wire;
    auto watch = NeighborWatch::open();
    ASSERT_TRUE(watch);
    std::string file = testing::TempDir() + "neighbors-XXXXXX";
    const int fd = ::mkstemp(file.data());
    ASSERT_GE(fd, 0);
    ::close(fd);
    {
      std::ofstream batch{file};
      for (int i = 0; i < 3000; ++i)
        batch << "neigh replace 192.0.2.5 lladdr 02:00:00:00:00:0" << i % 8 << " dev ours\n";
    }
    ip("-batch " + file);
    ::unlink(file.c_str());
    int looks = 0;
    for (; is_readable(*watch, 0); ++looks) EXPECT_EQ(watch->changed(), std::nullopt);
    EXPECT_GT(looks, 1);
    ip("neigh replace 192.0.2.6 lladdr 02:00:00:00:00:06 dev ours");
    EXPECT_THAT(watch->changed(), Optional(Contains(NeighborKey{kOurs, v4("192.0.2.6")})));
  });
}

}  // namespace
}  // namespace culvert::host
