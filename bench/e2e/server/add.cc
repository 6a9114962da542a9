// The work "add": counts the datagrams that are lost when a tunnel is added to many, while
// datagrams pass through all others.
#include "bench/e2e/measure.h"
#include "bench/e2e/server/server.h"
#include "bench/e2e/server/turn.h"
#include "bench/e2e/stop.h"

namespace culvert::bench::server {
namespace {

/// Adds and removes a tunnel, repeatedly, until the turn is over.
Result<void> add_and_remove(Session& session, Broker& broker, Place place) {
  const unsigned number = session.plan().counts.tunnels;  // all lower numbers exist already
  const std::vector<std::string> add{"add",
                                     kTunnelDevice,
                                     "added",
                                     "mode",
                                     "sit",
                                     "local",
                                     outer_address(0).address.to_text(),
                                     "remote",
                                     tunnel_remote(number).to_text(),
                                     "prefix",
                                     tunnel_prefix(number).to_text()};
  const std::vector<std::string> remove{"del", kTunnelDevice, "added"};
  unsigned changes = 0;
  for (const auto end = Clock::now() + kLoadTurn; Clock::now() < end; changes += 2) {
    const auto added = broker.run_tunnel_command(add);
    if (!added) return Unexpected{added.error()};
    session.record("add_milliseconds", place, added->count() * 1e3);
    const auto removed = broker.run_tunnel_command(remove);
    if (!removed) return Unexpected{removed.error()};
  }
  session.record("changes", place, changes);
  return {};
}

}  // namespace

Result<void> measure_add(Session& session) {
  /// About 20,000 packets/s. TUN's queue of 500 packets then lasts 25 ms, so that no packet is lost
  /// because a thread waits for a CPU.
  constexpr std::chrono::microseconds kInterval{3'200};
  const unsigned others = session.plan().counts.tunnels - 1;
  auto broker = Broker::open(
      {.name = "all tunnels but one", .tunnels = others, .options = session.plan().options});
  if (!broker) return Unexpected{broker.error()};
  return session.for_each_turn([&](Place place) -> Result<void> {
    for (const bool adds : {false, true}) {
      session.show_step(place, adds ? "adding" : "calm");
      auto flows = Flows::start(**broker, datagrams_to({.networks = others}, kInterval));
      if (!flows) return Unexpected{flows.error()};
      auto done = adds ? add_and_remove(session, **broker, place) : pause(kLoadTurn);
      if (!done) return done;
      if (auto held = flows->hold(); !held) return held;
      const std::uint64_t sent = flows->sent(), received = flows->received();
      if (auto ended = flows->finish(); !ended) return ended;
      const std::string when = adds ? "adding" : "calm";
      session.record(when + "_packets", place, static_cast<double>(sent));
      session.record(when + "_lost", place, static_cast<double>(sent - received));
    }
    return (*broker)->check_running();
  });
}

}  // namespace culvert::bench::server
