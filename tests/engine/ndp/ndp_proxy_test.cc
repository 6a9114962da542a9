// An NdpProxy on a real interface, and a Linux kernel as the neighbor:
//
//     this namespace                        peer
//     ours 02::01, fe80::1  ------veth------ theirs 02::02, 2001:db8:0:1::100/64
//     NdpProxy                              a host on the link
#include "engine/ndp/ndp_proxy.h"

#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "tests/io/rig.h"
#include "tests/support/neighbor_drawings.h"
#include "tests/support/packet_matchers.h"

namespace culvert {
namespace {

using namespace culvert::test;
using namespace std::chrono_literals;
using io::Inside;

constexpr auto kBehind = "2001:db8:0:1::2", kFree = "2001:db8:0:1::99";
const EthernetText kOurMac = "02 00 00 00 00 01", kTheirMac = "02 00 00 00 00 02";

/// The output of a command.
std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = ::popen(command.c_str(), "r");
  EXPECT_NE(pipe, nullptr);
  std::array<char, 4096> part;
  while (pipe != nullptr && std::fgets(part.data(), part.size(), pipe) != nullptr)
    text += part.data();
  if (pipe != nullptr) ::pclose(pipe);
  return text;
}

/// Waits a short time until the condition holds; false if it does not.
bool eventually(const std::function<bool()>& holds) {
  for (int i = 0; i < 1000; ++i) {
    if (holds()) return true;
    std::this_thread::sleep_for(10ms);
  }
  return false;
}

class NdpProxyTest : public io::NamespaceTest {
 protected:
  void SetUp() override {
    io::NamespaceTest::SetUp();
    if (IsSkipped()) return;
    wire_.emplace();
    enable_ipv6("ours", "fe80::1/64");
    const Inside there{wire_->peer()};
    enable_ipv6("theirs", "fe80::2/64");
    io::ip("addr add 2001:db8:0:1::100/64 dev theirs nodad");
  }

  static void enable_ipv6(const std::string& interface, const std::string& address) {
    const std::string folder = "net.ipv6.conf." + interface;
    io::run("sysctl -qw " + folder + ".addr_gen_mode=1 " + folder + ".disable_ipv6=0");
    io::ip("addr add " + address + " dev " + interface + " nodad");
  }

  static NdpConfig config(NdpAnswer answer, const char* prefix = "2001:db8:0:1::/64") {
    NdpConfig config;
    config.interface = "ours";
    config.rules = {{.prefix = prefix6(prefix), .answer = answer}};
    return config;
  }
  static NdpInterface facts() {
    return {.index = ::if_nametoindex("ours"),
            .address = {{2, 0, 0, 0, 0, 1}},
            .link_local = address6("fe80::1"),
            .own = {address6("fe80::1")},
            .on_link = {}};
  }
  /// A proxy that serves the interface; kBehind is behind a tunnel that is up.
  static std::unique_ptr<NdpProxy> serve(const NdpConfig& config) {
    auto proxy = NdpProxy::open(config);
    EXPECT_TRUE(proxy) << proxy.error().message();
    EXPECT_TRUE((*proxy)->start());
    (*proxy)->set_tunnel_prefixes({{prefix6("2001:db8:0:1::2/128"), true}});
    const auto set = (*proxy)->set_interface(facts());
    EXPECT_TRUE(set) << set.error().message();
    return std::move(*proxy);
  }

