// Parses the words of `culvert run NAME …`: the setting of each word, and the error for each
// mistake.
#include "tools/culvert/config/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iterator>
#include <sstream>

#include "tools/culvert/config/option_table.h"

namespace culvert::program {
namespace {

using proto::Ipv4Address;
using testing::HasSubstr;

std::vector<std::string> split(const std::string& text) {
  std::istringstream stream{text};
  return {std::istream_iterator<std::string>{stream}, {}};
}

Result<host::DeviceSettings> parse_words(const std::string& words,
                                         std::vector<OptionText> options = {}) {
  return parse_command_line("tun1", split(words), options);
}

const std::string kSitWords = "mode sit remote 192.0.2.2 ";
const std::string kGreWords = "mode gre remote 192.0.2.2 ";

TunnelConfig tunnel_of(const std::string& words) {
  const auto settings = parse_words(words);
  EXPECT_TRUE(settings) << words << ": " << (settings ? "" : settings.error().message());
  if (!settings) return {};
  return settings->config.tunnels.at(0);
}

proto::Gre::Parameters gre_of(const std::string& words) {
  return std::get<proto::Gre::Parameters>(tunnel_of(kGreWords + words).mode);
}

TEST(CommandLine, TakesTheLineOfABroker) {
  const auto settings = parse_words(
      "mode sit remote 216.218.221.42 local 192.168.12.2 ttl 255 address 2001:db8:1::2/64 "
      "route ::/0");
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->config.device, "tun1");
  EXPECT_FALSE(settings->config.mtu);
  EXPECT_THAT(settings->addresses6,
              testing::ElementsAre(*proto::Ipv6Prefix::from_text("2001:db8:1::2/64")));
  EXPECT_THAT(settings->routes6, testing::ElementsAre(*proto::Ipv6Prefix::from_text("::/0")));
  EXPECT_TRUE(settings->addresses4.empty());
  const TunnelConfig& tunnel = settings->config.tunnels.at(0);
  EXPECT_EQ(tunnel.name, "tun1");
  EXPECT_EQ(encapsulation_name(tunnel.mode), "sit");
  EXPECT_EQ(tunnel.remote, Ipv4Address::from_text("216.218.221.42"));
  EXPECT_EQ(tunnel.local, Ipv4Address::from_text("192.168.12.2"));
  EXPECT_EQ(tunnel.ttl, 255);
  EXPECT_EQ(tunnel.tos, 0);
  EXPECT_TRUE(tunnel.pmtudisc);
  EXPECT_TRUE(tunnel.mssclamp);
  EXPECT_TRUE(tunnel.coalesce);
}

TEST(CommandLine, TakesAGreLineInAnyOrder) {
  const auto settings = parse_words(
      "key 42 csum address 10.0.0.1/30 seq address fd00::1/126 route 10.9.0.0/16 "
      "local 198.51.100.1 remote 198.51.100.2 mode gre");
  ASSERT_TRUE(settings) << settings.error().message();
  const auto gre = std::get<proto::Gre::Parameters>(settings->config.tunnels.at(0).mode);
  EXPECT_EQ(gre.ikey, 42);
  EXPECT_EQ(gre.okey, 42);
  EXPECT_TRUE(gre.icsum && gre.ocsum && gre.iseq && gre.oseq);
  EXPECT_THAT(settings->addresses4,
              testing::ElementsAre(*proto::Ipv4Prefix::from_text("10.0.0.1/30")));
  EXPECT_THAT(settings->addresses6,
              testing::ElementsAre(*proto::Ipv6Prefix::from_text("fd00::1/126")));
  EXPECT_THAT(settings->routes4,
              testing::ElementsAre(*proto::Ipv4Prefix::from_text("10.9.0.0/16")));
}

TEST(CommandLine, TakesPrefixesThatAreRoutedHere) {
  const auto settings =
      parse_words("mode gre remote 192.0.2.2 routed 2001:db8:9::/48 routed 10.9.0.0/16");
  ASSERT_TRUE(settings) << settings.error().message();
  EXPECT_THAT(settings->routed6,
              testing::ElementsAre(*proto::Ipv6Prefix::from_text("2001:db8:9::/48")));
  EXPECT_THAT(settings->routed4,
              testing::ElementsAre(*proto::Ipv4Prefix::from_text("10.9.0.0/16")));
  EXPECT_THAT(settings->routes6, testing::IsEmpty());
  for (const std::string everything : {"::/0", "0.0.0.0/0"}) {
    const auto refused = parse_words(kSitWords + "routed " + everything);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message(), testing::HasSubstr("'routed', value '" + everything));
    EXPECT_THAT(refused.error().message(), testing::HasSubstr("write the prefix that the remote"));
  }
}

