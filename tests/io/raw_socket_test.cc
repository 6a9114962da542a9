#include "io/raw_socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/syscall.h>

#include "io/route_lookup.h"
#include "tests/io/rig.h"
#include "tests/support/packet_matchers.h"

namespace culvert::io {
namespace {

using proto::Ipv4Address;
using test::ipv4;
using test::pattern;
using test::payload;
using testing::HasSubstr;

Ipv4Address address(const char* text) { return *Ipv4Address::from_text(text); }

/// A packet of protocol 41 from the remote host.
Bytes from_peer() { return ipv4("192.0.2.2", "192.0.2.1", {.protocol = 41}) / payload(100); }

class RawSocket : public NamespaceTest {};

// The kernel fills in fields that are 0, and the lengths: raw(7).
TEST_F(RawSocket, SendsTheHeaderAsItIs) {
  const Wire wire;
  const auto sender = open_raw_send_socket("");
  ASSERT_TRUE(sender) << sender.error().message();
  const Fd receiver = peer_raw_socket(wire, 41);
  for (const bool dont_fragment : {false, true}) {
    const Bytes packet = ipv4("192.0.2.1", "192.0.2.2",
                              {.tos = 0x2a,
                               .ttl = 33,
                               .identification = 77,
                               .dont_fragment = dont_fragment,
                               .protocol = 41}) /
                         payload(1480);
    send_to(*sender, "192.0.2.2", packet);
    EXPECT_THAT(receive_from(receiver), test::SameBytes(packet));
  }
}

TEST_F(RawSocket, SenderReceivesNothing) {
  const Wire wire;
  const auto sender = open_raw_send_socket("");
  ASSERT_TRUE(sender) << sender.error().message();
  const Bytes packet = ipv4("192.0.2.2", "192.0.2.1", {.protocol = 255}) / payload(100);
  send_to(peer_raw_socket(wire, IPPROTO_RAW), "192.0.2.1", packet);
  EXPECT_EQ(count_received(*sender), 0U);
}

// RFC 4213 3.2: the tunnel decides, so the kernel must not fragment or refuse a packet because of a
// path MTU that it has learned.
TEST_F(RawSocket, SenderIgnoresTheLearnedPathMtu) {
  const Wire wire;
  ip("route add 198.51.100.0/24 via 192.0.2.2 mtu lock 1300");
  const auto sender = open_raw_send_socket("");
  ASSERT_TRUE(sender) << sender.error().message();
  Fd receiver;
  {
    const Inside there(wire.peer());
    ip("addr add 198.51.100.1/32 dev theirs");
    receiver = open_test_socket(AF_INET, SOCK_RAW, 41);
  }
  const Bytes packet =
      ipv4("192.0.2.1", "198.51.100.1", {.identification = 1, .protocol = 41}) / payload(1480);
  send_to(*sender, "198.51.100.1", packet);
  EXPECT_THAT(receive_from(receiver), test::SameBytes(packet));
}

TEST_F(RawSocket, ReceivesOnlyFromItsInterface) {
  const Wire wire;
  const auto bound = open_raw_receive_socket(41, "ours");
  const auto elsewhere = open_raw_receive_socket(41, "lo");
  const auto anywhere = open_raw_receive_socket(41, "");
  ASSERT_TRUE(bound && elsewhere && anywhere);
  send_to(peer_raw_socket(wire, IPPROTO_RAW), "192.0.2.1", from_peer());
  EXPECT_EQ(count_received(*bound), 1U);
  EXPECT_EQ(count_received(*elsewhere), 0U);
  EXPECT_EQ(count_received(*anywhere), 1U);
}

TEST_F(RawSocket, HasTheLargeBufferThatIsForcedForRoot) {
  const auto socket = open_raw_receive_socket(41, "");
  ASSERT_TRUE(socket) << socket.error().message();
  int bytes = 0;
  socklen_t size = sizeof bytes;
  ASSERT_EQ(::getsockopt(socket->get(), SOL_SOCKET, SO_RCVBUF, &bytes, &size), 0);
  EXPECT_EQ(bytes, 2 * (8 << 20));  // the kernel doubles it
}

TEST_F(RawSocket, SaysThatAnInterfaceIsMissing) {
  const auto socket = open_raw_receive_socket(41, "nowhere0");
  ASSERT_FALSE(socket);
  EXPECT_EQ(socket.error().message(),
            "bind to interface nowhere0 a raw socket for protocol 41: ENODEV "
            "(there is no such interface)");
}

// Without this socket the kernel answers protocol unreachable (RFC 792) to the remote host.
TEST_F(RawSocket, GuardKeepsTheKernelFromAnswering) {
  const Wire wire;
  const Fd sender = peer_raw_socket(wire, IPPROTO_RAW);
  const Fd errors = peer_raw_socket(wire, IPPROTO_ICMP);
  send_to(sender, "192.0.2.1", from_peer());
  const Bytes answer = receive_from(errors);
  ASSERT_GT(answer.size(), 21U);
  EXPECT_EQ(answer[20], std::byte{3});
  EXPECT_EQ(answer[21], std::byte{2});

  const auto guard = open_raw_guard_socket(41);
  ASSERT_TRUE(guard) << guard.error().message();
  for (int i = 0; i < 10; ++i) send_to(sender, "192.0.2.1", from_peer());
  EXPECT_EQ(count_received(errors), 0U);
  EXPECT_EQ(count_received(*guard), 0U);
}

// ---- routes -------------------------------------------------------------------------------------

class RouteLookUp : public NamespaceTest {
 protected:
  std::optional<RouteFacts> look_up(const char* remote, std::optional<Ipv4Address> source = {},
                                    const char* device = "") {
    return probe_.look_up(device, address(remote), source);
  }
  RouteLookup probe_;
};

TEST_F(RouteLookUp, TellsSourceAndMtu) {
  const Wire wire;
  ip("link set ours mtu 1400");
  ip("route add 198.51.100.0/24 via 192.0.2.2 mtu 1300");
  const auto direct = look_up("192.0.2.2");
  ASSERT_TRUE(direct);
  EXPECT_EQ(direct->source, address("192.0.2.1"));
  EXPECT_EQ(direct->mtu_bytes, 1400);
  const auto through = look_up("198.51.100.7");
  ASSERT_TRUE(through);
  EXPECT_EQ(through->source, address("192.0.2.1"));
  EXPECT_EQ(through->mtu_bytes, 1300);
}

TEST_F(RouteLookUp, UsesTheSourceThatIsGiven) {
  const Wire wire;
  ip("addr add 192.0.2.9/32 dev ours");
  const auto route = look_up("192.0.2.2", address("192.0.2.9"));
  ASSERT_TRUE(route);
  EXPECT_EQ(route->source, address("192.0.2.9"));
}

TEST_F(RouteLookUp, TellsNothingWithoutARoute) {
  const Wire wire;
  EXPECT_FALSE(look_up("198.51.100.7"));
  EXPECT_FALSE(look_up("192.0.2.2", address("203.0.113.1"))) << "that address is not ours";
  EXPECT_FALSE(look_up("192.0.2.2", {}, "nowhere0")) << "there is no such interface";
  EXPECT_TRUE(look_up("192.0.2.2", {}, "ours"));
}

}  // namespace
}  // namespace culvert::io
