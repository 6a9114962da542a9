// The messages of neighbor discovery that bypass the IPv6 stack. It ignores packets of the type
// PACKET_OTHERHOST (ip6_rcv_core()), which a packet socket reads here.
#include "io/bpf/ndp_bypass_program.h"

#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include <array>
#include <cerrno>
#include <optional>

#include "io/ndp/ndp_socket.h"
#include "proto/ethernet.h"
#include "tests/io/rig.h"

namespace culvert::io {
namespace {

class NdpBypass : public NamespaceTest {
 protected:
  void SetUp() override {
    NamespaceTest::SetUp();
    if (IsSkipped()) return;
    auto program = NdpBypassProgram::open();
    if (!program && program.error().code == EPERM) GTEST_SKIP() << program.error().message();
    ASSERT_TRUE(program) << program.error().message();
    wire_.emplace();
    const unsigned index = ::if_nametoindex("ours");
    const auto attached = program->attach(index);
    if (!attached && attached.error().code == EINVAL) GTEST_SKIP() << attached.error().message();
    ASSERT_TRUE(attached) << attached.error().message();
    program_.emplace(std::move(*program));
    auto socket = NdpSocket::open(index);
    ASSERT_TRUE(socket) << socket.error().message();
    socket_ = std::move(*socket);
    stack_ = packet_socket(index);
    const Inside there(wire_->peer());
    sender_ = packet_socket(::if_nametoindex("theirs"));
  }

  static Fd packet_socket(unsigned index) {
    Fd socket = open_test_socket(AF_PACKET, SOCK_RAW, 0);
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_IPV6);
    address.sll_ifindex = static_cast<int>(index);
    EXPECT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return socket;
  }

  static proto::Ipv6Prefix prefix(const char* text, std::uint8_t length_bits) {
    return {*proto::Ipv6Address::from_text(text), length_bits};
  }
  void set(NdpBypassProgram::Prefixes prefixes) {
    const auto done = program_->set_prefixes(std::move(prefixes));
    ASSERT_TRUE(done) << done.error().message();
  }

  /// Sends an ICMPv6 message of this type to our link-layer address. Returns whether the stack
  /// receives it; the proxy's socket receives solicitations in either case.
  bool enters_stack(const char* destination, std::uint8_t type = 135) {
    Bytes message(24);
    message[0] = std::byte{type};
    const Bytes packet = test::ipv6("fe80::2", destination, {.hop_limit = 255, .next_header = 58}) /
                         test::payload(message);
    Bytes frame(proto::kEthernetHeaderBytes);
    proto::build_ethernet(std::span{frame}.first<proto::kEthernetHeaderBytes>(),
                          {{2, 0, 0, 0, 0, 1}}, {{2, 0, 0, 0, 0, 2}});
    frame.insert(frame.end(), packet.begin(), packet.end());
    EXPECT_EQ(::send(sender_.get(), frame.data(), frame.size(), 0), ssize(frame));
    sockaddr_ll from{};
    socklen_t size = sizeof from;
    std::array<std::byte, 256> buffer;
    EXPECT_GT(::recvfrom(stack_.get(), buffer.data(), buffer.size(), 0,
                         reinterpret_cast<sockaddr*>(&from), &size),
              0);
    EXPECT_EQ(!socket_.next().empty(), type == 135 || type == 136);
    if (!socket_.next().empty()) socket_.release();
    return from.sll_pkttype == PACKET_HOST;
  }

  std::optional<Wire> wire_;
  std::optional<NdpBypassProgram> program_;
  NdpSocket socket_;
  Fd stack_, sender_;
};

TEST_F(NdpBypass, KeepsUnicastNeighborDiscoveryOfAPrefixOutOfTheStack) {
  EXPECT_TRUE(enters_stack("2001:db8::5"));  // no prefix is set yet
  set({{prefix("2001:db8::", 64), true}});
  for (std::uint8_t type = 133; type <= 137; ++type)
    EXPECT_FALSE(enters_stack("2001:db8::5", type)) << int{type};
  for (const auto type : std::initializer_list<std::uint8_t>{1, 128, 132, 138})
    EXPECT_TRUE(enters_stack("2001:db8::5", type)) << int{type};
  EXPECT_TRUE(enters_stack("2001:db8:1::5"));
  set({});
  EXPECT_TRUE(enters_stack("2001:db8::5"));
}

TEST_F(NdpBypass, FollowsTheLongestPrefix) {
  set({{prefix("::", 0), true}, {prefix("2001:db8::2", 128), false}});
  EXPECT_FALSE(enters_stack("2001:db8::5"));
  EXPECT_TRUE(enters_stack("2001:db8::2"));
  EXPECT_TRUE(enters_stack("ff02::1:ff00:5"));  // multicast is nobody's to forward
  set({{prefix("::", 0), false}, {prefix("2001:db8::2", 128), true}});
  EXPECT_TRUE(enters_stack("2001:db8::5"));
  EXPECT_FALSE(enters_stack("2001:db8::2"));
}

}  // namespace
}  // namespace culvert::io