  std::string in_peer(const std::string& command) {
    const Inside there{wire_->peer()};
    return output_of(command);
  }
  /// The peer's kernel has resolved the target to our link-layer address, as a router.
  bool is_resolved(const std::string& target) {
    in_peer("ping -6 -c 1 -W 1 " + target + " >/dev/null 2>&1");
    const auto entry = in_peer("ip -6 neigh show " + target);
    return entry.find("lladdr 02:00:00:00:00:01 router") != std::string::npos;
  }
  /// A packet socket of the peer that receives all IPv6 packets.
  io::Fd peer_socket() {
    const Inside there{wire_->peer()};
    io::Fd socket = io::open_test_socket(AF_PACKET, SOCK_RAW, 0);
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_IPV6);
    address.sll_ifindex = 11;
    EXPECT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return socket;
  }
  static void send(const io::Fd& socket, const Bytes& frame) {
    ASSERT_EQ(::send(socket.get(), frame.data(), frame.size(), 0),
              static_cast<ssize_t>(frame.size()));
  }
  /// The next neighbor advertisement; empty: none arrives.
  static Bytes next_advertisement(const io::Fd& socket) {
    for (int i = 0; i < 40; ++i) {
      const Bytes frame = io::receive_from(socket);
      if (frame.size() > 54 && frame[54] == std::byte{136}) return frame;
    }
    return {};
  }
  static std::uint64_t ignored(const NdpProxy& proxy, NdpIgnored reason) {
    return proxy.status().totals.ignored[static_cast<std::size_t>(reason)];
  }

  std::optional<io::Wire> wire_;
};

TEST_F(NdpProxyTest, AKernelFindsWhatIsBehindATunnel) {
  const auto proxy = serve(config(NdpAnswer::automatic));
  EXPECT_TRUE(is_resolved(kBehind));
  EXPECT_FALSE(is_resolved(kFree));
  const auto status = proxy->status();
  EXPECT_GE(status.totals.answers, 1u);
  EXPECT_GE(ignored(*proxy, NdpIgnored::no_tunnel), 1u);
  EXPECT_EQ(status.totals.ignored[std::size_t(NdpIgnored::checksum_bad)], 0u);
}

TEST_F(NdpProxyTest, AKernelIsKeptFromWhatIsTakenAndNotFromWhatIsFree) {
  // RFC 4862 5.4: duplicate address detection of a Linux host.
  const auto proxy = serve(config(NdpAnswer::automatic));
  {
    const Inside there{wire_->peer()};
    io::ip(std::string{"addr add "} + kBehind + "/64 dev theirs");
    io::ip(std::string{"addr add "} + kFree + "/64 dev theirs");
  }
  EXPECT_TRUE(eventually([&] {
    return in_peer("ip -6 addr show dev theirs dadfailed").find(kBehind) != std::string::npos;
  }));
  EXPECT_TRUE(eventually([&] {
    return in_peer("ip -6 addr show dev theirs -tentative").find(kFree) != std::string::npos;
  }));
  const auto failed = in_peer("ip -6 addr show dev theirs dadfailed");
  EXPECT_EQ(failed.find(kFree), std::string::npos) << failed;
  EXPECT_GE(proxy->status().totals.duplicate_answers, 1u);
  EXPECT_GE(proxy->status().on_link, 1u);
}

TEST_F(NdpProxyTest, AnswersNdisc6) {
  // ndisc6 shows only advertisements whose source is the target. Those of a proxy never are, the
  // kernel's own included. So the test captures the answer on the wire.
  if (std::system("command -v ndisc6 >/dev/null") != 0) GTEST_SKIP() << "ndisc6 is not installed";
  const auto proxy = serve(config(NdpAnswer::always));
  const auto socket = peer_socket();
  in_peer("ndisc6 -q -1 -r 1 -w 10 2001:db8:0:1::abcd theirs");
  EXPECT_THAT(next_advertisement(socket),
              SameBytes(advertisement("fe80::1", "fe80::2", "2001:db8:0:1::abcd",
                                      kRouterFlag | kSolicitedFlag, kTheirMac, kOurMac)));
}

TEST_F(NdpProxyTest, AnswersAsDrawn) {
  const auto proxy = serve(config(NdpAnswer::always));
  const auto socket = peer_socket();
  send(socket, solicitation("fe80::2", kBehind, kTheirMac, {.option = kTheirMac}));
  EXPECT_THAT(next_advertisement(socket),
              SameBytes(advertisement("fe80::1", "fe80::2", kBehind, kRouterFlag | kSolicitedFlag,
                                      kTheirMac, kOurMac)));
}

