#include "tools/culvert/daemon/ecn_check.h"

#include <utility>

namespace culvert::program {
namespace {

std::string sentence(const std::string& tunnel, std::uint64_t dropped, std::uint64_t received) {
  return "tunnel " + tunnel + ": " + std::to_string(dropped) + " of the last " +
         std::to_string(received) +
         " packets were dropped, because the outer header reports congestion (CE) and the inner "
         "packet is not ECN-capable (RFC 6040 4.2). A provider or a router on the path overwrites "
         "the TOS field. Ask for an end to that, or clear the ECN bits in front of culvert: see "
         "ecn_ce_on_not_ect in culvert(8)";
}

}  // namespace

std::vector<std::string> EcnCheck::check(std::span<const TunnelStatus> tunnels, Time now) {
  std::vector<std::string> sentences;
  std::map<std::string, Window> windows;  // without those of removed tunnels
  for (const TunnelStatus& tunnel : tunnels) {
    const std::uint64_t received = tunnel.totals.in_received;
    const std::uint64_t dropped = tunnel.totals.dropped(DropReason::ecn_ce_on_not_ect);
    if (dropped == 0) continue;
    windows.insert(windows_.extract(tunnel.config.name));
    Window& window = windows[tunnel.config.name];
    // A tunnel that was removed and added again counts from 0.
    if (received < window.received) window.received = window.dropped = 0;
    const std::uint64_t received_since = received - window.received;
    const std::uint64_t dropped_since = dropped - window.dropped;
    if (received_since < kMinPackets) continue;
    window.received = received;
    window.dropped = dropped;
    if (dropped_since <= received_since / 2 || now < window.next_sentence) continue;
    window.next_sentence = now + kPause;
    sentences.push_back(sentence(tunnel.config.name, dropped_since, received_since));
  }
  windows_ = std::move(windows);
  return sentences;
}

}  // namespace culvert::program
