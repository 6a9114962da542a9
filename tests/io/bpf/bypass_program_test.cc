// The tunnel packets that bypass the IPv4 stack. A raw socket represents the stack: a packet that
// it receives has entered the stack.
#include "io/bpf/bypass_program.h"

#include <gtest/gtest.h>
#include <linux/if_ether.h>

#include <cerrno>
#include <optional>

#include "io/packet_socket.h"
#include "proto/gre.h"
#include "proto/six_in_four.h"
#include "tests/io/rig.h"

namespace culvert::io {
namespace {

using test::gre;
using test::ipv4;
using test::ipv6;
using test::payload;
using test::udp;

constexpr const char* kRemote = "192.0.2.2";
constexpr const char* kLocal = "192.0.2.1";

class Take : public NamespaceTest {
 protected:
  void SetUp() override {
    NamespaceTest::SetUp();
    if (IsSkipped()) return;
    const std::vector<proto::DemuxRule> rules{proto::SixInFour::kDemux[0], proto::Gre::kDemux[0]};
    auto program = BypassProgram::open(rules, 4);
    if (!program && program.error().code == EPERM) GTEST_SKIP() << program.error().message();
    ASSERT_TRUE(program) << program.error().message();
    wire_.emplace();
    const auto attached = program->attach(::if_nametoindex("ours"));
    if (!attached && attached.error().code == EINVAL) GTEST_SKIP() << attached.error().message();
    ASSERT_TRUE(attached) << attached.error().message();
    program_.emplace(std::move(*program));
    auto sockets = open_packet_sockets({.protocols = {41, 47}, .interface = "ours"}, 1);
    ASSERT_TRUE(sockets) << sockets.error().message();
    socket_ = std::move(sockets->front());
    stack_41_ = open_test_socket(AF_INET, SOCK_RAW, 41);
    stack_47_ = open_test_socket(AF_INET, SOCK_RAW, 47);
    sender_ = peer_raw_socket(*wire_, IPPROTO_RAW);
  }

  static BypassEndpoints tunnel(std::uint32_t protocol, std::optional<std::uint32_t> key = {}) {
    return {.remote = *proto::Ipv4Address::from_text(kRemote),
            .local = *proto::Ipv4Address::from_text(kLocal),
            .protocol = protocol,
            .key = key.value_or(0),
            .has_key = key ? 1u : 0u};
  }
  void set_endpoints(const std::vector<BypassEndpoints>& endpoints) {
    const auto set = program_->set_endpoints(endpoints);
    ASSERT_TRUE(set) << set.error().message();
  }
  /// Sends a packet to us. The packet socket always receives it. Returns whether the stack does
  /// too.
  bool enters_stack(const Bytes& packet) {
    send_to(sender_, kLocal, packet);
    EXPECT_EQ(count_received(socket_), 1U);
    return count_received(stack_41_) + count_received(stack_47_) != 0;
  }

  std::optional<Wire> wire_;
  std::optional<BypassProgram> program_;
  Fd socket_, stack_41_, stack_47_, sender_;
};

Bytes six_in_four(const char* source = kRemote, test::Ipv4Extra extra = {}) {
  return ipv4(source, kLocal, extra) / ipv6("2001:db8::2", "2001:db8::1") / udp(1, 2) /
         payload(numbered(1));
}
Bytes in_gre(test::GreExtra extra) {
  return ipv4(kRemote, kLocal) / gre(extra) / ipv6("2001:db8::2", "2001:db8::1") / udp(1, 2) /
         payload(numbered(1));
}

TEST_F(Take, TakesWhatComesBetweenTheEndpoints) {
  EXPECT_TRUE(enters_stack(six_in_four()));  // no endpoints are set yet
  set_endpoints({tunnel(41)});
  EXPECT_FALSE(enters_stack(six_in_four()));
  EXPECT_TRUE(enters_stack(six_in_four("192.0.2.3")));
  EXPECT_TRUE(enters_stack(in_gre({})));
  set_endpoints({});
  EXPECT_TRUE(enters_stack(six_in_four()));
}

TEST_F(Take, TakesGreWithItsKeyAlone) {
  set_endpoints({tunnel(47, 42)});
  EXPECT_FALSE(enters_stack(in_gre({.key = 42})));
  EXPECT_FALSE(enters_stack(in_gre({.key = 42, .has_checksum = true})));
  EXPECT_FALSE(enters_stack(in_gre({.key = 42, .sequence = 7})));
  EXPECT_TRUE(enters_stack(in_gre({.key = 43})));
  EXPECT_TRUE(enters_stack(in_gre({})));
  EXPECT_TRUE(enters_stack(six_in_four()));
}

TEST_F(Take, TakesGreWithoutAKey) {
  set_endpoints({tunnel(47)});
  EXPECT_FALSE(enters_stack(in_gre({})));
  EXPECT_FALSE(enters_stack(in_gre({.has_checksum = true})));
  EXPECT_TRUE(enters_stack(in_gre({.key = 0})));  // a key of 0 is a key
}

TEST_F(Take, LeavesToOtherProgramsWhatGreCannotDecapsulate) {
  set_endpoints({tunnel(47, 42)});
  // gretap, MPLS, ERSPAN of type II and III, PPTP
  for (const std::uint16_t type :
       std::initializer_list<std::uint16_t>{0x6558, 0x8847, 0x8848, 0x88be, 0x22eb, 0x880b})
    EXPECT_TRUE(enters_stack(in_gre({.key = 42, .protocol_type = type}))) << type;
  EXPECT_TRUE(enters_stack(in_gre({.key = 42, .extra_flags = 1})));       // the version of PPTP
  EXPECT_TRUE(enters_stack(in_gre({.key = 42, .extra_flags = 0x4000})));  // RFC 1701 routing
  EXPECT_FALSE(enters_stack(in_gre({.key = 42, .protocol_type = 0x0800})));
}

TEST_F(Take, LeavesOptionsAndFragmentsToTheStack) {
  set_endpoints({tunnel(41)});
  const Bytes no_operations(4, std::byte{1});
  EXPECT_TRUE(enters_stack(six_in_four(kRemote, {.options = no_operations})));
  // The packet socket receives the reassembled packet, so the program must not touch fragments.
  const Fd sender = peer_raw_socket(*wire_, 41);
  send_to(sender, kLocal, test::pattern(4000));
  EXPECT_EQ(count_received(socket_), 1U);
  EXPECT_EQ(count_received(stack_41_), 1U);
}

TEST_F(Take, IsGoneWithTheProgram) {
  set_endpoints({tunnel(41)});
  EXPECT_FALSE(enters_stack(six_in_four()));
  program_.reset();
  EXPECT_TRUE(enters_stack(six_in_four()));
}

TEST_F(Take, ReplacesEndpointsWithoutRunningOutOfRoom) {
  for (std::uint32_t round = 0; round < 20; ++round) {
    set_endpoints(
        {tunnel(47, round), tunnel(47, round + 1), tunnel(47, round + 2), tunnel(47, round + 3)});
  }
  EXPECT_FALSE(enters_stack(in_gre({.key = 22})));
  EXPECT_TRUE(enters_stack(in_gre({.key = 18})));
}

}  // namespace
}  // namespace culvert::io
