// The works "load", "tunnels" and "flows": compare many tunnels with one, and many flows with few:
// load time, memory and forwarding.
#include <array>
#include <memory>

#include "bench/e2e/measure.h"
#include "bench/e2e/server/server.h"
#include "bench/e2e/server/turn.h"
#include "bench/e2e/stop.h"

namespace culvert::bench::server {
namespace {

/// Two brokers to compare, in the order of their turns.
using Pair = std::array<std::unique_ptr<Broker>, 2>;

Result<Pair> open_pair(Session& session, std::array<BrokerConfig, 2> config) {
  Pair pair;
  for (std::size_t i = 0; i < pair.size(); ++i) {
    session.show_step("opening " + config[i].name);
    config[i].options = session.plan().options;
    auto broker = Broker::open(config[i]);
    if (!broker) return Unexpected{broker.error()};
    pair[i] = std::move(*broker);
  }
  return pair;
}

unsigned count_of(const Session& session) { return session.plan().counts.tunnels; }

std::array<BrokerConfig, 2> one_and_all(const Session& session) {
  return {BrokerConfig{.name = "one tunnel"},
          BrokerConfig{.name = "all tunnels", .tunnels = count_of(session)}};
}

/// The one tunnel has as many destinations as all tunnels together, so that only the number of
/// tunnels differs: each destination is a flow and uses a cache line of the flow table.
FlowsConfig datagrams_of(const Session& session, std::size_t broker) {
  const unsigned count = count_of(session);
  return datagrams_to(broker == 0 ? Spread{.hosts = count} : Spread{.networks = count});
}

/// The names of the two brokers.
struct Names {
  const char* of[2];
};

Result<void> load_once(Session& session, Place place) {
  // Both run at the same time, so that the shared pages of the program count equally for both.
  auto pair = open_pair(session, one_and_all(session));
  if (!pair) return Unexpected{pair.error()};
  const Names seconds{"one_seconds", "many_seconds"};
  const Names resident{"one_resident_kib", "many_resident_kib"};
  std::array<double, 2> kib{};
  for (std::size_t i = 0; i < pair->size(); ++i) {
    Broker& broker = *(*pair)[i];
    session.record(seconds.of[i], place, broker.load_time().count());
    // Sends packets through all tunnels: memory that becomes resident with the first packet counts.
    const auto moved = measure_turn(broker, datagrams_of(session, i));
    if (!moved) return Unexpected{moved.error()};
    kib[i] = static_cast<double>(broker.server().resident_kib());
    session.record(resident.of[i], place, kib[i]);
  }
  session.record("kib_per_tunnel", place, (kib[1] - kib[0]) / (count_of(session) - 1));
  return {};
}

}  // namespace

Result<void> measure_load(Session& session) {
  return session.for_each_round([&](Place place) { return load_once(session, place); });
}

Result<void> measure_tunnels(Session& session) {
  auto pair = open_pair(session, one_and_all(session));
  if (!pair) return Unexpected{pair.error()};
  const Names udp{"udp_one_packets_per_second", "udp_many_packets_per_second"};
  const Names tcp{"tcp_one_mbit_per_second", "tcp_many_mbit_per_second"};
  return session.for_each_turn([&](Place place) -> Result<void> {
    for (std::size_t i = 0; i < pair->size(); ++i) {
      Broker& broker = *(*pair)[i];
      session.show_step(place, "UDP, " + broker.name());
      const auto packets = measure_turn(broker, datagrams_of(session, i));
      if (!packets) return Unexpected{packets.error()};
      session.record(udp.of[i], place, *packets);
    }
    for (std::size_t i = 0; i < pair->size(); ++i) {
      Broker& broker = *(*pair)[i];
      session.show_step(place, "TCP, " + broker.name());
      const auto bytes = measure_turn(broker, {});
      if (!bytes) return Unexpected{bytes.error()};
      session.record(tcp.of[i], place, *bytes * 8e-6);
    }
    return {};
  });
}

Result<void> measure_flows(Session& session) {
  constexpr unsigned kFew = 1'000, kMany = 1'000'000, kTable = 2'097'152;
  auto pair = open_pair(session, {BrokerConfig{.name = "few flows", .flows = kTable},
                                  BrokerConfig{.name = "many flows", .flows = kTable}});
  if (!pair) return Unexpected{pair.error()};
  const Names names{"few_packets_per_second", "many_packets_per_second"};
  return session.for_each_turn([&](Place place) -> Result<void> {
    for (std::size_t i = 0; i < pair->size(); ++i) {
      Broker& broker = *(*pair)[i];
      session.show_step(place, broker.name());
      const auto packets = measure_turn(broker, datagrams_to({.hosts = i == 0 ? kFew : kMany}));
      if (!packets) return Unexpected{packets.error()};
      session.record(names.of[i], place, *packets);
    }
    return {};
  });
}

}  // namespace culvert::bench::server