TEST(CommandLine, HasTheHabitsOfIp) {
  EXPECT_EQ(tunnel_of(kSitWords + "ttl 0").ttl, std::nullopt);
  EXPECT_EQ(tunnel_of(kSitWords + "ttl inherit").ttl, std::nullopt);
  EXPECT_EQ(tunnel_of(kSitWords + "hoplimit 64").ttl, 64);
  EXPECT_EQ(tunnel_of(kSitWords + "tos 0x10").tos, 0x10);
  EXPECT_EQ(tunnel_of(kSitWords + "tos 184").tos, 184);
  EXPECT_EQ(tunnel_of(kSitWords + "tos inherit").tos, std::nullopt);
  EXPECT_EQ(tunnel_of(kSitWords + "dsfield 0").tos, 0);
  EXPECT_EQ(tunnel_of(kSitWords + "local any").local, std::nullopt);
  EXPECT_EQ(tunnel_of(kSitWords + "local 0.0.0.0").local, std::nullopt);
  EXPECT_EQ(encapsulation_name(tunnel_of("type gre remote 192.0.2.2").mode), "gre");
  EXPECT_EQ(encapsulation_name(tunnel_of("mode ipv6/ip remote 192.0.2.2").mode), "sit");
  EXPECT_EQ(encapsulation_name(tunnel_of("mode gre/ip remote 192.0.2.2").mode), "gre");
  EXPECT_EQ(gre_of("key 0.0.1.2").ikey, 0x102);
  EXPECT_EQ(gre_of("key 0xffffffff").okey, 0xffff'ffff);
}

TEST(CommandLine, SetsEachDirectionByItself) {
  EXPECT_EQ(gre_of("ikey 1 okey 2"), (proto::Gre::Parameters{.ikey = 1, .okey = 2}));
  EXPECT_EQ(gre_of("ikey 0"), (proto::Gre::Parameters{.ikey = 0, .okey = {}}));
  EXPECT_EQ(gre_of("icsum"), (proto::Gre::Parameters{.ikey = {}, .okey = {}, .icsum = true}));
  EXPECT_EQ(gre_of("ocsum noicsum"),
            (proto::Gre::Parameters{.ikey = {}, .okey = {}, .ocsum = true}));
  EXPECT_EQ(gre_of("iseq"), (proto::Gre::Parameters{.ikey = {}, .okey = {}, .iseq = true}));
  EXPECT_EQ(gre_of("oseq nocsum"), (proto::Gre::Parameters{.ikey = {}, .okey = {}, .oseq = true}));
}

TEST(CommandLine, NeedsNoIpv6IfOnlyIpv4IsConfigured) {
  const auto needs_ipv6 = [](const std::string& words) {
    return parse_words(kGreWords + words)->config.needs_ipv6;
  };
  EXPECT_TRUE(needs_ipv6(""));  // another program may add addresses
  for (const char* four : {"address 10.0.0.1/30 ", "route 10.0.0.0/8 ", "prefix 10.0.0.0/8 "}) {
    EXPECT_FALSE(needs_ipv6(four));
    for (const char* six :
         {"address 2001:db8::1/64", "route 2001:db8::/32", "prefix 2001:db8::/32"})
      EXPECT_TRUE(needs_ipv6(std::string{four} + six));
  }
}

TEST(CommandLine, SetsTheRest) {
  EXPECT_FALSE(tunnel_of(kSitWords + "nopmtudisc").pmtudisc);
  EXPECT_TRUE(tunnel_of(kSitWords + "pmtudisc").pmtudisc);
  EXPECT_FALSE(tunnel_of(kSitWords + "nomssclamp").mssclamp);
  EXPECT_FALSE(tunnel_of(kSitWords + "nocoalesce").coalesce);
  EXPECT_EQ(tunnel_of(kSitWords + "dev eth7").dev, "eth7");
  EXPECT_EQ(tunnel_of(kSitWords + "ecn compatibility").ecn, proto::EcnMode::compatibility);
  EXPECT_EQ(tunnel_of(kSitWords + "ecn normal").ecn, proto::EcnMode::normal);
  EXPECT_EQ(parse_words(kSitWords + "mtu 1400")->config.mtu, 1400);
  EXPECT_TRUE(parse_words(kSitWords + "forwarding")->forwarding);
  EXPECT_FALSE(parse_words(kSitWords + "noforwarding")->forwarding);
  EXPECT_FALSE(tunnel_of(kSitWords + "down").up);
  EXPECT_TRUE(tunnel_of(kSitWords + "up").up);
  EXPECT_EQ(tunnel_of(kSitWords + "metric 0 weight 65535").metric, 0u);
  EXPECT_EQ(tunnel_of(kSitWords + "weight 65535").weight, 65'535);
}

TEST(CommandLine, SetsWhatIsBehindATunnelAndWhatItMayBringIn) {
  const TunnelConfig plain = tunnel_of(kGreWords + "prefix 2001:db8:1::/48 prefix 10.1.0.0/16");
  EXPECT_THAT(plain.prefixes6,
              testing::ElementsAre(*proto::Ipv6Prefix::from_text("2001:db8:1::/48")));
  EXPECT_THAT(plain.prefixes4, testing::ElementsAre(*proto::Ipv4Prefix::from_text("10.1.0.0/16")));
  EXPECT_FALSE(plain.accept6 || plain.accept4);
  // The list of `accept` is complete: it has no IPv4 prefix, so no IPv4 source is accepted.
  const TunnelConfig listed = tunnel_of(kGreWords + "accept 2001:db8::/32 accept fd00::/8");
  ASSERT_TRUE(listed.accept6 && listed.accept4);
  EXPECT_THAT(*listed.accept6, testing::ElementsAre(*proto::Ipv6Prefix::from_text("2001:db8::/32"),
                                                    *proto::Ipv6Prefix::from_text("fd00::/8")));
  EXPECT_TRUE(listed.accept4->empty());
}

TEST(CommandLine, HasAHintWhereALengthIsMissing) {
  const auto settings =
      parse_words(kGreWords +
                  "address 2001:db8:1::2 address 10.0.0.1 address 2001:db8:2::2/128 route "
                  "2001:db8:3:: route 10.1.0.0 route 2001:db8:4::1 prefix 2001:db8:5::1");
  ASSERT_TRUE(settings) << settings.error().message();
  EXPECT_THAT(settings->without_length,
              testing::ElementsAre("address 2001:db8:1::2", "address 10.0.0.1",
                                   "route 2001:db8:3::", "route 10.1.0.0"));
}

TEST(CommandLine, SetsOptions) {
  const auto settings = parse_words(
      kSitWords, {{"workers", "2"}, {"io", "epoll"}, {"receive", "raw"}, {"busy_poll", "50"}});
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->config.busy_poll, std::chrono::microseconds{50});
  EXPECT_EQ(settings->config.workers, 2);
  EXPECT_EQ(settings->config.io, IoChoice::epoll);
  EXPECT_EQ(settings->config.receive, ReceiveChoice::raw);
  auto changed = *settings;
  ASSERT_TRUE(override_options(changed, std::vector<OptionText>{{"io", "uring"}}));
  EXPECT_EQ(changed.config.io, IoChoice::uring);
  EXPECT_EQ(changed.config.workers, 2);
}

struct RefusedWords {
  std::string words;
  std::string word;    ///< the word in the sentence
  std::string value;   ///< its value in the sentence; empty: none
  std::string advice;  ///< a part of its text
};

class CommandLineRefuses : public testing::TestWithParam<RefusedWords> {};

TEST_P(CommandLineRefuses, WithWordValueAndAdvice) {
  const auto& [words, word, value, advice] = GetParam();
  const auto settings = parse_words(words);
  ASSERT_FALSE(settings) << words;
  EXPECT_EQ(settings.error().code, 0);
  EXPECT_EQ(settings.error().operation, "word");
  EXPECT_EQ(settings.error().object,
            "'" + word + "'" + (value.empty() ? "" : ", value '" + value + "'"));
  EXPECT_THAT(settings.error().advice, HasSubstr(advice));
}

const RefusedWords kRefusedWords[] = {
    // Words that are missing, unknown or given twice.
    {"", "mode", "", "is missing: write sit, ipip, any or gre"},
    {"remote 192.0.2.2", "mode", "", "is missing"},
    {"mode sit", "remote", "", "is missing: write the IPv4 address of the remote endpoint"},
    {kSitWords + "ttl", "ttl", "", "has no value: write ttl N|inherit"},
    {kSitWords + "tll 64", "tll", "", "is 'ttl' meant?"},
    {kSitWords + "remotee 192.0.2.1", "remotee", "", "is 'remote' meant?"},
    {kSitWords + "nopmtudsc", "nopmtudsc", "", "is 'nopmtudisc' meant?"},
    {kSitWords + "zzzzzzzz", "zzzzzzzz", "", "culvert run --help"},
    {kSitWords + std::string(300, 'x'), std::string(80, 'x') + "...", "", "culvert run --help"},
    {kSitWords + "nottl", "nottl", "", "is unknown"},
    {kSitWords + "workers 2", "workers", "", "write --workers"},
    {kSitWords + "ttl 1 ttl 2", "ttl", "2", "given twice"},
    {kSitWords + "ttl 1 hoplimit 1", "ttl", "1", "given twice"},
    {kGreWords + "csum nocsum", "csum", "", "given twice"},
    {kSitWords + "address fd00::1/64 address fd00::1/64", "address", "fd00::1/64", "given twice"},
    {kSitWords + "route fd00::/64 route fd00::/64", "route", "fd00::/64", "given twice"},
    {kGreWords + "key 1 ikey 2", "ikey", "2", "set by 'key' as well"},
    {kGreWords + "ocsum csum", "ocsum", "", "set by 'csum' as well"},
    // Modes.
    {"mode ip6gre remote 192.0.2.2", "mode", "ip6gre", "write sit, ipip, any or gre"},
    {kSitWords + "key 5", "key", "5", "is a word for mode gre, and this is mode sit"},
    {kSitWords + "seq", "seq", "", "is a word for mode gre"},
    {"icsum " + kSitWords, "icsum", "", "is a word for mode gre"},
    {kSitWords + "address 10.0.0.1/30", "address", "10.0.0.1/30", "carries IPv6 only"},
    {kSitWords + "route 10.0.0.0/8", "route", "10.0.0.0/8", "carries IPv6 only"},
    // Endpoints.
    {"mode sit remote 192.0.2.2/24", "remote", "192.0.2.2/24", "write 192.0.2.2"},
    {"mode sit remote example.net", "remote", "example.net", "host names are not resolved"},
    {"mode sit remote 2001:db8::1", "remote", "2001:db8::1", "outer header is IPv4"},
    {"mode sit remote 192.0.2", "remote", "192.0.2", "four decimal numbers"},
    {"mode sit remote 224.0.0.1", "remote", "224.0.0.1", "multicast"},
    {"mode sit remote 0.0.0.0", "remote", "0.0.0.0", "needs local, or a key"},
    {"mode sit remote 255.255.255.255", "remote", "255.255.255.255", "broadcast"},
    {kSitWords + "local 192.0.2.1/24", "local", "192.0.2.1/24", "write 192.0.2.1"},
    {kSitWords + "local eth0", "local", "eth0", "or write any"},
    {kSitWords + "local 192.0.2.2", "local", "192.0.2.2", "same as remote"},
    {kSitWords + "dev a/b", "dev", "a/b", "not an interface name"},
    {kSitWords + "dev abcdefghijklmnop", "dev", "abcdefghijklmnop", "1 to 15 bytes"},
    // Fields of the outer header.
    {kSitWords + "ttl 256", "ttl", "256", "from 0 to 255, or inherit"},
    {kSitWords + "ttl -1", "ttl", "-1", "from 0 to 255, or inherit"},
    {kSitWords + "ttl 064", "ttl", "064", "without leading zeros"},
    {kSitWords + "ttl 0x", "ttl", "0x", "from 0 to 255, or inherit"},
    {kSitWords + "tos 10", "tos", "10", "write 0x10 for that, or 0xa"},
    {kSitWords + "tos b8", "tos", "b8", "write 0xb8"},
    {kSitWords + "tos 0x11", "tos", "0x11", "write 0x10"},
    {kSitWords + "tos 256", "tos", "256", "from 0 to 255, or inherit"},
    {kSitWords + "ecn yes", "ecn", "yes", "normal or compatibility"},
    // GRE.
    {kGreWords + "key 4294967296", "key", "4294967296", "0 to 4294967295"},
    {kGreWords + "key 1.2.3", "key", "1.2.3", "dotted quad"},
    {kGreWords + "ikey x", "ikey", "x", "write a number"},
    // The device.
    {kSitWords + "mtu 1279", "mtu", "1279", "from 1280"},
    {kGreWords + "address 10.0.0.1/30 address fd00::1/64 mtu 576", "mtu", "576", "none of IPv6"},
    {kSitWords + "mtu 65516", "mtu", "65516", "to 65515"},
    {kGreWords + "key 1 mtu 65508", "mtu", "65508", "to 65507"},
    {kSitWords + "mtu big", "mtu", "big", "must be a number"},
    {kSitWords + "address fd00::1/129", "address", "fd00::1/129", "0 to 128"},
    {kSitWords + "address ::1/128", "address", "::1/128", "one unicast address"},
    {kSitWords + "address ff02::1/64", "address", "ff02::1/64", "one unicast address"},
    {kGreWords + "address 10.0.0.1/33", "address", "10.0.0.1/33", "10.0.0.1/30"},
    {kGreWords + "address 224.0.0.1/4", "address", "224.0.0.1/4", "one unicast address"},
    {kSitWords + "route default", "route", "default", "write ::/0 for IPv6"},
    {kSitWords + "route fd00::1/64", "route", "fd00::1/64", "write fd00::/64"},
    {kGreWords + "route 10.1.2.3/8", "route", "10.1.2.3/8", "write 10.0.0.0/8"},
};

INSTANTIATE_TEST_SUITE_P(Words, CommandLineRefuses, testing::ValuesIn(kRefusedWords));

TEST(CommandLine, RefusesOptionsByTheirName) {
  const std::vector<std::tuple<std::string, std::string, std::string>> refused = {
      {"workers", "0", "from 1 to 64"},    {"workers", "65", "from 1 to 64"},
      {"io", "iouring", "auto, uring"},    {"receive", "pcap", "auto, packet or raw"},
      {"workers", "", "must be a number"},
  };
  for (const auto& [name, value, advice] : refused) {
    const auto settings = parse_words(kSitWords, {{name, value}});
    ASSERT_FALSE(settings) << name << " " << value;
    EXPECT_THAT(settings.error().object, HasSubstr("'--" + name + "'"));
    EXPECT_THAT(settings.error().advice, HasSubstr(advice));
  }
}

TEST(CommandLine, CallsAnOptionAsItIsWritten) {
  const auto settings = parse_words(kSitWords, {{"busy_poll", "100001"}});
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.error().message(),
            "word '--busy-poll', value '100001': must be a number from 0 to 100000");
  EXPECT_THAT(parse_words(kSitWords + "busy_poll 5").error().advice,
              HasSubstr("write --busy-poll"));
}