TEST_F(NdpProxyTest, IgnoresWhatBreaksARule) {
  const auto proxy = serve(config(NdpAnswer::always));
  const auto socket = peer_socket();
  const auto group = solicited_node(kBehind);
  const auto to_group = [&](const Bytes& packet) {
    return ethernet_frame(group_ethernet(group), kTheirMac, packet);
  };
  send(socket, solicitation("fe80::2", kBehind, kTheirMac, {.hop_limit = 254}));
  send(socket, to_group(ipv6("fe80::2", group, {.hop_limit = 255}) / fragment(0, false) /
                        neighbor_message(135, 0, kBehind, kTheirMac)));
  Bytes damaged = solicitation("fe80::2", kBehind, kTheirMac);
  damaged[14 + 40 + 3] ^= std::byte{1};
  send(socket, damaged);
  EXPECT_TRUE(eventually([&] { return ignored(*proxy, NdpIgnored::checksum_bad) == 1; }));
  EXPECT_EQ(ignored(*proxy, NdpIgnored::hop_limit_not_255), 1u);
  EXPECT_EQ(ignored(*proxy, NdpIgnored::fragmented), 1u);
  EXPECT_EQ(proxy->status().totals.answers, 0u);
}

TEST_F(NdpProxyTest, HearsNeitherOthersNorItself) {
  const auto proxy = serve(config(NdpAnswer::always));
  const auto socket = peer_socket();
  send(socket, solicitation("fe80::2", kBehind, kTheirMac,
                            {.destination = kBehind, .ethernet_destination = "02 00 00 00 00 77"}));
  send(socket, ethernet_frame(kOurMac, kTheirMac,
                              ipv6("fe80::2", kBehind, {.hop_limit = 255}) / icmpv6(128, 0)));
  output_of("ping -6 -c 1 -W 1 2001:db8:0:1::55%ours >/dev/null 2>&1");
  send(socket, solicitation("fe80::2", kBehind, kTheirMac));
  EXPECT_TRUE(eventually([&] { return proxy->status().totals.answers == 1; }));
  // Only the peer's advertisements about itself may arrive as well.
  const auto totals = proxy->status().totals;
  EXPECT_EQ(totals.received, 1 + totals.advertisements);
}

TEST_F(NdpProxyTest, JoinsTheGroupsOfFewTargets) {
  const auto proxy = serve(config(NdpAnswer::automatic));
  const auto status = proxy->status();
  EXPECT_EQ(status.groups, 1u);
  EXPECT_FALSE(status.all_multicast);
  EXPECT_EQ(status.membership, "joined 1 solicited-node groups");
  EXPECT_NE(output_of("ip maddr show dev ours").find("ff02::1:ff00:2"), std::string::npos);
  proxy->set_tunnel_prefixes({});
  EXPECT_EQ(output_of("ip maddr show dev ours").find("ff02::1:ff00:2"), std::string::npos);
  proxy->set_tunnel_prefixes({{prefix6("2001:db8:0:1::aa00/120"), true}});
  EXPECT_EQ(proxy->status().groups, 256u);
}

TEST_F(NdpProxyTest, HearsAllGroupsOfManyTargetsAsLongAsItLives) {
  auto proxy = serve(config(NdpAnswer::always));
  EXPECT_TRUE(proxy->status().all_multicast);
  EXPECT_EQ(proxy->status().membership,
            "all-multicast, since rule 2001:db8:0:1::/64 brings the targets to more than 256; a "
            "switch that snoops MLD may keep solicitations from us, so let it flood them");
  EXPECT_NE(output_of("ip -d link show ours").find("allmulti 1"), std::string::npos);
  proxy.reset();
  EXPECT_NE(output_of("ip -d link show ours").find("allmulti 0"), std::string::npos);
}

TEST_F(NdpProxyTest, AnnouncesTargetsThatBeginToBeServed) {
  const auto socket = peer_socket();
  const auto proxy = serve(config(NdpAnswer::automatic));
  EXPECT_THAT(next_advertisement(socket),
              SameBytes(advertisement("fe80::1", "ff02::1", kBehind, kRouterFlag,
                                      "33 33 00 00 00 01", kOurMac)));
  proxy->set_tunnel_prefixes(
      {{prefix6("2001:db8:0:1::2/128"), true}, {prefix6("2001:db8:0:1::3/128"), true}});
  EXPECT_THAT(next_advertisement(socket),
              SameBytes(advertisement("fe80::1", "ff02::1", "2001:db8:0:1::3", kRouterFlag,
                                      "33 33 00 00 00 01", kOurMac)))
      << "the new one alone";
  EXPECT_EQ(proxy->status().totals.announcements, 2u);
}

