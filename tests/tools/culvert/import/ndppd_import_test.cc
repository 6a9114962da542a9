// Imports ndppd.conf files of both dialects: compares the TOML, read by our own parser, and the
// report of each key. The files are like those of ndppd 0.2.5, 0.2.x master and 1.0-devel.
#include "tools/culvert/import/ndppd_import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/culvert/config/config_file.h"

namespace culvert::program {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

proto::Ipv6Prefix prefix(std::string_view text) { return *proto::Ipv6Prefix::from_text(text); }

struct Read {
  std::vector<NdpConfig> ndp;
  std::vector<std::string> report;
  std::string summary;
};

Read import(std::string_view text, std::optional<NdppdDialect> dialect = std::nullopt) {
  const auto imported = import_ndppd(text, "n", dialect);
  EXPECT_TRUE(imported) << imported.error().message();
  if (!imported) return {};
  Read read{{}, {}, imported->summary};
  for (const ImportedKey& key : imported->keys) read.report.push_back(report_line(key, "n"));
  if (imported->toml.empty()) return read;
  const auto settings = parse_config(imported->toml, "imported");
  EXPECT_TRUE(settings) << settings.error().message() << "\n" << imported->toml;
  if (settings) read.ndp = settings->ndp;
  return read;
}

// 0.2.x master, ndppd.conf-dist without its comments, and with two more rules.
constexpr const char* kOld = R"(route-ttl 30000
address-ttl 30000
proxy eth0 {
   router yes
   timeout 400
   autowire no
   keepalive yes
   retries 4
   promiscuous no
   ttl 40000
   # a comment
   rule 1111:: {
      auto
      autovia no
   }
   rule 2001:db8:1::/64 { // another
      static
   }
   /* and
      one more */
   rule 2001:db8:2::1/64 { iface tun0 }
}
)";

