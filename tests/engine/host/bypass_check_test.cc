// Finds rules in the output path that nft and ip have added, in a network namespace.
#include "engine/host/bypass_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include "tests/io/rig.h"
#include "tests/support/in_namespace.h"

namespace culvert::host {
namespace {

using test::in_namespace;

using io::ip;
using testing::HasSubstr;
using testing::Optional;

void nft(const std::string& script) { io::run("nft '" + script + "'"); }

/// A base chain "filter out" on a hook.
void add_chain(const std::string& family, const std::string& hook,
               const std::string& kind = "filter", const std::string& device = "") {
  nft("add table " + family + " filter; add chain " + family + " filter out { type " + kind +
      " hook " + hook + device + " priority 0; }");
}

TEST(OutputPath, IsEmptyInAFreshNamespace) {
  in_namespace([] {
    EXPECT_EQ(find_bypassed_rule(false), std::nullopt);
    EXPECT_EQ(find_bypassed_rule(true), std::nullopt);
  });
}

TEST(OutputPath, HasChainsThatPacketSocketsWouldPassBy) {
  in_namespace([] {
    ip("link add near type veth peer name far");
    const std::string device = " device near";
    const struct {
      std::string family, hook, kind, device;
    } chains[] = {{"ip", "output", "filter", ""},     {"ip", "postrouting", "nat", ""},
                  {"ip", "output", "route", ""},      {"inet", "output", "filter", ""},
                  {"inet", "postrouting", "nat", ""}, {"netdev", "egress", "filter", device}};
    for (const auto& chain : chains) {
      add_chain(chain.family, chain.hook, chain.kind, chain.device);
      EXPECT_THAT(find_bypassed_rule(false), Optional(std::string{"nftables, chain filter out"}))
          << chain.family << " " << chain.hook;
      nft("delete table " + chain.family + " filter");
      EXPECT_EQ(find_bypassed_rule(false), std::nullopt);
    }
  });
}

TEST(OutputPath, HasNoChainsOfOtherHooksAndFamilies) {
  in_namespace([] {
    ip("link add near type veth peer name far");
    const std::string device = " device near";
    const struct {
      std::string family, hook, device;
    } chains[] = {{"ip", "input", ""},        {"ip", "forward", ""}, {"inet", "prerouting", ""},
                  {"inet", "input", ""},      {"ip6", "output", ""}, {"ip6", "postrouting", ""},
                  {"bridge", "output", ""},   {"arp", "output", ""}, {"netdev", "ingress", device},
                  {"inet", "ingress", device}};
    for (const auto& chain : chains) {
      add_chain(chain.family, chain.hook, "filter", chain.device);
      EXPECT_EQ(find_bypassed_rule(false), std::nullopt) << chain.family << " " << chain.hook;
      nft("delete table " + chain.family + " filter");
    }
    nft("add table ip filter; add chain ip filter out");
    EXPECT_EQ(find_bypassed_rule(false), std::nullopt) << "a chain without a hook";
  });
}

// A chain on input may accept only packets of connections whose outgoing packets it has seen.
TEST(OutputPath, HasTheInputChainsOfWhoReceivesBehindThem) {
  in_namespace([] {
    for (const std::string hook : {"input", "prerouting"}) {
      add_chain("inet", hook);
      EXPECT_THAT(find_bypassed_rule(true), Optional(HasSubstr("chain filter out"))) << hook;
      nft("delete table inet filter");
    }
    add_chain("inet", "forward");
    EXPECT_EQ(find_bypassed_rule(true), std::nullopt);
  });
}

TEST(OutputPath, HasIpsecPoliciesForWhatGoesOut) {
  in_namespace([] {
    const std::string policy = "src 192.0.2.0/24 dst 198.51.100.0/24";
    const std::string how = " tmpl src 192.0.2.1 dst 198.51.100.1 proto esp mode tunnel";
    ip("xfrm policy add " + policy + " dir in" + how);
    EXPECT_EQ(find_bypassed_rule(false), std::nullopt);
    ip("xfrm policy add " + policy + " dir out" + how);
    EXPECT_THAT(find_bypassed_rule(false), Optional(std::string{"an IPsec policy"}));
    ip("xfrm policy flush");
    EXPECT_EQ(find_bypassed_rule(false), std::nullopt);
  });
}

TEST(OutputPath, HasRulesThatALookUpByAddressesDoesNotSee) {
  in_namespace([] {
    for (const std::string rule : {"from 192.0.2.1 lookup 100", "fwmark 1 lookup 100"}) {
      ip("rule add " + rule);
      EXPECT_EQ(find_bypassed_rule(false), std::nullopt) << rule;
    }
    for (const std::string rule : {"ipproto 41 lookup 100", "tos 0x10 lookup 100"}) {
      ip("rule add " + rule);
      EXPECT_THAT(find_bypassed_rule(false), Optional(HasSubstr("a routing rule"))) << rule;
      ip("rule del " + rule);
      EXPECT_EQ(find_bypassed_rule(false), std::nullopt) << rule;
    }
  });
}

TEST(BypassWatch, TellsOfChainsPoliciesAndRules) {
  in_namespace([] {
    auto watch = BypassWatch::open();
    const auto is_readable = [&](int timeout_ms) {
      std::vector<pollfd> entries;
      for (const int fd : watch.fds())
        entries.push_back({.fd = fd, .events = POLLIN, .revents = 0});
      return ::poll(entries.data(), entries.size(), timeout_ms) > 0;
    };
    const auto expect_change = [&](const char* what) {
      EXPECT_TRUE(is_readable(5000)) << what;
      watch.drain();
      EXPECT_FALSE(is_readable(0)) << what;
    };
    EXPECT_FALSE(is_readable(0));
    add_chain("ip", "output");
    expect_change("a chain");
    nft("delete table ip filter");
    expect_change("no chain");
    ip("xfrm policy add src 192.0.2.0/24 dst 198.51.100.0/24 dir out"
       " tmpl src 192.0.2.1 dst 198.51.100.1 proto esp mode tunnel");
    expect_change("a policy");
    ip("rule add ipproto 41 lookup 100");
    expect_change("a rule");
  });
}

}  // namespace
}  // namespace culvert::host
