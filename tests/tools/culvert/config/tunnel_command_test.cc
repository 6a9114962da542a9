// Applies `culvert tunnel` to the settings of a running device.
#include "tools/culvert/config/tunnel_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/culvert/config/config_file.h"

namespace culvert::program {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

host::DeviceSettings broker() {
  const auto settings = parse_config(R"(
[device.broker]
[[device.broker.tunnel]]
name = "alice"
mode = "sit"
remote = "203.0.113.7"
prefix = ["2001:db8:1::/48", "2001:db8:2::/48"]
accept = "2001:db8::/32"
[[device.broker.tunnel]]
name = "bob"
mode = "gre"
key = 7
remote = "203.0.113.9"
prefix = "2001:db8:3::/48"
)",
                                     "test");
  EXPECT_TRUE(settings) << settings.error().message();
  return settings->devices.at(0);
}

using Words = std::vector<std::string>;

TEST(ApplyCommand, AddsATunnel) {
  const Words words{"mode",   "gre",         "key",    "9",
                    "remote", "203.0.113.9", "prefix", "2001:db8:4::/48"};
  const auto next = apply_command(broker(), {"add", "broker", "carol", words});
  ASSERT_TRUE(next) << next.error().message();
  ASSERT_EQ(next->config.tunnels.size(), 3u);
  EXPECT_EQ(next->config.tunnels[0], broker().config.tunnels[0]);
  EXPECT_EQ(next->config.tunnels[2].name, "carol");
  EXPECT_TRUE(broker().lines);
  EXPECT_FALSE(next->lines);  // the file has no line of carol
  EXPECT_EQ(std::get<proto::Gre::Parameters>(next->config.tunnels[2].mode).okey, 9);
}

TEST(ApplyCommand, RemovesATunnel) {
  const auto next = apply_command(broker(), {"del", "broker", "alice", {}});
  ASSERT_TRUE(next);
  EXPECT_THAT(next->config.tunnels, ElementsAre(broker().config.tunnels[1]));
  const auto none = apply_command(*next, {"del", "broker", "bob", {}});
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().advice, HasSubstr("only tunnel"));
}

TEST(ApplyCommand, ChangesWhatIsNamedAndLeavesTheRest) {
  TunnelConfig alice = broker().config.tunnels[0], bob = broker().config.tunnels[1];
  auto next = apply_command(broker(), {"set", "broker", "alice", {"ttl", "9", "down"}});
  ASSERT_TRUE(next) << next.error().message();
  alice.ttl = 9, alice.up = false;
  EXPECT_THAT(next->config.tunnels, ElementsAre(alice, bob));
  next = apply_command(*next, {"set", "broker", "alice", {"up", "prefix", "2001:db8:9::/48"}});
  ASSERT_TRUE(next) << next.error().message();
  alice.up = true;
  alice.prefixes6 = {*proto::Ipv6Prefix::from_text("2001:db8:9::/48")};
  EXPECT_THAT(next->config.tunnels, ElementsAre(alice, bob));
  next = apply_command(*next, {"set", "broker", "alice", {"accept", "fd00::/8"}});
  ASSERT_TRUE(next) << next.error().message();
  alice.accept6 = {*proto::Ipv6Prefix::from_text("fd00::/8")};
  EXPECT_THAT(next->config.tunnels, ElementsAre(alice, bob));
  next = apply_command(*next, {"set", "broker", "bob", {"csum"}});
  ASSERT_TRUE(next) << next.error().message();
  auto& gre = std::get<proto::Gre::Parameters>(bob.mode);
  gre.icsum = gre.ocsum = true;
  EXPECT_THAT(next->config.tunnels, ElementsAre(alice, bob));
}

struct RefusedCommand {
  TunnelCommand command;
  const char* object;
  const char* advice;
};

TEST(ApplyCommand, RefusesInTheWordsOfRun) {
  const RefusedCommand kRefused[] = {
      {{"add", "broker", "bob", {}}, "broker bob", "of that name already"},
      {{"add", "broker", "carol", {}}, "'mode'", "is missing: write sit, ipip, any or gre"},
      {{"add", "broker", "carol", {"mode", "sit", "remote", "203.0.113.7", "prefix", "::/1"}},
       "carol, remote 203.0.113.7",
       "cannot be told apart on the wire from tunnel 'alice'"},
      {{"add", "broker", "carol", {"mode", "sit", "remote", "203.0.113.8"}},
       "carol, prefix",
       "is missing: beside other tunnels"},
      {{"add", "broker", "carol", {"mode", "sit", "workers", "2"}}, "'workers'", "is an option"},
      {{"add", "broker", "carol", {"mode", "sit", "route", "::/0"}}, "'route'", "of the device"},
      {{"set", "broker", "alice", {"prefix", "2001:db8:3::/48"}},
       "bob, prefix 2001:db8:3::/48",
       "is a prefix of tunnel 'alice' as well"},
      {{"set", "broker", "alice", {"ttl", "300"}}, "'ttl', value '300'", "must be a number"},
      {{"set", "broker", "alice", {"key", "3"}}, "'key', value '3'", "is a word for mode gre"},
      {{"set", "broker", "alice", {"mode", "x"}}, "'mode', value 'x'", "is not a mode of culvert"},
      {{"set", "broker", "carol", {"up"}}, "broker carol", "no tunnel of that name"},
      {{"set", "broker", "alice", {}}, "broker alice", "has no words"},
      {{"del", "broker", "alice", {"up"}}, "broker alice", "takes no words, but has 'up'"},
      {{"del", "broker", "", {}}, "broker", "names no tunnel"},
      {{"remove", "broker", "alice", {}}, "broker alice", "there are add, del and set"},
  };
  for (const auto& [command, object, advice] : kRefused) {
    const auto next = apply_command(broker(), command);
    ASSERT_FALSE(next) << advice;
    EXPECT_EQ(next.error().code, 0);
    EXPECT_THAT(next.error().object, HasSubstr(object));
    EXPECT_THAT(next.error().advice, HasSubstr(advice));
  }
}

}  // namespace
}  // namespace culvert::program