TEST(ImportNdppd, TakesAFileOf02) {
  const Read read = import(kOld);
  ASSERT_EQ(read.ndp.size(), 1u);
  const NdpConfig& config = read.ndp[0];
  EXPECT_EQ(config.interface, "eth0");
  EXPECT_TRUE(config.router);
  EXPECT_EQ(config.probe.timeout, 400ms);
  EXPECT_EQ(config.probe.tries, 4u);
  EXPECT_EQ(config.probe.alive_ttl, 40'000ms);
  EXPECT_EQ(config.probe.dead_ttl, 40'000ms);  // deadtime is ttl where it is not given
  EXPECT_THAT(config.rules,
              ElementsAre(NdpRule{prefix("1111::/128"), NdpAnswer::automatic, {}},
                          NdpRule{prefix("2001:db8:1::/64"), NdpAnswer::always, {}},
                          NdpRule{prefix("2001:db8:2::/64"), NdpAnswer::probe, {}, {"tun0"}}));
  EXPECT_THAT(
      read.report,
      ElementsAre(
          HasSubstr("n:1: route-ttl 30000: mapped-with-difference: is not needed"),
          HasSubstr("n:2: address-ttl 30000: mapped-with-difference: is not needed"),
          "n:3: proxy eth0: mapped: [ndp.eth0]", "n:4: router yes: mapped: router = true",
          "n:5: timeout 400: mapped: probe.timeout = 400", HasSubstr("n:6: autowire no: mapped"),
          HasSubstr("n:7: keepalive yes: mapped-with-difference"),
          "n:8: retries 4: mapped: probe.tries = 4", HasSubstr("n:9: promiscuous no: mapped"),
          "n:10: ttl 40000: mapped: probe.alive_ttl = 40000",
          "n:12: rule 1111::: mapped: prefix = \"1111::/128\"",
          HasSubstr("n:13: auto: mapped-with-difference: answer = \"auto\""),
          HasSubstr("n:14: autovia no: mapped"),
          "n:16: rule 2001:db8:1::/64: mapped: prefix = \"2001:db8:1::/64\"",
          HasSubstr(
              "n:17: static: mapped-with-difference: answer = \"static\": culvert also answers "
              "duplicate address detection"),
          "n:21: rule 2001:db8:2::1/64: mapped: prefix = \"2001:db8:2::/64\"",
          HasSubstr("n:21: iface tun0: mapped-with-difference: answer = \"probe\"")));
  EXPECT_THAT(read.summary, HasSubstr("ndppd 0.2, because it has the key 'route-ttl'"));
}

TEST(ImportNdppd, TakesAFileOf10) {
  const Read read = import(R"(invalid-ttl 5000
valid-ttl 20000
renew 5000
retrans-limit 2
retrans-time 700
keepalive yes
use-kernel no
proxy eth0 {
    router yes
    rule 2001:db8::1/127 {
        iface eth1 # a comment
        autowire
        table 254
    }
}
proxy eth1 {
    rule dead:1::/64 { auto }
}
)");
  ASSERT_EQ(read.ndp.size(), 2u);
  EXPECT_TRUE(read.ndp[0].router);
  EXPECT_EQ(read.ndp[0].probe.timeout, 700ms);
  EXPECT_EQ(read.ndp[0].probe.tries, 2u);
  EXPECT_EQ(read.ndp[0].probe.alive_ttl, 20'000ms);
  EXPECT_EQ(read.ndp[0].probe.dead_ttl, 5000ms);
  EXPECT_THAT(read.ndp[0].rules,
              ElementsAre(NdpRule{prefix("2001:db8::/127"), NdpAnswer::probe, {}, {"eth1"}, true}));
  EXPECT_FALSE(read.ndp[1].router);          // 1.0's default
  EXPECT_EQ(read.ndp[1].probe, NdpProbe{});  // no rule of it asks
  EXPECT_THAT(read.report, testing::Contains(HasSubstr("n:12: autowire: mapped: wire = true")));
  EXPECT_THAT(read.summary, HasSubstr("ndppd 1.0, because it has the key 'invalid-ttl'"));
}

TEST(ImportNdppd, Has10sDefaultsWhereItsFileIsSilent) {
  const Read read = import("proxy a {\nrule 2001:db8::/64 {\niface b\ntable 254\n}\n}\n");
  ASSERT_EQ(read.ndp.size(), 1u);
  EXPECT_FALSE(read.ndp[0].router);
  EXPECT_EQ(read.ndp[0].probe.timeout, 1000ms);
  EXPECT_EQ(read.ndp[0].probe.tries, 3u);
  EXPECT_EQ(read.ndp[0].probe.alive_ttl, 30'000ms);
  EXPECT_EQ(read.ndp[0].probe.dead_ttl, 10'000ms);
}

TEST(ImportNdppd, SaysWhenNoKeyTellsTheDialect) {
  const Read read = import("proxy a { rule ::1:0/112 { static } }");
  EXPECT_TRUE(read.ndp.at(0).router);
  EXPECT_THAT(read.summary, HasSubstr("ndppd 0.2, because no key shows the version"));
  EXPECT_THAT(read.summary, HasSubstr("write --dialect 1.0"));
}

/// One key or rule of a file, and its line of the report.
struct Reported {
  std::string text;
  std::string line;  ///< a part of it
};

/// `keys` begin at line 2 of a section of 0.2 with one rule.
std::string section(const std::string& keys) {
  return "proxy a {\n" + keys + "\nrule 2001:db8::/64 { iface b }\nttl 30000\n}\n";
}
std::string rules(const std::string& text) { return "route-ttl 1\nproxy a {\n" + text + "\n}"; }
std::string rules_of_10(const std::string& text) { return "renew 1\nproxy a {\n" + text + "\n}"; }

/// A file, and the dialect that is found in it.
struct Detected {
  std::string text;
  NdppdDialect dialect;
  std::string summary;  ///< a part of it
};
constexpr auto kOldDialect = NdppdDialect::v0_2, kNewDialect = NdppdDialect::v1_0;

const Detected kDetected[] = {
    // A key that both dialects have, in the place of the other one, does not decide.
    {"proxy a {\n rule ::1 {\n static\n autowire yes\n }\n}", kOldDialect,
     "ndppd 1.0 has the key 'autowire' (line 4) in this place: if it is a file of 1.0, where "
     "router "
     "is false if it is not set, write --dialect 1.0"},
    {"keepalive yes\nproxy a {\n rule ::1 {\n auto\n }\n}", kOldDialect, "'keepalive' (line 1)"},
    {"renew 1\nproxy a {\n keepalive yes\n rule ::1 {\n auto\n }\n}", kNewDialect,
     "ndppd 0.2 has the key 'keepalive' (line 3) in this place: if it is a file of 0.2, write "
     "--dialect 0.2"},
    // A key of 0.2 that 1.0 does not have: 1.0 refuses the file, but 0.2 ignores keys of 1.0.
    {"valid-ttl 1\nproxy a {\n ttl 1\n rule ::1 {\n auto\n }\n}", kOldDialect,
     "because it has the key 'ttl' (line 3); only ndppd 1.0 has the key 'valid-ttl' (line 1)"},
    // 1.0 refuses two statements in one line.
    {"proxy a { rule ::1 { iface b table 7 } }", kOldDialect,
     "because ndppd 1.0 refuses n, line 1: there is more text after 'iface'"},
    {"proxy a { rule ::1 { static  autowire yes } }", kOldDialect, "no key shows the version"},
    {"proxy a {\n rule ::1 {\n iface b\n table 7\n }\n}", kNewDialect, "'table' (line 4)"},
};

TEST(ImportNdppd, FindsTheDialect) {
  for (const Detected& detected : kDetected) {
    const auto file = read_ndppd(detected.text, "n");
    ASSERT_TRUE(file) << detected.text;
    EXPECT_EQ(file->dialect, detected.dialect) << detected.text;
    const Read read = import(detected.text);
    EXPECT_THAT(read.summary, HasSubstr(detected.summary)) << detected.text;
    ASSERT_EQ(read.ndp.size(), 1u);
    EXPECT_EQ(read.ndp[0].router, detected.dialect == kOldDialect) << detected.text;
  }
}

TEST(ImportNdppd, TakesTheDialectThatIsAskedFor) {
  const std::string text = "proxy a {\n rule ::1 {\n iface b\n autowire\n }\n}";
  EXPECT_TRUE(import(text, kOldDialect).ndp.at(0).router);
  const Read read = import(text, kNewDialect);
  EXPECT_FALSE(read.ndp.at(0).router);
  EXPECT_THAT(read.summary, HasSubstr("ndppd 1.0, because --dialect says so"));
  EXPECT_THAT(read.report, testing::Contains(HasSubstr("n:4: autowire: mapped: wire = true")));
}

TEST(ImportNdppd, NeverMakesRouterFalseSilently) {
  EXPECT_THAT(import("renew 1\nproxy a {\nrule ::1 {\nauto\n}\n}").report,
              testing::Contains(HasSubstr("n:2: proxy a: mapped: [ndp.a]; router = false, which is "
                                          "the default of ndppd 1.0")));
}

TEST(ImportNdppd, TakesTheLastOfEqualRulesIn10) {
  EXPECT_THAT(import(rules_of_10("rule ::1 {\niface b\n}\nrule ::1 {\nstatic\n}")).ndp.at(0).rules,
              ElementsAre(NdpRule{prefix("::1/128"), NdpAnswer::always, {}}));
}

TEST(ImportNdppd, ReportsEveryRuleAfterAWrongOne) {
  const Read read = import(
      "proxy { rule 2001:db8:9::/64 { static } }\nproxy a {\nrule * { static }\n"
      "rule { static }\nrule 2001:db8::/64 { static }\nrule eth1 { iface }\n}");
  ASSERT_EQ(read.ndp.size(), 1u);
  EXPECT_THAT(read.ndp[0].rules,
              ElementsAre(NdpRule{prefix("2001:db8::/64"), NdpAnswer::always, {}}));
  EXPECT_THAT(
      read.report,
      ElementsAre(HasSubstr("n:1: proxy: unsupported: left out: is not an interface name"),
                  HasSubstr("n:1: rule 2001:db8:9::/64: unsupported: is in the section of line 1"),
                  HasSubstr("n:1: static: unsupported: is in the section of line 1"),
                  HasSubstr("n:2: proxy a: mapped"),
                  HasSubstr("n:3: rule *: unsupported: left out: '*' is not an IPv6 address"),
                  "n:3: static: unsupported: is in the rule of line 3, which is left out",
                  HasSubstr("n:4: rule: unsupported: left out: it has no prefix"),
                  HasSubstr("n:4: static: unsupported"),
                  HasSubstr("n:5: rule 2001:db8::/64: mapped"),
                  HasSubstr("n:5: static: mapped-with-difference"),
                  HasSubstr("n:6: rule eth1: unsupported: left out: 'eth1' is not"),
                  HasSubstr("n:6: iface: unsupported")));
}

const Reported kReported[] = {
    {section("router = 'YES'"), "n:2: router YES: mapped: router = true"},
    {section("router on"), "n:2: router on: mapped: router = false"},  // yes and true alone
    {section("timeout 600ms"), "mapped: probe.timeout = 600, as ndppd reads it"},
    {section("timeout 0"),
     "mapped-with-difference: probe.timeout = 10, which is culvert's minimum"},
    {section("deadtime 99999999999"), "probe.dead_ttl = 86400000, which is culvert's maximum"},
    {section("retries -1"), "mapped-with-difference: a negative number"},
    {section("retries 2\nretries 3"),
     "n:3: retries 3: ignored-by-original: ndppd 0.2 uses the "
     "first value, in line 2"},
    {section("autowire yes"), "n:2: autowire yes: mapped: wire = true"},
    {section("autowire yes"),
     "n:3: rule 2001:db8::/64: mapped: prefix = \"2001:db8::/64\"; wire = true"},
    {"proxy a {\nautowire yes\nrule ::1 { auto }\n}",
     "n:3: rule ::1: mapped: prefix = \"::1/128\"; needs no wire: the kernel has a route"},
    {rules("rule ::1 { iface a }"),
     "n:3: iface a: unsupported: answer = \"probe\": this is the interface that asks"},
    {rules("rule ::1 { iface b\nautovia yes }"),
     "n:4: autovia yes: mapped-with-difference: culvert's routes"},
    {section("promiscuous true"),
     "mapped-with-difference: culvert does not make the interface promiscuous"},
    {section("rooter yes"),
     "n:2: rooter yes: ignored-by-original: ndppd 0.2 does not know this key: is "
     "'router' meant?"},
    {section("route-ttl 1"), "ignored-by-original: ndppd 0.2 knows this key only at the top"},
    {section("valid-ttl { a 1 }"), "n:2: a 1: ignored-by-original: is in the block of 'valid-ttl'"},
    {section("router off"), "router = false, because ndppd 0.2 reads only yes and true as yes"},
    {rules_of_10("router on\nrule 2001:db8::/64 {\nauto\n}"),
     "n:3: router on: unsupported: router = true; ndppd 1.0 refuses this value"},
    {section("valid-ttl 1"),
     "ignored-by-original: ndppd 0.2 does not know this key: only 1.0 has it"},
    {rules("rule 2001:db8::/64 { static no }"), "ndppd ignores the value"},
    {rules("rule 2001:db8::/64 { static autowire yes }"),
     "n:3: static autowire: mapped-with-difference: answer = \"static\": culvert also answers "
     "duplicate address detection, which ndppd 0.2 never does; ndppd ignores the value 'autowire': "
     "if a key is meant, write it in a line of its own"},
    {rules_of_10("rule 2001:db8::/64 {\nstatic\n}"),
     "n:4: static: mapped-with-difference: answer = \"static\": culvert's answers have the "
     "Override "
     "flag clear"},
    {rules("rule ::1 { iface }"),
     "n:3: rule ::1: unsupported: prefix = \"::1/128\"; left out: iface "
     "names no interface"},
    {rules("rule ::1 { iface a/b }"), "left out: iface names no interface"},
    {rules("rule 10.0.0.0/8 { static }"),
     "n:3: rule 10.0.0.0/8: unsupported: left out: '10.0.0.0/8' "
     "is not an IPv6 address with or without a prefix length: ndppd never answers by this rule"},
    {rules_of_10("rule * {\nstatic\n}\nrule ::1 {\nauto\n}"),
     "'*' is not an IPv6 address with or "
     "without a prefix length: ndppd 1.0 refuses the file"},
    {"proxy a/b { rule ::1 { static } }",
     "n:1: proxy a/b: unsupported: left out: is not an interface"},
    {rules("rule ::1 { iface b }\nrule ::1 { iface c }"),
     "n:4: rule ::1: mapped: prefix = \"::1/128\"; joined with the rule of line 3, which has both "
     "interfaces then"},
    {rules("rule 2001:db8::/32 { iface b }\nrule 2001:db8::/64 { iface c }"),
     "n:4: rule 2001:db8::/64: mapped-with-difference: prefix = \"2001:db8::/64\"; ndppd tries the "
     "rule of line 3 too"},
    {"route-ttl 1\nproxy a { router no }",
     "n:2: router no: mapped: router = false; left out with its "
     "section"},
    {rules("rule 2001:db8::/64 { }"),
     "unsupported: prefix = \"2001:db8::/64\"; left out: it has "
     "none of static, auto and iface"},
    {rules("rule 2001:db8::/64 { auto\nstatic }"), "refuses a rule with more than one"},
    {rules("rule ff02::1 { static }"), "n:3: rule ff02::1: unsupported"},
    // culvert uses the longest prefix; ndppd uses the order, and tries several rules.
    {rules("rule 2001:db8::/32 { static }\nrule 2001:db8::/64 { iface b }"),
     "n:4: rule 2001:db8::/64: mapped-with-difference: prefix = \"2001:db8::/64\"; ndppd tries the "
     "rule of line 3 too"},
    {rules("rule 2001:db8::/32 { iface b }\nrule 2001:db8::/64 { static }"),
     "n:4: rule 2001:db8::/64: mapped: prefix = \"2001:db8::/64\""},
    {rules("rule 2001:db8::/64 { iface b }\nrule 2001:db8::/64 { static }"),
     "n:4: rule 2001:db8::/64: mapped-with-difference: prefix = \"2001:db8::/64\"; has the prefix "
     "of line 3: ndppd tries both, but culvert has one rule with answer = \"static\""},
    // 1.0 puts each new rule in front of the others.
    {rules_of_10("rule 2001:db8::/64 {\niface b\n}\nrule 2001:db8::/32 {\nstatic\n}"),
     "n:3: rule 2001:db8::/64: mapped-with-difference: prefix = \"2001:db8::/64\"; ndppd uses the "
     "rule of line 6, which is later"},
    {rules_of_10("rule 2001:db8::/32 {\nstatic\n}\nrule 2001:db8::/64 {\niface b\n}"),
     "n:6: rule 2001:db8::/64: mapped: prefix = \"2001:db8::/64\""},
    {rules_of_10("rule 2001:db8::/64 {\niface b\n}\nrule 2001:db8::/64 {\nstatic\n}"),
     "n:3: rule 2001:db8::/64: ignored-by-original: prefix = \"2001:db8::/64\"; the rule of line 6 "
     "has the same prefix, and ndppd 1.0 uses the last one"},
    {rules_of_10("router no\nrouter yes\nrule 2001:db8::/64 {\nauto\n}"),
     "n:3: router no: ignored-by-original: router = false; ndppd 1.0 uses the last value, in line "
     "4"},
    {rules_of_10("target 02:00:00:00:00:01\nrule 2001:db8::/64 {\nauto\n}"), "unsupported"},
    {rules_of_10("rule 2001:db8::/64 {\nauto\nrewrite 2001:db9::/64\n}"),
     "n:5: rewrite 2001:db9::/64: unsupported"},
    {rules_of_10("rule 2001:db8::/64 {\nauto\ntable 7\n}"), "n:5: table 7: mapped-with-difference"},
    {rules_of_10("promisc yes\nrule 2001:db8::/64 {\nauto\n}"),
     "n:3: promisc yes: unsupported: ndppd 1.0 does not know this key"},
    {"proxy a { rule 2001:db8::/64 { static } }\nproxy a { router no\nttl 1 }",
     "n:2: proxy a: mapped-with-difference: culvert has one section for each interface"},
    {"proxy a { router no\nrule ::1 { auto } }\nproxy a { router yes }\nroute-ttl 1",
     "n:3: router yes: unsupported: the section of this interface has one value"},
    {"proxy a { router no }\nproxy b { rule ::1 { static } }\nroute-ttl 1",
     "n:1: proxy a: mapped-with-difference: [ndp.a]; left out, because it has no rule"},
};

TEST(ImportNdppd, ReportsEachKey) {
  for (const Reported& reported : kReported) {
    EXPECT_THAT(import(reported.text).report, testing::Contains(HasSubstr(reported.line)))
        << reported.text;
  }
}

TEST(ImportNdppd, JoinsTheInterfacesOfEqualRulesAndWiresThem) {
  const Read read =
      import("proxy a {\nautowire yes\nrule ::1 { iface b }\nrule ::1 { iface c }\n}");
  EXPECT_THAT(read.ndp.at(0).rules,
              ElementsAre(NdpRule{prefix("::1/128"), NdpAnswer::probe, {}, {"b", "c"}, true}));
  std::string many = "proxy a {\n";
  for (char name = 'b'; name <= 'j'; ++name)
    many += std::string{"rule ::1 { iface "} + name + " }\n";
  EXPECT_EQ(import(many + "}").ndp.at(0).rules.at(0).interfaces.size(), kMaxNdpRuleInterfaces);
  EXPECT_THAT(
      import(many + "}").report,
      testing::Contains(HasSubstr("n:10: rule ::1: unsupported: prefix = \"::1/128\"; has the "
                                  "prefix of line 2: a rule of culvert has at most 8")));
}

TEST(ImportNdppd, IsWholeWithoutUnsupportedKeys) {
  EXPECT_TRUE(import_ndppd(kOld, "n")->is_whole());
  EXPECT_FALSE(import_ndppd(rules_of_10("rule ::1 {\niface b\nrewrite ::2\n}"), "n")->is_whole());
}

TEST(ImportNdppd, QuotesNamesThatTomlWouldTakeApart) {
  EXPECT_EQ(import("proxy eth0.100 { rule 2001:db8::/64 { static } }").ndp.at(0).interface,
            "eth0.100");
}

struct Refused {
  std::string text;
  std::string object;
  std::string advice;
};

const Refused kRefused[] = {
    {"", "n", "there is no `proxy IFACE"},
    {"route-ttl 1", "n", "there is no `proxy IFACE"},
    {"proxy a {\nrule ::1 { static }\n", "n, line 1", "is not closed"},
    {"proxy a {\n}\n}\nproxy b { }", "n, line 3", "closes no block"},
    {"proxy a\n{\n}", "n, line 2", "is not in the line of its key"},
    {"proxy a {\nrouter \"yes\n}", "n, line 2", "no second quote"},
    {"/* a\nb", "n, line 1", "has no end"},
    {"\n; proxy a { }", "n, line 2", "';' starts no key"},
    {"a{a{a{a{a{a{a{a{a{a{}}}}}}}}}}", "n, line 1", "nested too deep"},
};

TEST(ImportNdppd, RefusesWhatMakesNoSense) {
  for (const Refused& refused : kRefused) {
    const auto imported = import_ndppd(refused.text, "n");
    ASSERT_FALSE(imported) << refused.text;
    EXPECT_EQ(imported.error().object, refused.object) << refused.text;
    EXPECT_THAT(imported.error().advice, HasSubstr(refused.advice)) << refused.text;
  }
}

TEST(ImportNdppd, IsStrictIn10) {
  for (const Refused& refused : {
           Refused{"renew 1 2\n", "n, line 1", "start a new line"},
           Refused{"renew 1\nproxy a { rule ::1 { auto } rule ::2 { auto } }", "n, line 2",
                   "start a new line"},
           Refused{"proxy a { // b\n}", "n, line 1", "a key is expected"},
       }) {
    const auto imported = import_ndppd(refused.text, "n", kNewDialect);
    ASSERT_FALSE(imported) << refused.text;
    EXPECT_EQ(imported.error().object, refused.object) << refused.text;
    EXPECT_THAT(imported.error().advice, HasSubstr(refused.advice)) << refused.text;
  }
}

TEST(ImportNdppd, WarnsOfARuleThatHoldsEveryLink) {
  const std::string said = "it holds the link's own prefix too";
  for (const char* wide : {"::/0", "2000::/3"}) {
    const Read read = import("proxy eth0 { rule " + std::string{wide} + " { auto } }");
    ASSERT_GE(read.report.size(), 2u);
    EXPECT_THAT(read.report[1], HasSubstr("mapped-with-difference"));
    EXPECT_THAT(read.report[1], HasSubstr(said));
  }
  const Read read = import("proxy eth0 { rule 2001:db8::/32 { auto } }");
  ASSERT_GE(read.report.size(), 2u);
  EXPECT_THAT(read.report[1], testing::Not(HasSubstr(said)));
}

}  // namespace
}  // namespace culvert::program
