#include "engine/flows/flow_state.h"

#include <gtest/gtest.h>

#include "proto/ipv4.h"

namespace culvert {
namespace {

using enum FlowState;
using std::chrono::minutes, std::chrono::seconds;

constexpr std::uint8_t kSyn = 0x02, kSynAck = 0x12, kAck = 0x10, kFinAck = 0x11, kRst = 0x04;
constexpr auto kIn = Direction::inbound, kOut = Direction::outbound;

struct Packet {
  Direction direction;
  std::uint8_t flags = 0;
};
/// The state of a flow whose first packet had direction `opened`, after `packets`.
TrackedState life_after(std::uint8_t protocol, Direction opened,
                        std::initializer_list<Packet> packets) {
  TrackedState tracked{opening, opened};
  for (const Packet& packet : packets)
    tracked = after(tracked, packet.direction, protocol, packet.flags);
  return tracked;
}
FlowState tcp(std::initializer_list<Packet> packets) {
  return life_after(proto::kProtocolTcp, kIn, packets).state;
}

TEST(TrackedState, IsEstablishedWhenBothSidesHaveSent) {
  EXPECT_EQ(life_after(proto::kProtocolUdp, kIn, {{kIn}, {kIn}}).state, opening);
  EXPECT_EQ(life_after(proto::kProtocolUdp, kIn, {{kIn}, {kOut}}).state, established);
  EXPECT_EQ(life_after(proto::kProtocolUdp, kOut, {{kOut}, {kIn}}).state, established);
  EXPECT_EQ(tcp({{kIn, kSyn}}), opening);
  EXPECT_EQ(tcp({{kOut, kSynAck}}), established);
}

TEST(TrackedState, IsNotEstablishedByARefusal) {
  EXPECT_EQ(tcp({{kOut, kRst | kAck}}), closing);
  EXPECT_EQ(tcp({{kOut, kRst | kAck}, {kIn, kAck}}), closing);
  EXPECT_EQ(tcp({{kIn, kRst}, {kIn, kAck}}), closing);  // not established by RSTs of one side alone
  EXPECT_FALSE((TrackedState{closing, kIn}.is_protected()));
}

TEST(TrackedState, EndsWithFinFromBothSides) {
  EXPECT_EQ(tcp({{kOut, kSynAck}, {kIn, kFinAck}}), far_closed);
  EXPECT_EQ(tcp({{kOut, kSynAck}, {kIn, kFinAck}, {kOut, kAck}, {kIn, kFinAck}}), far_closed);
  EXPECT_EQ(tcp({{kOut, kSynAck}, {kOut, kFinAck}}), near_closed);
  EXPECT_EQ(tcp({{kOut, kSynAck}, {kIn, kFinAck}, {kOut, kFinAck}}), closing);
  EXPECT_EQ(tcp({{kOut, kSynAck}, {kOut, kFinAck}, {kIn, kFinAck}, {kOut, kAck}}), closing);
}

// RFC 6146 3.5.2.2, state TRANS: the RST may be an attacker's; later data proves it.
TEST(TrackedState, ComesBackFromAResetThatWasNone) {
  EXPECT_EQ(tcp({{kOut, kSynAck}, {kIn, kRst}}), reset);
  EXPECT_EQ(tcp({{kOut, kSynAck}, {kIn, kRst}, {kIn, kRst}}), reset);
  EXPECT_EQ(tcp({{kOut, kSynAck}, {kIn, kRst}, {kOut, kAck}}), established);
}

TEST(TrackedState, BeginsAgainWithASynOnOldPorts) {
  const TrackedState tracked = life_after(
      proto::kProtocolTcp, kIn, {{kOut, kSynAck}, {kIn, kFinAck}, {kOut, kFinAck}, {kOut, kSyn}});
  EXPECT_EQ(tracked, (TrackedState{opening, kOut}));
  EXPECT_EQ(tcp({{kOut, kSynAck}, {kIn, kSyn}}), established);  // not reopened while it is alive
}

TEST(TrackedState, LastsAsLongAsItsRfcSays) {
  const TrackedState young{opening, kIn}, grown{established, kIn};
  EXPECT_EQ(idle_limit(proto::kProtocolTcp, grown), minutes{124});  // RFC 5382 REQ-5
  EXPECT_EQ(idle_limit(proto::kProtocolTcp, {near_closed, kIn}), minutes{124});
  for (const FlowState state : {opening, closing, reset})
    EXPECT_EQ(idle_limit(proto::kProtocolTcp, {state, kIn}), minutes{4});
  EXPECT_EQ(idle_limit(proto::kProtocolUdp, young), seconds{30});
  EXPECT_EQ(idle_limit(proto::kProtocolUdp, grown), minutes{5});      // RFC 4787 REQ-5
  EXPECT_EQ(idle_limit(proto::kProtocolIcmpv6, grown), seconds{60});  // RFC 5508 REQ-2
  EXPECT_EQ(idle_limit(kFlowFragments, young), seconds{60});          // RFC 8200 4.5
}

}  // namespace
}  // namespace culvert
