// The next hops that a device gives its engine, and when they change. The engine is a fake; the
// kernel is real, in a network namespace.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iterator>
#include <sstream>

#include "tests/io/rig.h"
#include "tests/support/in_namespace.h"
#include "tests/tools/culvert/daemon/fake_engine.h"
#include "tools/culvert/config/command_line.h"
#include "tools/culvert/daemon/managed_device.h"

namespace culvert::program {
namespace {

using test::in_namespace;

using io::ip;
using testing::HasSubstr;

constexpr unsigned kOurs = 10;  // the index that io::Wire gives its device

host::DeviceSettings settings(const std::string& words, SendChoice send) {
  std::istringstream stream{words};
  auto parsed = parse_command_line(
      "tun1", std::vector<std::string>{std::istream_iterator<std::string>{stream}, {}}, {});
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message());
  parsed->config.send = send;
  return *parsed;
}

/// A device with a tunnel to the other namespace of a veth pair.
struct NextHopRig {
  explicit NextHopRig(SendChoice send,
                      const std::string& words = "mode sit remote 192.0.2.2 local 192.0.2.1") {
    auto opened =
        ManagedDevice::bring_up(settings(words, send), *netlink, [&](const Config& config) {
          auto made = open_fake(config, log);
          engine = static_cast<FakeEngine*>(made->get());
          return made;
        });
    EXPECT_TRUE(opened) << opened.error().message();
    device = std::move(*opened);
  }
  [[nodiscard]] io::NextHop hop() const {
    return engine->next_hops.empty() ? io::NextHop{} : engine->next_hops[0];
  }
  [[nodiscard]] std::string reason() const { return device->status().tunnels[0].send_reason; }

  io::Wire wire;
  Result<netlink::Netlink> netlink = netlink::Netlink::open();
  FakeEngineLog log;
  FakeEngine* engine = nullptr;
  std::unique_ptr<ManagedDevice> device;
};

void add_output_chain() {
  io::run("nft 'add table ip t; add chain ip t c { type filter hook output priority 0; }'");
}

TEST(ChooseNextHop, TellsItFromTheStart) {
  in_namespace([] {
    for (const auto send : {SendChoice::automatic, SendChoice::packet}) {
      const NextHopRig rig{send};
      EXPECT_EQ(rig.hop().interface_index, kOurs);
      EXPECT_EQ(rig.reason(), "next hop 192.0.2.2 on ours");
      ip("link del ours");
    }
  });
}

TEST(ChooseNextHop, PassesByNothingOfTheUsersWithSendAuto) {
  in_namespace([] {
    const NextHopRig rig{SendChoice::automatic};
    add_output_chain();
    rig.device->refresh();
    EXPECT_FALSE(rig.hop());
    EXPECT_EQ(rig.reason(), "would bypass nftables, chain t c");
    rig.device->neighbors_changed(std::nullopt);
    EXPECT_FALSE(rig.hop()) << "a neighbor's news does not change that";
    io::run("nft delete table ip t");
    rig.device->refresh();
    EXPECT_EQ(rig.hop().interface_index, kOurs);
    EXPECT_EQ(rig.reason(), "next hop 192.0.2.2 on ours");
  });
}

TEST(ChooseNextHop, PassesByWhatThereIsWithSendPacket) {
  in_namespace([] {
    add_output_chain();
    const NextHopRig rig{SendChoice::packet};
    EXPECT_EQ(rig.hop().interface_index, kOurs);
  });
}

TEST(ChooseNextHop, FollowsItsNeighborAndNoOther) {
  in_namespace([] {
    const NextHopRig rig{SendChoice::automatic};
    const host::NeighborKey its{kOurs, *proto::Ipv4Address::from_text("192.0.2.2")};
    const host::NeighborKey other{kOurs, *proto::Ipv4Address::from_text("192.0.2.3")};
    const auto before = rig.hop();
    ip("neigh replace 192.0.2.2 lladdr 02:00:00:00:00:09 dev ours");
    rig.device->neighbors_changed(std::vector{other});
    EXPECT_EQ(rig.hop(), before);
    rig.device->neighbors_changed(std::vector{other, its});
    EXPECT_EQ(rig.hop().destination, (io::EthernetAddress{{2, 0, 0, 0, 0, 9}}));
    ip("neigh del 192.0.2.2 dev ours");
    rig.device->neighbors_changed(std::vector{its});
    EXPECT_FALSE(rig.hop());
    EXPECT_THAT(rig.reason(), HasSubstr("is not resolved"));
    ip("neigh replace 192.0.2.2 lladdr 02:00:00:00:00:02 dev ours");
    rig.device->neighbors_changed(std::nullopt);  // some news were missed
    EXPECT_EQ(rig.hop(), before);
  });
}

TEST(ChooseNextHop, FollowsItsRoute) {
  in_namespace([] {
    const NextHopRig rig{SendChoice::automatic, "mode gre remote 198.51.100.1 local 192.0.2.1"};
    EXPECT_FALSE(rig.hop());
    EXPECT_EQ(rig.reason(), "there is no route to 198.51.100.1");
    ip("route add 198.51.100.0/24 via 192.0.2.2");
    rig.device->refresh();
    EXPECT_EQ(rig.hop().destination, (io::EthernetAddress{{2, 0, 0, 0, 0, 2}}));
    ip("neigh add 192.0.2.7 lladdr 02:00:00:00:00:07 dev ours");
    ip("route replace 198.51.100.0/24 via 192.0.2.7");
    rig.device->refresh();
    EXPECT_EQ(rig.hop().destination, (io::EthernetAddress{{2, 0, 0, 0, 0, 7}}));
    EXPECT_EQ(rig.reason(), "next hop 192.0.2.7 on ours");
    ip("route del 198.51.100.0/24");
    rig.device->refresh();
    EXPECT_FALSE(rig.hop());
  });
}

TEST(ChooseNextHop, SaysThatItWaitsForTheOuterInterface) {
  in_namespace([] {
    const NextHopRig rig{SendChoice::automatic,
                         "mode sit remote 192.0.2.2 local 192.0.2.1 dev ours"};
    EXPECT_TRUE(rig.hop());
    ip("link del ours");
    rig.device->refresh();
    EXPECT_FALSE(rig.hop());
    EXPECT_EQ(rig.reason(), "it waits for interface ours");
  });
}

}  // namespace
}  // namespace culvert::program