TEST_F(NdpProxyTest, ProbesAndRemembers) {
  io::ip("addr add 2001:db8:0:1::7/128 dev lo");  // by another interface than the asking one
  io::ip("route add 2001:db8:0:1::/64 dev lo");
  const auto proxy = serve(config(NdpAnswer::probe));
  const auto socket = peer_socket();
  send(socket, solicitation("fe80::2", "2001:db8:0:1::7", kTheirMac));
  EXPECT_FALSE(next_advertisement(socket).empty());
  EXPECT_EQ(proxy->status().alive, 1u);
  NdpConfig faster = config(NdpAnswer::probe);
  faster.probe.timeout = 20ms;
  ASSERT_TRUE(proxy->apply(faster));
  send(socket, solicitation("fe80::2", "2001:db8:0:1::8", kTheirMac));
  EXPECT_TRUE(eventually([&] { return proxy->status().dead == 1; }));
  EXPECT_EQ(ignored(*proxy, NdpIgnored::probe_unanswered), 1u);
  EXPECT_EQ(proxy->status().waiting, 0u);
}

TEST_F(NdpProxyTest, FollowsItsInterface) {
  const auto proxy = serve(config(NdpAnswer::always));
  const auto socket = peer_socket();
  proxy->lose_interface();
  EXPECT_EQ(proxy->status().membership, "the interface is not there");
  send(socket, solicitation("fe80::2", kBehind, kTheirMac));
  EXPECT_TRUE(next_advertisement(socket).empty());
  NdpInterface changed = facts();
  changed.address = {{2, 0, 0, 0, 0, 0x33}};
  changed.link_local = address6("fe80::33");
  ASSERT_TRUE(proxy->set_interface(changed));
  send(socket, solicitation("fe80::2", kBehind, kTheirMac));
  EXPECT_THAT(next_advertisement(socket),
              SameBytes(advertisement("fe80::33", "fe80::2", kBehind, kRouterFlag | kSolicitedFlag,
                                      kTheirMac, "02 00 00 00 00 33")));
  NdpInterface missing = facts();
  missing.index = 4711;
  const auto refused = proxy->set_interface(missing);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message(),
            "bind packet socket on interface 4711: ENODEV (there is no such interface)");
}

TEST_F(NdpProxyTest, DelaysAnswersToGroups) {
  // RFC 4861 7.2.8.
  NdpConfig slow = config(NdpAnswer::always);
  slow.delay = 50ms;
  const auto proxy = serve(slow);
  const auto socket = peer_socket();
  for (int i = 0; i < 20; ++i) send(socket, solicitation("fe80::2", kBehind, kTheirMac));
  EXPECT_TRUE(eventually([&] { return proxy->status().totals.answers == 20; }));
  EXPECT_EQ(proxy->status().waiting, 0u);
}

TEST_F(NdpProxyTest, WorksBeforeAndAfterItRuns) {
  auto proxy = NdpProxy::open(config(NdpAnswer::always));
  ASSERT_TRUE(proxy);
  ASSERT_TRUE((*proxy)->set_interface(facts()));
  EXPECT_FALSE((*proxy)->status().running);
  const auto socket = peer_socket();
  send(socket, solicitation("fe80::2", kBehind, kTheirMac));
  ASSERT_TRUE((*proxy)->start());
  EXPECT_FALSE(next_advertisement(socket).empty()) << "it waited in the ring";
  (*proxy)->stop();
  EXPECT_EQ((*proxy)->status().totals.answers, 1u);
  NdpConfig renamed = config(NdpAnswer::always);
  renamed.interface = "other";
  const auto refused = (*proxy)->apply(renamed);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message(),
            "change interface other: cannot change while it runs: stop and start again");
}

}  // namespace
}  // namespace culvert