TEST(CommandLine, RefusesDeviceNamesThatTheKernelWould) {
  for (const std::string name : {"", "a b", "a/b", "abcdefghijklmnop", "..", "tun%d"}) {
    const auto settings = parse_command_line(name, split(kSitWords), {});
    ASSERT_FALSE(settings) << name;
    EXPECT_THAT(settings.error().object, HasSubstr("'device'"));
  }
}

TEST(CommandLine, SaysTheWholeSentence) {
  EXPECT_EQ(parse_words(kSitWords + "ttl 300").error().message(),
            "word 'ttl', value '300': must be a number from 0 to 255, or inherit");
}

TEST(CommandLine, DescribesEveryWord) {
  const std::string text = describe_words();
  for (const Option& word : options()) {
    const bool is_here = word.kind != Option::Kind::option && word.kind != Option::Kind::key;
    EXPECT_EQ(text.find(std::string{word.help}) != std::string::npos, is_here) << word.name;
  }
}

TEST(Nearest, FindsMisspellingsOnly) {
  const std::vector<std::string_view> words{"remote", "local", "ttl", "tos"};
  EXPECT_EQ(nearest("reomte", words), "remote");  // a swap is one mistake
  EXPECT_EQ(nearest("remot", words), "remote");
  EXPECT_EQ(nearest("lcoal", words), "local");
  EXPECT_EQ(nearest("to", words), "tos");
  EXPECT_EQ(nearest("xyz", words), "");
  EXPECT_EQ(nearest("", words), "");
  EXPECT_EQ(nearest("ttl", {}), "");
}

}  // namespace
}  // namespace culvert::program
