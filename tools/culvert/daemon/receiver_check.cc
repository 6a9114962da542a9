#include "tools/culvert/daemon/receiver_check.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>
#include <vector>

#include "engine/model/quoted.h"
#include "tools/culvert/daemon/peers.h"
#include "tools/culvert/daemon/requests.h"
#include "tools/culvert/daemon/tunnel_claims.h"

namespace culvert::program {
namespace {

constexpr std::chrono::milliseconds kPause{200};
constexpr std::chrono::seconds kRepeatPause{3};

std::string sentence(const SharedClaim& shared, const std::string& peer) {
  const auto& [own, other] = shared;
  return "tunnel " + culvert::quoted(own->tunnel) + " receives the same packets as tunnel " +
         culvert::quoted(other->tunnel) + " of device " + printable(other->device) +
         " of the culvert at " + printable(peer) +
         ", so both deliver them: change remote, local or key of one, or stop one";
}

}  // namespace

ReceiverCheck::ReceiverCheck(boost::asio::io_context& context, DeviceSet& devices)
    : context_(context),
      devices_(devices),
      check_(context, kPause, [this] { check(); }),
      repeat_(context, kRepeatPause, [this] { check(); }) {}

void ReceiverCheck::start(const std::string& control_path) {
  own_path_ = control_path;
  announced_ = announce(control_path);
}

void ReceiverCheck::check() {
  if (devices_.check_receivers()) repeat_.request();
  const auto peers = find_peers(own_path_);
  for (auto each = warned_of_.begin(); each != warned_of_.end();) {
    const bool is_gone = !std::binary_search(peers.begin(), peers.end(), *each);
    if (is_gone) devices_.set_warnings(*each, {});
    each = is_gone ? warned_of_.erase(each) : std::next(each);
  }
  for (const std::string& peer : peers) {
    ask(context_, peer, request_line("claims"),
        [this, peer](std::string_view answer) { compare(peer, answer); });
  }
}

/// One sentence for each device, about the first of its tunnels.
void ReceiverCheck::compare(const std::string& peer, std::string_view answer) {
  const auto own = devices_.claims(), others = read_claims(answer);
  DeviceSet::WarningsByDevice warnings;
  for (const SharedClaim& shared : find_shared(own, others)) {
    auto& sentences = warnings[shared.first->device];
    if (sentences.empty()) sentences.push_back(sentence(shared, peer));
  }
  devices_.set_warnings(peer, warnings);
  if (warnings.empty()) {
    warned_of_.erase(peer);
  } else {
    // It was there first, perhaps long ago.
    if (warned_of_.insert(peer).second)
      ask(context_, peer, request_line("check_receivers"), [](std::string_view) {});
    repeat_.request();
  }
}

}  // namespace culvert::program
