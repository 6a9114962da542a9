#include "engine/tables/tunnel_table.h"

#include <gtest/gtest.h>

#include <random>

#include "engine/tables/tables.h"
#include "tests/support/tunnel_rig.h"

namespace culvert::test {
namespace {

using proto::Ipv4Address;
constexpr std::uint8_t kSit = proto::kProtocolIpv6, kGre = proto::kProtocolGre;

Ipv4Address ipv4_address(const char* text) { return Ipv4Address::from_text(text).value(); }

TunnelConfig config(const char* name, const char* local, const char* remote,
                    const Parameters& mode = proto::SixInFour::Parameters{}) {
  TunnelConfig made = sit_config();
  made.name = name;
  made.mode = mode;
  made.local = local == nullptr ? std::nullopt : std::optional{ipv4_address(local)};
  made.remote = remote == nullptr ? Ipv4Address{} : ipv4_address(remote);
  return made;
}

Tables tables_of(const std::vector<TunnelConfig>& configs, OwnAddresses own = {}) {
  TunnelSlots slots;
  for (const TunnelConfig& each : configs) {
    Tunnel tunnel = make_tunnel(each, 1480, 1500);
    tunnel.index = static_cast<std::uint32_t>(slots.size());
    slots.push_back(std::make_shared<const Tunnel>(std::move(tunnel)));
  }
  return Tables(std::move(slots), {.addresses = std::move(own)});
}

std::string name_of(const Tunnel* tunnel) { return tunnel == nullptr ? "" : tunnel->config.name; }

TEST(TunnelTable, AsksForTheMostSpecificFirst) {
  const Tables tables = tables_of(
      {config("any to any", nullptr, nullptr), config("remote any", "192.0.2.1", nullptr),
       config("local any", nullptr, "198.51.100.1"), config("both", "192.0.2.1", "198.51.100.1")},
      {ipv4_address("192.0.2.1"), ipv4_address("192.0.2.2")});
  const auto found = [&](const char* source, const char* destination) {
    return name_of(
        tables.find(kSit, ipv4_address(source), ipv4_address(destination), std::nullopt));
  };
  EXPECT_EQ(found("198.51.100.1", "192.0.2.1"), "both");
  EXPECT_EQ(found("198.51.100.1", "192.0.2.2"), "local any");
  EXPECT_EQ(found("203.0.113.1", "192.0.2.1"), "remote any");
  EXPECT_EQ(found("203.0.113.1", "192.0.2.2"), "any to any");
  EXPECT_EQ(found("203.0.113.1", "203.0.113.2"), "") << "forwarded through this host";
  EXPECT_EQ(found("198.51.100.1", "203.0.113.2"), "") << "forwarded through this host";
}

TEST(TunnelTable, FindsATunnelByEachOfItsProtocols) {
  const Tables tables =
      tables_of({config("any", "192.0.2.1", "198.51.100.1", proto::AnyIp::Parameters{}),
                 config("ipip", "192.0.2.1", "198.51.100.2", proto::Ipip::Parameters{})});
  const auto found = [&](std::uint8_t protocol, const char* source) {
    return name_of(tables.find(protocol, ipv4_address(source), kLocal, std::nullopt));
  };
  EXPECT_EQ(found(41, "198.51.100.1"), "any");
  EXPECT_EQ(found(4, "198.51.100.1"), "any");
  EXPECT_EQ(found(47, "198.51.100.1"), "");
  EXPECT_EQ(found(4, "198.51.100.2"), "ipip");
  EXPECT_EQ(found(41, "198.51.100.2"), "");
  const auto sender = [&](std::uint8_t protocol) {
    return name_of(tables.find_sender(protocol, kLocal, kRemote, std::nullopt));
  };
  EXPECT_EQ(sender(41), "any");
  EXPECT_EQ(sender(4), "any");
  EXPECT_EQ(sender(47), "");
}

TEST(TunnelTable, LocalAnyIsWhatItSendsFromWithoutAListOfAddresses) {
  const Tables tables = tables_of({config("a", nullptr, "198.51.100.1")});  // sends from 192.0.2.1
  EXPECT_NE(tables.find(kSit, kRemote, kLocal, std::nullopt), nullptr);
  EXPECT_EQ(tables.find(kSit, kRemote, ipv4_address("192.0.2.2"), std::nullopt), nullptr);
}

TEST(TunnelTable, TellsKeysApart) {  // RFC 2890 2.1: no key and key 0 differ
  const Tables tables = tables_of(
      {config("none", "192.0.2.1", "198.51.100.1", proto::Gre::Parameters{}),
       config("0", "192.0.2.1", "198.51.100.1", proto::Gre::Parameters{.ikey = 0, .okey = 10}),
       config("7", "192.0.2.1", "198.51.100.1", proto::Gre::Parameters{.ikey = 7, .okey = 17})});
  const auto found = [&](proto::OptionalWord key) {
    return name_of(tables.find(kGre, kRemote, kLocal, key));
  };
  EXPECT_EQ(found(std::nullopt), "none");
  EXPECT_EQ(found(0), "0");
  EXPECT_EQ(found(7), "7");
  EXPECT_EQ(found(8), "");
  const auto sender = [&](std::optional<proto::OptionalWord> key) {
    return name_of(tables.find_sender(kGre, kLocal, kRemote, key));
  };
  EXPECT_EQ(sender(proto::OptionalWord{17}), "7");
  EXPECT_EQ(sender(proto::OptionalWord{7}), "");
  EXPECT_EQ(sender(proto::OptionalWord{}), "none");
  EXPECT_EQ(sender(std::nullopt), "none") << "without a key: the first";
}

TEST(TunnelTable, TakesNoUnspecifiedAddressForAny) {
  const Tables tables = tables_of({config("any", "192.0.2.1", nullptr)});
  EXPECT_EQ(tables.find(kSit, Ipv4Address{}, kLocal, std::nullopt), nullptr);
  EXPECT_EQ(tables.find(kSit, kRemote, Ipv4Address{}, std::nullopt), nullptr);
}

// ---- compared with a linear search over all tunnels ---------------------------------------------

/// How specific a tunnel matches a packet; 0: no match.
int rank(const Tunnel& tunnel, std::uint8_t protocol, Ipv4Address source, Ipv4Address destination,
         std::optional<std::uint32_t> key, const OwnAddresses& own) {
  const TunnelConfig& each = tunnel.config;
  const auto* gre = std::get_if<proto::Gre::Parameters>(&each.mode);
  if (!tunnel.has_ip_protocol(protocol) || (gre != nullptr ? gre->ikey : std::nullopt) != key)
    return 0;
  const bool is_remote_any = each.remote == Ipv4Address{};
  if (!is_remote_any && each.remote != source) return 0;
  if (each.local ? *each.local != destination
                 : kLocal != destination && !contains(own, destination))
    return 0;
  return 1 + (is_remote_any ? 0 : 2) + (each.local ? 1 : 0);
}

TEST(TunnelTable, FindsWhatAWalkFinds) {
  std::mt19937 random(1);
  const auto some = [&] {
    return Ipv4Address::from_host(0xc0000200 + static_cast<std::uint32_t>(random() % 6));
  };
  const auto maybe_key = [&]() -> std::optional<std::uint32_t> {
    const auto value = random() % 4;
    return value == 3 ? std::nullopt : std::optional{static_cast<std::uint32_t>(value)};
  };
  const OwnAddresses own{Ipv4Address::from_host(0xc0000201), Ipv4Address::from_host(0xc0000203)};
  for (int round = 0; round < 50; ++round) {
    std::vector<TunnelConfig> configs;
    for (int i = 0; i < 40; ++i) {
      TunnelConfig made = config("t", nullptr, nullptr);
      made.name += std::to_string(i);
      if (random() % 2 != 0) made.mode = proto::Gre::Parameters{.ikey = maybe_key()};
      if (random() % 3 != 0) made.local = some();
      if (random() % 3 != 0) made.remote = some();
      configs.push_back(made);
    }
    const Tables tables = tables_of(configs, own);
    for (int i = 0; i < 500; ++i) {
      const std::uint8_t protocol = random() % 2 != 0 ? kGre : kSit;
      const auto source = some(), destination = some();
      const auto key = protocol == kGre ? maybe_key() : std::nullopt;
      int best = 0;
      for (const auto& tunnel : tables.slots())
        best = std::max(best, rank(*tunnel, protocol, source, destination, key, own));
      proto::OptionalWord word;
      if (key) word = *key;
      const Tunnel* found = tables.find(protocol, source, destination, word);
      ASSERT_EQ(found == nullptr ? 0 : rank(*found, protocol, source, destination, key, own), best);
    }
  }
}

TEST(HostFacts, NameTheMembersOfAVrf) {
  const Tables tables(TunnelSlots{}, {.vrf_members = {{3, 7}, {3, 9}, {4, 8}}});
  EXPECT_TRUE(tables.is_vrf_member(3, 7));
  EXPECT_TRUE(tables.is_vrf_member(4, 8));
  EXPECT_FALSE(tables.is_vrf_member(3, 8));
  EXPECT_FALSE(tables.is_vrf_member(7, 3));
}

}  // namespace
}  // namespace culvert::test
