// Pairs of tunnels that cannot belong to one device, and pairs that can.
#include "engine/model/config_conflict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/model/encapsulation_names.h"
#include "engine/model/quoted.h"

namespace culvert {
namespace {

using testing::HasSubstr;

proto::Ipv4Address address(std::string_view text) {
  return proto::Ipv4Address::from_text(text).value();
}
proto::Ipv6Prefix prefix(std::string_view text) {
  return proto::Ipv6Prefix::from_text(text).value();
}

/// Two tunnels that share nothing except `local`.
std::vector<TunnelConfig> two() {
  return {{.name = "alice",
           .prefixes6 = {prefix("2001:db8:1::/48")},
           .mode = proto::SixInFour::Parameters{},
           .local = address("192.0.2.1"),
           .remote = address("198.51.100.1")},
          {.name = "bob",
           .prefixes6 = {prefix("2001:db8:2::/48"), prefix("2001:db8:2::/56")},
           .mode = proto::SixInFour::Parameters{},
           .local = address("192.0.2.1"),
           .remote = address("198.51.100.2")}};
}
proto::Gre::Parameters with_key(std::uint32_t key) { return {.ikey = key, .okey = key}; }

struct Pair {
  const char* name;
  void (*change)(std::vector<TunnelConfig>& tunnels);
  std::string_view word;  ///< the conflicting option; empty: no conflict
  std::string_view value;
  std::string_view problem;
};
class FindConflict : public testing::TestWithParam<Pair> {};

TEST_P(FindConflict, NamesTheWordAndBothTunnels) {
  auto tunnels = two();
  GetParam().change(tunnels);
  const auto conflict = find_conflict(tunnels);
  ASSERT_EQ(conflict.has_value(), !GetParam().word.empty()) << (conflict ? conflict->problem : "");
  if (!conflict) return;
  EXPECT_EQ(conflict->word, GetParam().word);
  EXPECT_EQ(conflict->value, GetParam().value);
  EXPECT_THAT(conflict->problem, HasSubstr(GetParam().problem));
  EXPECT_EQ(conflict->second, 1u);
  const bool is_alone = conflict->problem == "is missing" || conflict->problem == "is given twice";
  EXPECT_EQ(conflict->first, is_alone ? 1u : 0u);
}

using Tunnels = std::vector<TunnelConfig>;
const Pair kPairs[] = {
    {"None", [](Tunnels&) {}, "", "", ""},
    {"NameTwice", [](Tunnels& t) { t[1].name = "alice"; }, "name", "alice", "another tunnel"},
    {"NoName", [](Tunnels& t) { t[1].name = ""; }, "name", "", "is missing"},
    {"NoPrefix", [](Tunnels& t) { t[1].prefixes6.clear(); }, "prefix", "", "is missing"},
    {"OnlyAnIpv4Prefix",
     [](Tunnels& t) {
       t[1].prefixes6.clear();
       t[1].prefixes4 = {{address("10.0.0.0"), 8}};
     },
     "", "", ""},
    {"SameRemoteInAnAny",
     [](Tunnels& t) {
       t[0].mode = proto::AnyIp::Parameters{};
       t[1].remote = t[0].remote;
     },
     "remote", "198.51.100.1", "cannot be told apart"},
    {"SameRemoteInAnIpip",
     [](Tunnels& t) {
       t[0].mode = proto::Ipip::Parameters{};
       t[1].remote = t[0].remote;
     },
     "", "", ""},
    {"SamePrefix", [](Tunnels& t) { t[1].prefixes6[1] = t[0].prefixes6[0]; }, "prefix",
     "2001:db8:1::/48", "is a prefix of tunnel 'alice' as well"},
    {"SameIpv4Prefix",
     [](Tunnels& t) {
       t[0].prefixes4 = t[1].prefixes4 = {{address("10.0.0.0"), 8}};
     },
     "prefix", "10.0.0.0/8", "is a prefix of tunnel 'alice' as well"},
    {"SamePrefixWithAMetric",
     [](Tunnels& t) {
       t[1].prefixes6 = t[0].prefixes6;
       t[0].metric = 5;
     },
     "", "", ""},
    {"SamePrefixWithAWeight",
     [](Tunnels& t) {
       t[1].prefixes6 = t[0].prefixes6;
       t[1].weight = 5;
     },
     "", "", ""},
    {"SameAddressOtherLength", [](Tunnels& t) { t[1].prefixes6 = {prefix("2001:db8:1::/49")}; }, "",
     "", ""},
    {"PrefixTwiceInOne", [](Tunnels& t) { t[1].prefixes6[1] = t[1].prefixes6[0]; }, "prefix",
     "2001:db8:2::/48", "is given twice"},
    {"SameOuterAddresses", [](Tunnels& t) { t[1].remote = t[0].remote; }, "remote", "198.51.100.1",
     "cannot be told apart on the wire from tunnel 'alice'"},
    {"BothAny", [](Tunnels& t) { t[0].remote = t[1].remote = {}; }, "remote", "any",
     "cannot be told apart"},
    {"AnyBesideAnAddress", [](Tunnels& t) { t[1].remote = {}; }, "", "", ""},
    {"OtherLocal",
     [](Tunnels& t) {
       t[1].remote = t[0].remote;
       t[1].local = address("192.0.2.9");
     },
     "", "", ""},
    {"OtherMode",
     [](Tunnels& t) {
       t[1].remote = t[0].remote;
       t[1].mode = proto::Gre::Parameters{};
     },
     "", "", ""},
    {"SameKey",
     [](Tunnels& t) {
       t[1].remote = t[0].remote;
       t[0].mode = t[1].mode = with_key(7);
     },
     "remote", "198.51.100.1", "cannot be told apart"},
    {"OtherKey",
     [](Tunnels& t) {
       t[1].remote = t[0].remote;
       t[0].mode = with_key(7);
       t[1].mode = with_key(8);
     },
     "", "", ""},
    {"NoKeyAndKeyZero",  // RFC 2890 2.1
     [](Tunnels& t) {
       t[1].remote = t[0].remote;
       t[0].mode = proto::Gre::Parameters{};
       t[1].mode = with_key(0);
     },
     "", "", ""},
};
INSTANTIATE_TEST_SUITE_P(Pairs, FindConflict, testing::ValuesIn(kPairs),
                         [](const auto& each) { return std::string{each.param.name}; });

TEST(FindConflict, NamesTheModesWithAKey) {
  Tunnels same = two();
  same[1].remote = same[0].remote;
  const auto conflict = find_conflict(same);
  ASSERT_TRUE(conflict);
  EXPECT_EQ(conflict->advice, "change local or remote of one of them, or in mode " +
                                  alternatives(encapsulations_with_option("key")) + " its key");
}

TEST(FindConflict, AsksNothingOfOneTunnel) {
  Tunnels one{two()[0]};
  one[0].name = "";
  one[0].prefixes6.clear();
  EXPECT_FALSE(find_conflict(one));
}

// A tunnel with a metric in between hides no conflict: two of the three still have none.
TEST(FindConflict, SeesTwoWithoutPrecedenceAmongThree) {
  Tunnels three = two();
  three.push_back(
      {.name = "carol", .mode = proto::SixInFour::Parameters{}, .remote = address("198.51.100.3")});
  for (TunnelConfig& tunnel : three) tunnel.prefixes6 = {prefix("2001:db8::/32")};
  three[1].metric = 5;
  const auto conflict = find_conflict(three);
  ASSERT_TRUE(conflict);
  EXPECT_EQ(conflict->first, 0u);
  EXPECT_EQ(conflict->second, 2u);
}

/// A list of encapsulations in which GRE carries Ethernet frames.
proto::LinkType gre_is_ethernet(const Parameters& mode) noexcept {
  return std::holds_alternative<proto::Gre::Parameters>(mode) ? proto::LinkType::ethernet
                                                              : proto::LinkType::ip;
}

TEST(FindConflictOfLinkTypes, NamesBothTunnels) {
  auto tunnels = two();
  EXPECT_FALSE(find_conflict(tunnels, gre_is_ethernet));
  tunnels[1].mode = proto::Gre::Parameters{};
  EXPECT_FALSE(find_conflict(tunnels)) << "both carry IP";
  const auto conflict = find_conflict(tunnels, gre_is_ethernet);
  ASSERT_TRUE(conflict);
  EXPECT_EQ(conflict->first, 0u);
  EXPECT_EQ(conflict->second, 1u);
  EXPECT_EQ(conflict->word, "mode");
  EXPECT_EQ(conflict->value, "gre");
  EXPECT_EQ(conflict->problem,
            "carries Ethernet frames (a TAP device), and tunnel 'alice' carries IP packets (a TUN "
            "device)");
  EXPECT_EQ(conflict->advice, "put them on different devices");
  tunnels[0].mode = proto::Gre::Parameters{};
  EXPECT_FALSE(find_conflict(tunnels, gre_is_ethernet));
}

}  // namespace
}  // namespace culvert
