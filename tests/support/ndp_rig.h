// An NdpResponder without a kernel: frames in, frames out, with the test's clock.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/ndp/ndp_responder.h"
#include "tests/support/neighbor_drawings.h"
#include "tests/support/packet_matchers.h"

namespace culvert::test {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

inline constexpr auto kRouter = "fe80::ff", kUs = "fe80::1", kTarget = "2001:db8:0:1::2";
inline const EthernetText kRouterMac = "02 00 00 00 00 ff", kOurMac = "02 00 00 00 00 01",
                          kHostMac = "02 00 00 00 00 05", kAllNodesMac = "33 33 00 00 00 01";
inline constexpr unsigned kIndex = 7, kTunnelDevice = 8;

inline NdpConfig config_with(std::vector<NdpRule> rules) {
  NdpConfig config;
  config.interface = "eth0";
  config.rules = std::move(rules);
  return config;
}
inline NdpConfig config_with(NdpAnswer answer) {
  return config_with({{.prefix = prefix6("2001:db8:0:1::/64"), .answer = answer}});
}

class NdpRig {
 public:
  explicit NdpRig(NdpConfig config, std::vector<NdpTunnelPrefix> prefixes = {},
                  NdpRoutes* routes = nullptr)
      : config_(std::move(config)), responder_(config_, 4861, routes) {
    set_prefixes(prefixes);
    NdpInterface interface;
    interface.index = kIndex;
    interface.address = {{2, 0, 0, 0, 0, 1}};
    interface.link_local = address6(kUs);
    interface.own = {address6(kUs), address6("2001:db8:0:1::1")};
    responder_.set_interface(interface);
  }
  void set_on_link_prefixes(std::vector<proto::Ipv6Prefix> prefixes) {
    NdpInterface interface = responder_.interface();
    interface.on_link = std::move(prefixes);
    responder_.set_interface(interface);
  }
  void set_global(std::string_view address) {
    NdpInterface interface = responder_.interface();
    interface.global = address6(address);
    responder_.set_interface(interface);
  }
  void set_prefixes(const std::vector<NdpTunnelPrefix>& prefixes) {
    NdpRules rules{config_, prefixes};
    responder_.set_rules(rules);
  }
  void set_rule_interfaces(const NdpInterfaces& interfaces) {
    NdpRules rules{config_, {}, {}, interfaces};
    responder_.set_rules(rules);
  }

  /// The frames that announce a target.
  std::vector<Bytes> announce(std::string_view target) {
    out_.clear();
    responder_.announce(address6(target), now, out_);
    return sent();
  }
  /// The frames that are sent in answer to a frame.
  std::vector<Bytes> receive(const Bytes& frame) {
    out_.clear();
    responder_.receive(frame, now, out_);
    return sent();
  }
  std::vector<Bytes> echo(std::string_view target, unsigned interface_index = kTunnelDevice) {
    out_.clear();
    responder_.receive_reply({address6(target), interface_index}, now, out_);
    return sent();
  }
  std::vector<Bytes> expire() {
    out_.clear();
    EXPECT_FALSE(responder_.expire(now, out_));
    return sent();
  }
  /// Targets that the last call requested to probe.
  std::vector<std::string> probed() const {
    std::vector<std::string> targets;
    for (const auto& probe : out_.probes()) targets.push_back(probe.target.to_text());
    return targets;
  }
  /// The interfaces on which the last call requested to probe, and nowhere else.
  std::vector<unsigned> probed_on() const {
    std::vector<unsigned> indexes;
    for (const auto& probe : out_.probes()) {
      if (probe.is_bound) indexes.push_back(probe.interface_index);
    }
    return indexes;
  }
  bool may_wait() { return out_.frames()[0].may_wait; }

  /// Every received message is counted, and no counter of `ignored` but this reason's is set.
  void expect_ignored(NdpIgnored reason, std::uint64_t count = 1) {
    const auto totals = responder_.counters().totals();
    for (std::size_t i = 0; i < kNdpIgnoredCount; ++i) {
      EXPECT_EQ(totals.ignored[i], i == static_cast<std::size_t>(reason) ? count : 0)
          << kNdpIgnored[i].name;
    }
    expect_balance();
  }
  void expect_balance() {
    const auto totals = responder_.counters().totals();
    std::uint64_t sum = totals.advertisements + totals.answers + responder_.probes(now).waiting +
                        responder_.confirmations(now).waiting;
    for (const auto ignored : totals.ignored) sum += ignored;
    EXPECT_EQ(totals.received, sum);
  }
  NdpResponder& responder() { return responder_; }
  NdpOutput& out() { return out_; }

  Time now = Time{} + 1h;

 private:
  std::vector<Bytes> sent() {
    std::vector<Bytes> frames;
    for (const NdpFrame& frame : out_.frames()) {
      frames.emplace_back(frame.view().begin(), frame.view().end());
      responder_.count(frame, NdpIgnored::none);
    }
    return frames;
  }

  NdpConfig config_;
  NdpResponder responder_;
  NdpOutput out_;
};

inline Bytes routers_solicitation(std::string_view target = kTarget) {
  return solicitation(kRouter, target, kRouterMac, {.option = kRouterMac});
}
inline Bytes answer_to_router(std::string_view target = kTarget,
                              std::uint8_t flags = kRouterFlag | kSolicitedFlag) {
  return advertisement(kUs, kRouter, target, flags, kRouterMac, kOurMac);
}
inline Bytes detection(std::string_view target = kTarget) {
  return solicitation("::", target, kHostMac);
}
inline Bytes duplicate_answer(std::string_view target = kTarget) {
  return advertisement(kUs, "ff02::1", target, kRouterFlag, kAllNodesMac, kOurMac);
}

}  // namespace culvert::test
