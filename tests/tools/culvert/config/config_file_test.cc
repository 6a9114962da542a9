// Reads the configuration file: the same words as the command line, and the place of an error.
#include "tools/culvert/config/config_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <sstream>

#include "tests/tools/culvert/config/refused_file.h"
#include "tools/culvert/config/command_line.h"
#include "tools/culvert/config/option_table.h"

namespace culvert::program {
namespace {

using testing::HasSubstr;

/// One device "a" with `device_keys`, and one tunnel with `tunnel_keys`.
std::string device(const std::string& device_keys, const std::string& tunnel_keys) {
  return "[device.a]\n" + device_keys + "\n[[device.a.tunnel]]\n" + tunnel_keys + "\n";
}
const std::string kSit = "mode = \"sit\"\nremote = \"192.0.2.2\"\n";
const std::string kGre = "mode = \"gre\"\nremote = \"192.0.2.2\"\n";
/// One device "a" with the tunnel "alice" and a second one with this name and remote endpoint.
std::string two(const std::string& first_keys, const std::string& second_keys,
                const std::string& name = "bob", const std::string& remote = "192.0.2.3") {
  return device("", "name = 'alice'\n" + kSit + first_keys + "\n") +
         "[[device.a.tunnel]]\nname = '" + name + "'\nmode = 'sit'\nremote = '" + remote + "'\n" +
         second_keys + "\n";
}

void expect_same(const host::DeviceSettings& a, const host::DeviceSettings& b) {
  EXPECT_EQ(a.config.device, b.config.device);
  EXPECT_EQ(a.config.mtu, b.config.mtu);
  EXPECT_EQ(a.config.min_pmtu, b.config.min_pmtu);
  EXPECT_EQ(a.config.workers, b.config.workers);
  EXPECT_EQ(a.config.io, b.config.io);
  EXPECT_EQ(a.config.receive, b.config.receive);
  EXPECT_EQ(a.config.busy_poll, b.config.busy_poll);
  EXPECT_EQ(a.config.tunnels, b.config.tunnels);
  EXPECT_EQ(a.config.offload, b.config.offload);
  EXPECT_EQ(a.config.pinning, b.config.pinning);
  EXPECT_EQ(a.config.flows, b.config.flows);
  EXPECT_EQ(a.forwarding, b.forwarding);
  EXPECT_EQ(a.addresses6, b.addresses6);
  EXPECT_EQ(a.addresses4, b.addresses4);
  EXPECT_EQ(a.routes6, b.routes6);
  EXPECT_EQ(a.routes4, b.routes4);
  EXPECT_EQ(a.routed6, b.routed6);
  EXPECT_EQ(a.routed4, b.routed4);
}

TEST(ConfigFile, TakesTheFileOfABroker) {
  const auto settings = parse_file(R"(
[device.he-ipv6]
address = ["2001:db8:1::2/64"]
route   = ["::/0"]
[[device.he-ipv6.tunnel]]
name = "broker"
mode = "sit"
local = "192.168.12.2"
remote = "216.218.221.42"
ttl = 255
)");
  ASSERT_TRUE(settings) << settings.error().message();
  ASSERT_EQ(settings->devices.size(), 1u);
  std::istringstream words{
      "mode sit local 192.168.12.2 remote 216.218.221.42 ttl 255 address 2001:db8:1::2/64 route "
      "::/0"};
  auto same = parse_command_line(
      "he-ipv6", std::vector<std::string>{std::istream_iterator<std::string>{words}, {}}, {});
  ASSERT_TRUE(same);
  same->config.tunnels.at(0).name = "broker";
  expect_same(settings->devices.at(0), *same);
}

/// A key with its TOML value, and the equivalent words of the command line.
struct Same {
  std::string device_keys, tunnel_keys, words;
  std::vector<OptionText> options = {};
};

TEST(ConfigFile, SaysWhatTheCommandLineSays) {
  const Same kSame[] = {
      {"mtu = 1400", kSit, "mtu 1400"},
      {"min_pmtu = 400", kSit, "min-pmtu 400"},
      {"workers = 2\nio = \"epoll\"\nreceive = \"raw\"",
       kSit,
       "",
       {{"workers", "2"}, {"io", "epoll"}, {"receive", "raw"}}},
      {"busy_poll = 50", kSit, "", {{"busy_poll", "50"}}},
      {"address = \"fd00::1/64\"", kSit, "address fd00::1/64"},
      {"address = [\"fd00::1/64\", \"10.0.0.1/30\"]\nroute = [\"10.9.0.0/16\"]", kGre,
       "address fd00::1/64 address 10.0.0.1/30 route 10.9.0.0/16"},
      {"routed = [\"2001:db8:9::/48\", \"10.9.0.0/16\"]", kGre,
       "routed 2001:db8:9::/48 routed 10.9.0.0/16"},
      {"", kSit + "ttl = \"inherit\"\ntos = \"inherit\"", "ttl inherit tos inherit"},
      {"", kSit + "ttl = 64\ntos = 16", "ttl 64 tos 0x10"},
      {"", kSit + "tos = 0xb8", "tos 0xb8"},
      {"", kSit + "local = \"any\"\ndev = \"eth0\"", "local any dev eth0"},
      {"", kSit + "pmtudisc = false\nmssclamp = false\ncoalesce = false",
       "nopmtudisc nomssclamp nocoalesce"},
      {"", kSit + "ecn = \"compatibility\"", "ecn compatibility"},
      {"", kGre + "key = 42\ncsum = true\nseq = true", "key 42 csum seq"},
      {"", kGre + "key = \"0.0.0.42\"", "key 0.0.0.42"},
      {"", kSit + "prefix = '2001:db8:1::/48'\naccept = ['2001:db8::/32', 'fd00::/8']",
       "prefix 2001:db8:1::/48 accept 2001:db8::/32 accept fd00::/8"},
      {"", kGre + "prefix = ['2001:db8:1::/48', '10.0.0.0/8']\nmetric = 5\nweight = 3\nup = false",
       "prefix 2001:db8:1::/48 prefix 10.0.0.0/8 metric 5 weight 3 down"},
      {"forwarding = true\npinning = 'off'\nflows = 2048\noffload = 'off'",
       kSit,
       "forwarding",
       {{"pinning", "off"}, {"flows", "2048"}, {"offload", "off"}}},
      {"", kGre + "ikey = 1\nokey = 4294967295", "ikey 1 okey 4294967295"},
      {"", kGre + "icsum = true\nocsum = false\niseq = true\noseq = false", "icsum iseq"},
  };
  for (const Same& same : kSame) {
    const auto settings = parse_file(device(same.device_keys, same.tunnel_keys));
    ASSERT_TRUE(settings) << same.words << ": " << settings.error().message();
    const bool is_gre = same.tunnel_keys.starts_with(kGre);
    std::istringstream words{
        (is_gre ? "mode gre remote 192.0.2.2 " : "mode sit remote 192.0.2.2 ") + same.words};
    const auto from_words = parse_command_line(
        "a", std::vector<std::string>{std::istream_iterator<std::string>{words}, {}}, same.options);
    ASSERT_TRUE(from_words) << same.words;
    expect_same(settings->devices.at(0), *from_words);
  }
}

TEST(ConfigFile, TakesEveryWordOfTheTable) {
  for (const Option& word : options()) {
    const std::string line = std::string{word.name} + " = [[1]]";  // the wrong type for all of them
    const bool is_device = word.scope == Option::Scope::device;
    const auto settings = parse_file(is_device ? device(line, kSit) : device("", line));
    ASSERT_FALSE(settings) << word.name;
    EXPECT_THAT(settings.error().object, HasSubstr("key '" + std::string{word.name} + "'"));
    EXPECT_THAT(settings.error().advice, testing::Not(HasSubstr("unknown"))) << word.name;
  }
}

TEST(ConfigFile, TakesSeveralDevices) {
  const auto settings = parse_file(
      device("", kSit) + "[device.b]\n[[device.b.tunnel]]\nmode='gre'\nremote='192.0.2.3'\n");
  ASSERT_TRUE(settings) << settings.error().message();
  ASSERT_EQ(settings->devices.size(), 2u);
  EXPECT_EQ(settings->devices.at(0).config.device, "a");
  EXPECT_EQ(settings->devices.at(0).config.tunnels.at(0).name, "a");
  EXPECT_EQ(settings->devices.at(1).config.device, "b");
  EXPECT_EQ(encapsulation_name(settings->devices.at(1).config.tunnels.at(0).mode), "gre");
}

class ConfigFileRefuses : public testing::TestWithParam<RefusedFile> {};

TEST_P(ConfigFileRefuses, WithLineKeyValueAndAdvice) { expect_refused(GetParam()); }

// Lines: [device.a] is 1, its keys 2, [[device.a.tunnel]] 3, mode 4, remote 5, the next key 6.
const RefusedFile kRefusedFiles[] = {
    {"", "", "add a section [device.NAME]"},
    {"[device]", ", line 1", "add a section [device.NAME]"},
    {"device = 3", ", line 1", "add a section [device.NAME]"},
    {"[device.a", ", line 1", "is not TOML"},
    {device("", kSit) + "\n[log]\n", ", line 8, key 'log'",
     "[device.NAME] and [ndp.IFACE] sections"},
    {"[device]\na = 1", ", line 2, key 'a'", "must be a section"},
    {"[device.a]\nmtu = 1400", ", line 1, key 'tunnel'", "add a section [[device.a.tunnel]]"},
    {"[device.a]\ntunnel = []", ", line 1, key 'tunnel'", "add a section [[device.a.tunnel]]"},
    {"[device.a]\n[device.a.tunnel]\nmode = 'sit'", ", line 2, key 'tunnel'", "two brackets"},
    {device("", kSit) + "[[device.a.tunnel]]\n", ", line 7, key 'mode'", "is missing"},
    // Two tunnels. The first is in lines 3 to 7, the second in lines 9 to 13.
    {two("prefix = '2001:db8:1::/48'", "prefix = '2001:db8:2::1/56'"),
     ", line 13, key 'prefix', value '2001:db8:2::1/56'", "write 2001:db8:2::/56"},
    {two("prefix = ['2001:db8:1::/48']", "prefix = ['2001:db8:2::/48',\n'2001:0db8:1::/48']"),
     ", line 14, key 'prefix', value '2001:db8:1::/48'",
     "is a prefix of tunnel 'alice' as well (line 7): give the two a metric or a weight"},
    {two("prefix = '2001:db8:1::/48'", "prefix = ['2001:db8:2::/48',\n'2001:db8:2::/48']"),
     ", line 14, key 'prefix', value '2001:db8:2::/48'", "is given twice: remove one of them"},
    {two("prefix = '2001:db8:1::/48'", "prefix = '10.0.0.0/8'"),
     ", line 13, key 'prefix', value '10.0.0.0/8'", "carries IPv6 only"},
    {two("prefix = '2001:db8:1::/48'", ""), ", line 9, key 'prefix'", "is missing: beside other"},
    {two("prefix = '2001:db8:1::/48'", "prefix = '2001:db8:2::/48'", "alice"),
     ", line 10, key 'name', value 'alice'", "is the name of another tunnel (line 4): give each"},
    {two("prefix = '2001:db8:1::/48'", "prefix = '2001:db8:2::/48'", "bob", "192.0.2.2"),
     ", line 12, key 'remote', value '192.0.2.2'",
     "cannot be told apart on the wire from tunnel 'alice': mode, remote, local and key are the "
     "same (line 6): change local or remote"},
    {"[device.a]\n[[device.a.tunnel]]\n" + kSit + "[[device.a.tunnel]]\n" + kGre,
     ", line 2, key 'name'", "is missing: each of several tunnels"},
    {device("", kSit + "accept = []"), ", line 6, key 'accept'",
     "is empty: write the inner source prefixes"},
    {device("", kSit + "accept = ['::1/32']"), ", line 6, key 'accept', value '::1/32'",
     "write ::/32"},
    {device("", kSit + "weight = 0"), ", line 6, key 'weight', value '0'", "from 1 to 65535"},
    {device("", kSit + "down = true"), ", line 6, key 'down'", "is unknown"},
    {device("pinning = false", kSit), ", line 2, key 'pinning', value 'false'", "string"},
    {device("offload = 'on'", kSit), ", line 2, key 'offload', value 'on'", "must be auto or off"},
    {device("pinning = 'of'", kSit), ", line 2, key 'pinning', value 'of'", "must be on or off"},
    {device("flows = 1000", kSit), ", line 2, key 'flows', value '1000'", "from 1024"},
    {device("forwarding = 'yes'", kSit), ", line 2, key 'forwarding', value 'yes'",
     "must be true or false"},
    {device("", kSit + "ttl = 1.5"), ", line 6, key 'ttl', value '1.5'", "a string or an integer"},
    {device("mtu = 2026-01-02", kSit), ", line 2, key 'mtu', value '2026-01-02'",
     "a string or an integer"},
    {device("forwarding = 0.5", kSit), ", line 2, key 'forwarding', value '0.5'",
     "must be true or false"},
    {device("address = [07:32:00]", kSit), ", line 2, key 'address', value '07:32:00'",
     "an array of strings"},
    {device("", "remote = '192.0.2.2'"), ", line 3, key 'mode'",
     "is missing: write sit, ipip, any or gre"},
    {device("", "mode = 'sit'"), ", line 3, key 'remote'", "is missing"},
    {device("mut = 1400", kSit), ", line 2, key 'mut'", "is 'mtu' meant?"},
    {device("ttl = 64", kSit), ", line 2, key 'ttl'", "[[device.NAME.tunnel]] section"},
    {device("", kSit + "mtu = 1400"), ", line 6, key 'mtu'", "[device.NAME] section"},
    {device("", kSit + "hoplimit = 64"), ", line 6, key 'hoplimit'", "is unknown"},
    {device("", kSit + "prl-default = 1"), ", line 6, key 'prl-default'",
     "the keys of this section are name mode remote"},
    {device("", kSit + "nopmtudisc = true"), ", line 6, key 'nopmtudisc'", "is 'pmtudisc' meant?"},
    {device("", kSit + "pmtudisc = 1"), ", line 6, key 'pmtudisc', value '1'", "true or false"},
    {device("", kGre + "key = true"), ", line 6, key 'key', value 'true'", "must be a string"},
    {device("", kSit + "ttl = 64.0"), ", line 6, key 'ttl', value '64.0'",
     "must be a string or an integer"},
    {device("", kSit + "ttl = [64]"), ", line 6, key 'ttl'", "one value, not an array"},
    {device("", kSit + "ttl = 300"), ", line 6, key 'ttl', value '300'", "0 to 255, or inherit"},
    {device("", kSit + "ttl = -1"), ", line 6, key 'ttl', value '-1'", "0 to 255, or inherit"},
    {device("", kSit + "tos = \"10\""), ", line 6, key 'tos', value '10'", "write 0x10"},
    {device("", kSit + "key = 5"), ", line 6, key 'key', value '5'", "is a word for mode gre"},
    {device("", kGre + "key = 5\nikey = 6"), ", line 7, key 'ikey', value '6'", "as well"},
    {device("", kSit + "name = \"\""), ", line 6, key 'name'", "is empty"},
    {device("", kSit + "dev = \"a\\nb\""), ", line 6, key 'dev', value 'a?b'",
     "not an interface name"},
    {device("address = [\"fd00::1/64\", 7]", kSit), ", line 2, key 'address', value '7'",
     "neither an IPv4 nor an IPv6 address"},
    {device("address = [[\"fd00::1/64\"]]", kSit), ", line 2, key 'address'", "array of strings"},
    {device("\nroute = [\n\"::/0\",\n\"10.0.0.0/8\"]", kSit),
     ", line 5, key 'route', value '10.0.0.0/8'", "carries IPv6 only"},
    {device("mtu = 1000", kSit), ", line 2, key 'mtu', value '1000'", "from 1280"},
    {device("io = \"kqueue\"", kSit), ", line 2, key 'io', value 'kqueue'", "auto, uring or epoll"},
    {"[device.'a b']\n[[device.'a b'.tunnel]]\n" + kSit, ", line 1, key 'device', value 'a b'",
     "a name has 1 to 15"},
};

INSTANTIATE_TEST_SUITE_P(Files, ConfigFileRefuses, testing::ValuesIn(kRefusedFiles));

TEST(ConfigFile, KnowsTheLinesOfTheTunnels) {
  const auto settings =
      parse_file(two("prefix = ['2001:db8:1::/48']", "prefix = ['2001:db8:2::/48']"));
  ASSERT_TRUE(settings);
  const auto& lines = settings->devices.at(0).lines;
  ASSERT_TRUE(lines);
  EXPECT_EQ(lines->file, "culvert.toml");
  EXPECT_THAT(lines->tunnels, testing::ElementsAre(std::pair{"alice", 3u}, std::pair{"bob", 9u}));
}

TEST(ConfigFile, KnowsTheLineOfAnAddressWithoutALength) {
  const auto settings = parse_file(device("address = [\n'2001:db8:1::2']", kSit));
  ASSERT_TRUE(settings);
  EXPECT_THAT(settings->devices.at(0).without_length,
              testing::ElementsAre("address 2001:db8:1::2 (line 3)"));
}

TEST(ConfigFile, ReadsFiles) {
  const std::string path = testing::TempDir() + "culvert_config_file_test.toml";
  std::ofstream{path} << device("mtu = 1400", kSit);
  const auto settings = load_config(path);
  std::remove(path.c_str());
  ASSERT_TRUE(settings) << settings.error().message();
  EXPECT_EQ(settings->devices.at(0).config.mtu, 1400);
}

TEST(ConfigFile, SaysWhyAFileCannotBeRead) {
  const auto missing = load_config("/nonexistent/culvert.toml");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ENOENT);
  EXPECT_EQ(missing.error().object, "/nonexistent/culvert.toml");
  const auto directory = load_config("/");
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().code, EISDIR);
  const auto endless = load_config("/dev/zero");
  ASSERT_FALSE(endless);
  EXPECT_EQ(endless.error().code, EFBIG);
}

}  // namespace
}  // namespace culvert::program
