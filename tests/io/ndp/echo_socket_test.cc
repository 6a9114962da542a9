// Echo requests to an address of our own, which the kernel answers.
#include "io/ndp/echo_socket.h"

#include <gtest/gtest.h>

#include "tests/io/rig.h"

namespace culvert::io {
namespace {

proto::Ipv6Address v6(const char* text) { return proto::Ipv6Address::from_text(text).value(); }

class EchoSockets : public NamespaceTest {
 protected:
  void SetUp() override {
    NamespaceTest::SetUp();
    if (IsSkipped()) return;
    auto opened = EchoSocket::open();
    ASSERT_TRUE(opened) << opened.error().message();
    socket_ = std::move(*opened);
    ip("link add wire type veth peer name far");
    run("echo 0 > /proc/sys/net/ipv6/conf/wire/disable_ipv6");
    ip("link set far up");
    set_up("wire");
    ip("address add 2001:db8::1/64 dev wire nodad");
  }
  /// The next reply, which comes within a second or never.
  std::optional<EchoReply> next(int milliseconds = 1000) {
    pollfd readable{.fd = socket_.fd(), .events = POLLIN, .revents = 0};
    ::poll(&readable, 1, milliseconds);
    return socket_.receive();
  }
  EchoSocket socket_;
};

TEST_F(EchoSockets, ReceiveTheReplyOfAHost) {
  ASSERT_TRUE(socket_.is_open());
  ASSERT_TRUE(socket_.send(v6("2001:db8::1")));
  const auto reply = next();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->source, v6("2001:db8::1"));
  EXPECT_EQ(reply->interface_index, ::if_nametoindex("wire"));
  EXPECT_FALSE(socket_.receive());
}

TEST_F(EchoSockets, SkipRepliesToOthers) {
  auto other = EchoSocket::open();
  ASSERT_TRUE(other);
  ASSERT_TRUE(other->send(v6("2001:db8::1")));
  EXPECT_FALSE(next(50));  // the kernel gives it to both sockets
  EXPECT_TRUE(other->receive());
}

TEST_F(EchoSockets, SayThatThereIsNoRoute) { EXPECT_FALSE(socket_.send(v6("2001:db8:7::1"))); }

TEST_F(EchoSockets, AreClosedAtFirst) { EXPECT_FALSE(EchoSocket{}.is_open()); }

}  // namespace
}  // namespace culvert::io
