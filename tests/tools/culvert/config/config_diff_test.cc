// Counts the changes between two files, and refuses changes that need a restart.
#include "tools/culvert/config/config_diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/culvert/config/config_file.h"

namespace culvert::program {
namespace {

using testing::HasSubstr;

constexpr const char* kFile = R"(
[device.broker]
address = ["2001:db8:0:1::1/64"]
[[device.broker.tunnel]]
name = "alice"
mode = "sit"
remote = "203.0.113.7"
prefix = ["2001:db8:0:1::2/128"]
[[device.broker.tunnel]]
name = "bob"
mode = "gre"
key = 7
remote = "203.0.113.9"
prefix = ["2001:db8:0:1::3/128"]
[device.other]
[[device.other.tunnel]]
mode = "sit"
remote = "203.0.113.11"
)";

Settings settings(const std::string& from = "", const std::string& to = "") {
  std::string text = kFile;
  if (!from.empty()) text.replace(text.find(from), from.size(), to);
  auto parsed = parse_config(text, "test");
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message());
  return parsed ? *parsed : Settings{};
}

struct Difference {
  std::string from, to, text;
};

TEST(FindChanges, CountsAndSaysThem) {
  const std::string other =
      "[device.other]\n[[device.other.tunnel]]\nmode = \"sit\"\n"
      "remote = \"203.0.113.11\"\n";
  const std::string carol =
      "[[device.broker.tunnel]]\nname='carol'\nmode='sit'\nremote='203.0.113.13'\n"
      "prefix='2001:db8:0:1::4/128'\n[device.other]";
  const Difference kDifferences[] = {
      {"", "", "nothing has changed"},
      {"key = 7", "key = 8", "1 tunnel changed"},
      {"\"bob\"", "\"bert\"", "1 tunnel added, 1 removed"},
      {"[device.other]", carol, "1 tunnel added"},
      {"::1/64", "::5/64", "1 device changed"},
      {other, "", "1 device removed"},
      {"[device.other]",
       "[device.new]\n[[device.new.tunnel]]\nmode='sit'\nremote='192.0.2.9'\n"
       "[device.other]",
       "1 device added"},
      {"[[device.broker.tunnel]]\nname = \"alice\"",
       "min_pmtu = 400\n[[device.broker.tunnel]]\nname = \"alice\"", "1 device changed"},
      {"[[device.broker.tunnel]]\nname = \"alice\"",
       "mtu = 1400\n[[device.broker.tunnel]]\nttl = 9\nname = \"alice\"",
       "1 device changed; 1 tunnel changed"},
  };
  for (const auto& [from, to, text] : kDifferences)
    EXPECT_EQ(find_changes(settings(), settings(from, to)).to_text(), text) << to;
}

TEST(FindChanges, SaysSeveral) {
  Changes changes;
  changes.tunnels = {.added = 1, .changed = 2, .removed = 1};
  EXPECT_EQ(changes.to_text(), "1 tunnel added, 2 changed, 1 removed");
  changes.devices.removed = 2;
  EXPECT_EQ(changes.to_text(), "2 devices removed; 1 tunnel added, 2 changed, 1 removed");
}

TEST(CheckChange, RefusesWhatIsFixedWhileADeviceRuns) {
  const Settings before = settings();
  const host::DeviceSettings& device = *find_device(before, "broker");
  for (const std::string line :
       {"workers = 2", "io = 'epoll'", "receive = 'raw'", "send = 'raw'", "busy_poll = 7",
        "pinning = 'off'", "offload = 'off'", "flows = 2048"}) {
    const Settings after = settings("address = [\"2001", line + "\naddress = [\"2001");
    const auto checked = check_change(device, *find_device(after, "broker"));
    ASSERT_FALSE(checked) << line;
    EXPECT_EQ(checked.error().object, "broker, word '" + line.substr(0, line.find(' ')) + "'");
    EXPECT_THAT(checked.error().advice, HasSubstr("stop and start culvert"));
  }
  const Settings other = settings("::1/64\"]", "::1/64\"]\nmtu = 1400\nforwarding = true");
  EXPECT_TRUE(check_change(device, *find_device(other, "broker")));
}

}  // namespace
}  // namespace culvert::program
