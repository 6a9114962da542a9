// Reads [ndp.IFACE] of the configuration file: the settings, the place of an error, and the
// conversion back to TOML.
#include "tools/culvert/config/ndp_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/tools/culvert/config/refused_file.h"

namespace culvert::program {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

proto::Ipv6Prefix prefix(std::string_view text) { return *proto::Ipv6Prefix::from_text(text); }

void expect_same(const NdpConfig& a, const NdpConfig& b) {
  EXPECT_EQ(a.interface, b.interface);
  EXPECT_EQ(a.router, b.router);
  EXPECT_EQ(a.rules, b.rules);
  EXPECT_EQ(a.except, b.except);
  EXPECT_EQ(a.answers_per_second, b.answers_per_second);
  EXPECT_EQ(a.answers_per_second_per_source, b.answers_per_second_per_source);
  EXPECT_EQ(a.delay, b.delay);
  EXPECT_EQ(a.source, b.source);
  EXPECT_EQ(a.announce, b.announce);
  EXPECT_EQ(a.probe, b.probe);
  EXPECT_EQ(a.on_link, b.on_link);
  EXPECT_EQ(a.on_link_ttl, b.on_link_ttl);
}

TEST(NdpWords, AreAsByDefaultButForTheRule) {
  const auto settings = parse_file(R"(
[ndp.eth0]
router = true
[[ndp.eth0.rule]]
prefix = "2001:db8:0:1::/64"
answer = "auto"
)");
  ASSERT_TRUE(settings) << settings.error().message();
  EXPECT_TRUE(settings->devices.empty());  // static rules make sense alone
  ASSERT_EQ(settings->ndp.size(), 1u);
  NdpConfig expected;
  expected.interface = "eth0";
  expected.rules = {{.prefix = prefix("2001:db8:0:1::/64"), .answer = NdpAnswer::automatic}};
  expect_same(settings->ndp[0], expected);
}

/// Every key with a value that is not its default.
NdpConfig everything() {
  NdpConfig config;
  config.interface = "eth0.100";  // a dot, which a bare key of TOML cannot have
  config.router = false;
  config.rules = {{prefix("2001:db8::/32"), NdpAnswer::always, {prefix("2001:db8:1::/48")}},
                  {prefix("2001:db8:2::1/128"), NdpAnswer::probe, {}, {"br-lan", "br-guest"}},
                  {prefix("2001:db8:3::/48"), NdpAnswer::automatic, {}}};
  config.except = {prefix("2001:db8:4::/48"), prefix("2001:db8:5::/48")};
  config.answers_per_second = 1;
  config.answers_per_second_per_source = 2;
  config.delay = 3ms;
  config.source = NdpSource::global;
  config.announce = NdpAnnounce::duplicate_detection;
  config.on_link = 64;
  config.on_link_ttl = 5000ms;
  config.probe = {.timeout = 60ms,
                  .tries = 7,
                  .alive_ttl = 800ms,
                  .dead_ttl = 900ms,
                  .per_second = 10,
                  .cache = 110};
  return config;
}

TEST(NdpWords, AnnounceInTheFormsOfBefore) {
  for (const bool announces : {true, false}) {
    const auto settings =
        parse_file("[ndp.a]\nannounce = " + std::string{announces ? "true" : "false"} +
                   "\n[[ndp.a.rule]]\nprefix = '2001:db8::/64'\n");
    ASSERT_TRUE(settings) << settings.error().message();
    EXPECT_EQ(settings->ndp.at(0).announce,
              announces ? NdpAnnounce::advertisement : NdpAnnounce::none);
  }
}

TEST(NdpWords, SetEveryMember) {
  const auto settings = parse_file(R"(
[ndp."eth0.100"]
router = false
except = ["2001:db8:4::/48", "2001:db8:5::/48"]
answers_per_second = 1
answers_per_second_per_source = 2
delay = 3
source = "global"
announce = "dad"
on_link = 64
on_link_ttl = 5000
probe = { timeout = 60, tries = 7, alive_ttl = 800, dead_ttl = 900, per_second = 10, cache = 110 }
[[ndp."eth0.100".rule]]
prefix = "2001:db8::/32"
answer = "static"
except = "2001:db8:1::/48"
[[ndp."eth0.100".rule]]
prefix = "2001:db8:2::1"
answer = "probe"
interface = ["br-lan", "br-guest"]
[[ndp."eth0.100".rule]]
prefix = "2001:db8:3::/48"
answer = "auto"
)");
  ASSERT_TRUE(settings) << settings.error().message();
  expect_same(settings->ndp.at(0), everything());
}

TEST(NdpWords, ComeBackFromTheirToml) {
  const auto settings = parse_file(ndp_toml(everything()));
  ASSERT_TRUE(settings) << settings.error().message() << ndp_toml(everything());
  expect_same(settings->ndp.at(0), everything());
}

TEST(NdpWords, OfTwoInterfacesStandSideBySide) {
  NdpConfig other = everything();
  other.interface = "lan\"1\\";  // Linux takes such names
  const auto settings = parse_file(ndp_toml(everything()) + ndp_toml(other));
  ASSERT_TRUE(settings) << settings.error().message();
  ASSERT_EQ(settings->ndp.size(), 2u);
  expect_same(settings->ndp.at(0), everything());
  expect_same(settings->ndp.at(1), other);
}

/// [ndp.a] is line 1, `keys` begin at line 2.
std::string section(const std::string& keys) { return "[ndp.a]\n" + keys + "\n"; }
/// [ndp.a] is line 1, [[ndp.a.rule]] line 2, its prefix line 3, `keys` begin at line 4.
std::string rule(const std::string& keys) {
  return section("[[ndp.a.rule]]\nprefix = '2001:db8::/32'\n" + keys);
}
const std::string kRule = "[[ndp.a.rule]]\nprefix = '2001:db8::/32'\n";

const RefusedFile kRefusedNdp[] = {
    {"[ndp]", ", line 1", "add a section [ndp.NAME]"},
    {"ndp = 1", ", line 1", "add a section [ndp.NAME]"},
    {"[ndp]\na = 1", ", line 2, key 'a'", "must be a section: [ndp.IFACE]"},
    {section(""), ", line 1, key 'rule'", "add a section [[ndp.a.rule]] with prefix and answer"},
    {section("rule = []"), ", line 1, key 'rule'", "add a section [[ndp.a.rule]]"},
    {section("rule = 1"), ", line 2, key 'rule'", "two brackets: [[ndp.a.rule]]"},
    {section("[ndp.a.rule]\nprefix = '::/0'"), ", line 2, key 'rule'", "two brackets"},
    {section("probe = 1\n" + kRule), ", line 2, key 'probe'", "must be a section: [ndp.a.probe]"},
    {section("ruter = true\n" + kRule), ", line 2, key 'ruter'", "is 'router' meant?"},
    {section("hostname = 'a'\n" + kRule), ", line 2, key 'hostname'",
     "the keys of this section are router except"},
    {section("timeout = 1\n" + kRule), ", line 2, key 'timeout'", "the [ndp.a.probe] section"},
    {section("answer = 'auto'\n" + kRule), ", line 2, key 'answer'", "the [[ndp.a.rule]] section"},
    {rule("router = true"), ", line 4, key 'router'", "the [ndp.a] section"},
    {section("[ndp.a.probe]\nretries = 3\n" + kRule), ", line 3, key 'retries'",
     "is 'tries' meant?"},
    {section("router = 'yes'\n" + kRule), ", line 2, key 'router', value 'yes'", "true or false"},
    {section("delay = '1s'\n" + kRule), ", line 2, key 'delay', value '1s'", "an integer"},
    {section("delay = 1001\n" + kRule), ", line 2, key 'delay', value '1001'",
     "from 0 to 1000 milliseconds"},
    {section("delay = -1\n" + kRule), ", line 2, key 'delay', value '-1'", "a number from 0"},
    {section("delay = [1]\n" + kRule), ", line 2, key 'delay'", "an integer"},
    {section("on_link = 1\n" + kRule), ", line 2, key 'on_link', value '1'", "from 16 to 65536"},
    {section("\n[ndp.a.probe]\ntries = 0\n" + kRule), ", line 4, key 'tries', value '0'",
     "from 1 to 10"},
    {section("except = ['fe80::/10', '2001:db8::1/64']\n" + kRule),
     ", line 2, key 'except', value '2001:db8::1/64'", "write 2001:db8::/64"},
    {section("except = ['::/0', '::/0']\n" + kRule), ", line 2, key 'except', value '::/0'",
     "is given twice"},
    {section("except = [1]\n" + kRule), ", line 2, key 'except', value '1'", "array of strings"},
    {rule("answer = 'probe'\ninterface = ['b',\n'a']"), ", line 6, key 'interface', value 'a'",
     "is the interface that asks"},
    {rule("interface = 'b'"), ", line 4, key 'interface', value 'b'", "needs answer"},
    {rule("interface = 1"), ", line 4, key 'interface', value '1'", "array of strings"},
    {rule("answer = 'automatic'"), ", line 4, key 'answer', value 'automatic'",
     "must be static, auto or probe"},
    {section("source = 'fe80::1'\n" + kRule), ", line 2, key 'source', value 'fe80::1'",
     "must be link-local, global or target"},
    {section("announce = 'ns'\n" + kRule), ", line 2, key 'announce', value 'ns'",
     "must be na, dad, echo, true or false"},
    {section("announce = 1\n" + kRule), ", line 2, key 'announce', value '1'", "must be a string"},
    {section("delay = 1.5\n" + kRule), ", line 2, key 'delay', value '1.5'", "must be an integer"},
    {rule("answer = true"), ", line 4, key 'answer', value 'true'", "must be a string"},
    {rule("except = [\n'2001:db8:1::/48',\n'2001:db9::/48']"),
     ", line 6, key 'except', value '2001:db9::/48'", "outside"},
    {rule("except = '2001:db8::/32'"), ", line 4, key 'except', value '2001:db8::/32'",
     "takes away the whole of the rule"},
    {section("[[ndp.a.rule]]\nanswer = 'auto'"), ", line 2, key 'prefix'", "is missing"},
    {section("[[ndp.a.rule]]\nprefix = '2001:db8::1/64'"),
     ", line 3, key 'prefix', value '2001:db8::1/64'", "write 2001:db8::/64"},
    {section("[[ndp.a.rule]]\nprefix = '10.0.0.0/8'"), ", line 3, key 'prefix', value '10.0.0.0/8'",
     "write an IPv6 prefix"},
    {section("[[ndp.a.rule]]\nprefix = 'ff02::/16'"), ", line 3, key 'prefix', value 'ff02::/16'",
     "is multicast"},
    {section("[[ndp.a.rule]]\nprefix = 'eth1'"), ", line 3, key 'prefix', value 'eth1'",
     "prefix length"},
    {rule(kRule), ", line 5, key 'prefix', value '2001:db8::/32'", "is there twice"},
    {"[ndp.'a b']\n[[ndp.'a b'.rule]]\nprefix = '2001:db8::/32'", ", line 1, key 'a b'",
     "1 to 15 characters"},
    {"[device.a]\n[[device.a.tunnel]]\nmode = 'sit'\nremote = '192.0.2.2'\n" + rule(""),
     ", line 5, key 'a'", "is a tunnel device"},
};

class NdpWordsRefuse : public testing::TestWithParam<RefusedFile> {};

TEST_P(NdpWordsRefuse, WithLineKeyValueAndAdvice) { expect_refused(GetParam()); }

INSTANTIATE_TEST_SUITE_P(Files, NdpWordsRefuse, testing::ValuesIn(kRefusedNdp));

}  // namespace
}  // namespace culvert::program
