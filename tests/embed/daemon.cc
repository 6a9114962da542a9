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
#include <string>

#include "engine/engine.h"

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

  asio::io_context loop;
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
