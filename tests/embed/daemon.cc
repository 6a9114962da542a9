// A daemon with its own Boost.Asio loop that embeds an engine. It starts the engine, reads its
// counters on a timer, changes the tunnel at run time, and stops the engine. The daemon alone
// handles signals, output and the end of the process.
//
// Run in a network namespace that has 192.0.2.1 on an interface (tests/embed/run makes one).
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>

#include "engine/engine.h"
#include "engine/host/next_hop_finder.h"
#include "io/netlink/netlink.h"

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

culvert::Config configuration() {
  culvert::Config config;
  config.device = "embedded0";
  config.tunnels.push_back({.name = "broker",
                            .mode = culvert::proto::Gre::Parameters{.ikey = 1, .okey = 2},
                            .local = culvert::proto::Ipv4Address::from_text("192.0.2.1"),
                            .remote = *culvert::proto::Ipv4Address::from_text("192.0.2.2")});
  config.log = [](culvert::LogLevel, std::string_view line) {
    std::fprintf(stderr, "engine: %.*s\n", static_cast<int>(line.size()), line.data());
  };
  return config;
}

/// Looks up the next hop of the tunnel: with it the engine sends by packet sockets, and the kernel or
/// the network card segments super-packets.
void update_next_hop(culvert::Engine& engine, culvert::netlink::Netlink& netlink) {
  culvert::host::NextHopFinder finder{netlink};
  const auto config = configuration();
  const auto& tunnel = config.tunnels.front();
  const auto found = finder.find(tunnel.remote.address(), tunnel.local, 0);
  if (!found) return engine.set_next_hop(0, {}, found.error().message());
  engine.set_outer_interface(0, found->hop.interface_index);
  engine.set_next_hop(0, found->hop, found->reason);
}

/// Calls `changed` whenever the descriptor of a netlink watch becomes readable.
void follow(asio::posix::stream_descriptor& events, const std::function<void()>& changed) {
  events.async_wait(asio::posix::stream_descriptor::wait_read, [&events, changed](auto error) {
    if (error) return;
    changed();
    follow(events, changed);
  });
}

int fail(const std::string& why) {
  std::fprintf(stderr, "daemon: %s\n", why.c_str());
  return 1;
}

}  // namespace

int main() {
  const auto config = configuration();
  auto engine = culvert::Engine::open(config);
  if (!engine) return fail(engine.error().message());
  if (auto started = (*engine)->start(); !started) return fail(started.error().message());

  auto netlink = culvert::netlink::Netlink::open();
  if (!netlink) return fail(netlink.error().message());
  auto routes = culvert::netlink::NetlinkWatch::open();
  if (!routes) return fail(routes.error().message());
  auto neighbors = culvert::host::NeighborWatch::open();
  if (!neighbors) return fail(neighbors.error().message());
  update_next_hop(**engine, *netlink);

  asio::io_context loop;
  asio::posix::stream_descriptor route_events(loop, ::dup(routes->fd()));
  follow(route_events, [&] {
    routes->drain();
    (*engine)->refresh();
    update_next_hop(**engine, *netlink);
  });
  asio::posix::stream_descriptor neighbor_events(loop, ::dup(neighbors->fd()));
  follow(neighbor_events, [&] {
    static_cast<void>(neighbors->changed());
    update_next_hop(**engine, *netlink);
  });
  asio::signal_set signals(loop, SIGTERM);  // the engine installs no signal handlers
  signals.async_wait([&](auto error, int) {
    if (!error) loop.stop();
  });
  asio::posix::stream_descriptor failure(loop, ::dup((*engine)->failure_fd()));
  failure.async_wait(asio::posix::stream_descriptor::wait_read, [&](auto error) {
    if (!error) std::exit(fail("the engine has failed"));
  });
  asio::steady_timer timer(loop, 200ms);
  int status = 0;
  timer.async_wait([&](auto) {
    auto changed = config;
    changed.tunnels[0].ttl = std::uint8_t{42};
    if (auto applied = (*engine)->apply(changed); !applied)
      status = fail(applied.error().message());
    const auto now = (*engine)->status();
    if (!now.running || now.tunnels.at(0).config.ttl != 42)
      status = fail("the change was not applied");
    if (const auto& tunnel = now.tunnels.at(0); tunnel.send != "packet")
      status = fail("the tunnel sends by raw sockets: " + tunnel.send_reason);
    auto renamed = changed;
    renamed.device = "other0";
    if ((*engine)->apply(renamed)) status = fail("a new device name was not refused");
    loop.stop();
  });
  loop.run();

  (*engine)->stop();
  if (status != 0 || (*engine)->status().running) return fail("the engine has not stopped");
  std::puts("daemon: ok");
}
