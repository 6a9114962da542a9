#include "io/packet_socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include <set>

#include "io/offload.h"
#include "tests/io/rig.h"
#include "tests/support/packet_matchers.h"

namespace culvert::io {
namespace {

using test::gre;
using test::ipv4;
using test::ipv6;
using test::payload;
using test::udp;

constexpr std::size_t kLinkBytes = kVirtioHeaderBytes + ETH_HLEN;

class PacketSocket : public NamespaceTest {
 protected:
  void open(std::size_t count, const std::string& interface = "") {
    auto opened = open_packet_sockets({.protocols = {41, 47}, .interface = interface}, count);
    ASSERT_TRUE(opened) << opened.error().message();
    sockets_ = std::move(*opened);
  }
  /// A 6in4 packet of one of many inner flows.
  static Bytes of_flow(int flow) {
    return ipv4("192.0.2.2", "192.0.2.1") / ipv6("2001:db8::2", "2001:db8::1") /
           udp(static_cast<std::uint16_t>(1000 + flow), 53) / payload(numbered(flow));
  }

  std::vector<Fd> sockets_;
};

TEST_F(PacketSocket, GroupReceivesEachPacketOnceAndEachFlowAtOnePlace) {
  const Wire wire;
  open(4);
  const Fd sender = peer_raw_socket(wire, IPPROTO_RAW);
  constexpr int kFlows = 100, kPackets = 3;
  for (int i = 0; i < kPackets * kFlows; ++i) send_to(sender, "192.0.2.1", of_flow(i % kFlows));
  std::vector<std::set<int>> flows(sockets_.size());
  int received = 0;
  for (std::size_t i = 0; i < sockets_.size(); ++i) {
    for (Bytes packet = receive_from(sockets_[i]); !packet.empty();
         packet = receive_from(sockets_[i])) {
      ++received;
      flows[i].insert(number_of(std::span{packet}.last(2)));
    }
    EXPECT_GT(flows[i].size(), 5U) << "the inner flow is not what is hashed";
  }
  EXPECT_EQ(received, kPackets * kFlows);
  EXPECT_EQ(flows[0].size() + flows[1].size() + flows[2].size() + flows[3].size(), kFlows);
}

TEST_F(PacketSocket, ReceivesWholePacketsWhereThePeerSentFragments) {
  const Wire wire;
  open(2);
  const Fd sender = peer_raw_socket(wire, 41);  // without IP_HDRINCL: the kernel fragments
  const Bytes sent = test::pattern(4000);
  send_to(sender, "192.0.2.1", sent);
  Bytes packet = receive_from(sockets_[0]);
  if (packet.empty()) packet = receive_from(sockets_[1]);
  ASSERT_EQ(packet.size(), kLinkBytes + 20 + sent.size());
  EXPECT_THAT(std::span{packet}.subspan(kLinkBytes + 20), test::SameBytes(sent));
  EXPECT_EQ(count_received(sockets_[0]) + count_received(sockets_[1]), 0U);
}

TEST_F(PacketSocket, TakesOnlyItsProtocols) {
  const Wire wire;
  open(1);
  const Fd sender = peer_raw_socket(wire, IPPROTO_RAW);
  for (int protocol = 0; protocol < 256; ++protocol) {
    const Bytes packet =
        ipv4("192.0.2.2", "192.0.2.1", {.protocol = static_cast<std::uint8_t>(protocol)}) /
        payload(numbered(protocol, 40));
    send_to(sender, "192.0.2.1", packet);
  }
  std::set<int> protocols;
  for (Bytes packet = receive_from(sockets_[0]); !packet.empty();
       packet = receive_from(sockets_[0]))
    protocols.insert(number_of(std::span{packet}.subspan(kLinkBytes + 20)));
  EXPECT_THAT(protocols, testing::ElementsAre(41, 47));
}

TEST_F(PacketSocket, TakesOnlyFramesToThisHost) {
  const Wire wire;
  open(1);
  const Inside there(wire.peer());
  const Fd sender = open_test_socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_IP));
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_IP);
  address.sll_ifindex = static_cast<int>(::if_nametoindex("theirs"));
  address.sll_halen = ETH_ALEN;
  const Bytes packet = of_flow(1);
  for (const int first : {0x02, 0xff}) {  // another host's address, then broadcast
    std::memset(address.sll_addr, first, ETH_ALEN);
    ASSERT_EQ(::sendto(sender.get(), packet.data(), packet.size(), 0,
                       reinterpret_cast<const sockaddr*>(&address), sizeof address),
              static_cast<ssize_t>(packet.size()));
  }
  send_to(open_test_socket(AF_INET, SOCK_RAW, IPPROTO_RAW), "192.0.2.1", packet);
  EXPECT_EQ(count_received(sockets_[0]), 1U);
}

TEST_F(PacketSocket, ReceivesOnlyFromItsInterface) {
  const Wire wire;
  open(1, "lo");
  send_to(peer_raw_socket(wire, IPPROTO_RAW), "192.0.2.1", of_flow(1));
  EXPECT_EQ(count_received(sockets_[0]), 0U);
  open(1, "ours");
  send_to(peer_raw_socket(wire, IPPROTO_RAW), "192.0.2.1", of_flow(1));
  EXPECT_EQ(count_received(sockets_[0]), 1U);
}

TEST_F(PacketSocket, SaysThatAnInterfaceIsMissing) {
  const auto opened = open_packet_sockets({.protocols = {41}, .interface = "nowhere0"}, 1);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().message(),
            "open packet socket on interface nowhere0: ENODEV (there is no such interface)");
}

TEST_F(PacketSocket, GroupsOfTwoEnginesDoNotMeet) {
  const Wire wire;
  open(2);
  const auto first = std::move(sockets_);
  open(2);
  send_to(peer_raw_socket(wire, IPPROTO_RAW), "192.0.2.1", of_flow(1));
  EXPECT_EQ(count_received(first[0]) + count_received(first[1]), 1U);
  EXPECT_EQ(count_received(sockets_[0]) + count_received(sockets_[1]), 1U);
}

}  // namespace
}  // namespace culvert::io
