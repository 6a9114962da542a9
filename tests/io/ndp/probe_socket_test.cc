// Echo requests to an address of our own, which the kernel answers, and solicitations on a wire.
#include "io/ndp/probe_socket.h"

#include <gtest/gtest.h>

#include "tests/io/rig.h"

namespace culvert::io {
namespace {

proto::Ipv6Address v6(const char* text) { return proto::Ipv6Address::from_text(text).value(); }

class ProbeSockets : public NamespaceTest {
 protected:
  void SetUp() override {
    NamespaceTest::SetUp();
    if (IsSkipped()) return;
    auto opened = ProbeSocket::open();
    ASSERT_TRUE(opened) << opened.error().message();
    socket_ = std::move(*opened);
    ip("link add wire type veth peer name far");
    run("echo 0 > /proc/sys/net/ipv6/conf/wire/disable_ipv6");
    ip("link set far up");
    set_up("wire");
    add_ipv6_address("wire", "2001:db8::1/64");
  }
  /// The next reply, which comes within a second or never.
  std::optional<ProbeReply> next(int milliseconds = 1000) {
    pollfd readable{.fd = socket_.fd(), .events = POLLIN, .revents = 0};
    ::poll(&readable, 1, milliseconds);
    return socket_.receive();
  }
  ProbeSocket socket_;
};

TEST_F(ProbeSockets, ReceiveTheReplyOfAHost) {
  ASSERT_TRUE(socket_.is_open());
  std::optional<ProbeReply> reply;
  for (int i = 0; i < 50 && !reply; ++i) {  // the kernel makes the address local a little later
    ASSERT_TRUE(socket_.send({v6("2001:db8::1")}));
    reply = next(20);
  }
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->target, v6("2001:db8::1"));
  EXPECT_EQ(reply->interface_index, ::if_nametoindex("wire"));
  EXPECT_FALSE(socket_.receive());
}

TEST_F(ProbeSockets, SkipRepliesToOthers) {
  auto other = ProbeSocket::open();
  ASSERT_TRUE(other);
  ASSERT_TRUE(other->send({v6("2001:db8::1")}));
  EXPECT_FALSE(next(50));  // the kernel gives it to both sockets
  EXPECT_TRUE(other->receive());
}

TEST_F(ProbeSockets, SayThatThereIsNoRoute) { EXPECT_FALSE(socket_.send({v6("2001:db8:7::1")})); }

TEST_F(ProbeSockets, SolicitOnTheLinkOfTheTarget) {
  // The host on the wire answers no echo request.
  const Wire wire;
  {
    const Inside there(wire.peer());
    run("echo 0 > /proc/sys/net/ipv6/conf/theirs/disable_ipv6");
    run("echo 1 > /proc/sys/net/ipv6/icmp/echo_ignore_all");
    add_ipv6_address("theirs", "2001:db8:5::2/64");
  }
  run("echo 0 > /proc/sys/net/ipv6/conf/ours/disable_ipv6");
  const unsigned ours = ::if_nametoindex("ours");
  const auto has_answered = [&] {  // sent again until the link-local address may be used
    if (!socket_.send({v6("2001:db8:5::2"), ours})) ::usleep(10'000);
    const auto reply = next(50);
    return reply && reply->is_advertisement && reply->interface_index == ours &&
           reply->target == v6("2001:db8:5::2");
  };
  bool is_there = false;
  for (int i = 0; i < 200 && !is_there; ++i) is_there = has_answered();
  EXPECT_TRUE(is_there);
}

TEST_F(ProbeSockets, AreBoundToAnInterface) {
  // Both links have the prefix, and the kernel's route is by the other one.
  const Wire wire;
  {
    const Inside there(wire.peer());
    run("echo 0 > /proc/sys/net/ipv6/conf/theirs/disable_ipv6");
    ip("address add 2001:db8::2/64 dev theirs nodad");
  }
  run("echo 0 > /proc/sys/net/ipv6/conf/ours/disable_ipv6");
  ip("address add 2001:db8::11/64 dev ours nodad");
  const unsigned ours = ::if_nametoindex("ours");
  const auto has_echoed = [&](const Probe& probe) {
    static_cast<void>(socket_.send(probe));
    for (auto reply = next(20); reply; reply = next(20))
      if (!reply->is_advertisement && reply->interface_index == ours) return true;
    return false;
  };
  EXPECT_FALSE(has_echoed({v6("2001:db8::2")}));
  bool is_there = false;
  for (int i = 0; i < 200 && !is_there; ++i) is_there = has_echoed({v6("2001:db8::2"), ours, true});
  EXPECT_TRUE(is_there);
}

TEST_F(ProbeSockets, AreClosedAtFirst) { EXPECT_FALSE(ProbeSocket{}.is_open()); }

}  // namespace
}  // namespace culvert::io
