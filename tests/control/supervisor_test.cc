// Running devices until a signal comes, with a fake engine: what is up meanwhile, and that nothing
// is left afterwards, however it ends.
#include "engine/control/supervisor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "engine/control/config_file.h"
#include "engine/control/control_socket.h"
#include "tests/control/fake_engine.h"
#include "tests/control/in_namespace.h"
#include "tests/io/rig.h"

namespace culvert::control {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr const char* kTwoDevices = R"(
[device.tun1]
address = ["2001:db8:1::1/64"]
[[device.tun1.tunnel]]
mode = "sit"
remote = "192.0.2.1"
local = "127.0.0.1"
[device.tun2]
route = ["2001:db8:9::/48"]
[[device.tun2.tunnel]]
mode = "gre"
remote = "192.0.2.2"
local = "127.0.0.1"
)";

/// Options for two devices with fake engines, and what is seen of them.
struct Rig {
  Rig() {
    std::string pattern = testing::TempDir() + "culvert-XXXXXX";
    folder = ::mkdtemp(pattern.data());
    options.settings = *parse_config(kTwoDevices, "test");
    options.control_path = folder + "/control.sock";
    options.open_engine = [this](const Config& config) {
      auto engine = open_fake(config, log);
      if (engine) last = static_cast<FakeEngine*>(engine->get());
      return engine;
    };
    options.print = [this](std::string_view text) { printed += text; };
  }
  ~Rig() { std::filesystem::remove_all(folder); }

  /// Runs the devices; `meanwhile` on another thread as soon as the control socket answers, and
  /// what it returns is sent to this process as a signal (0: none).
  Result<void> run(const std::function<int(const std::string& report)>& meanwhile) {
    std::thread other{[&, path = options.control_path] {
      Result<std::string> report = ask(path, R"({"request":"show"})");
      for (int i = 0; i < 500 && !report; ++i) {
        std::this_thread::sleep_for(10ms);
        report = ask(path, R"({"request":"show"})");
      }
      if (const int signal = meanwhile(report ? *report : ""); signal != 0) {
        ::kill(::getpid(), signal);
      }
    }};
    auto result = run_devices(options);
    other.join();
    return result;
  }

  void expect_nothing_left() const {
    EXPECT_EQ(log.alive, 0);
    EXPECT_EQ(::if_nametoindex("tun1"), 0u);
    EXPECT_EQ(::if_nametoindex("tun2"), 0u);
    EXPECT_FALSE(std::filesystem::exists(folder + "/control.sock"));
  }

  std::string folder;
  FakeEngineLog log;
  FakeEngine* last = nullptr;
  std::string printed;
  RunOptions options;
};

void ends_by(int signal) {
  Rig rig;
  const auto result = rig.run([&](const std::string& report) {
    const auto json = nlohmann::json::parse(report);
    EXPECT_EQ(json["devices"].size(), 2u);
    EXPECT_EQ(json["devices"][1]["tunnels"][0]["mode"], "gre");
    EXPECT_NE(::if_nametoindex("tun2"), 0u);
    return signal;
  });
  EXPECT_TRUE(result) << result.error().message();
  EXPECT_EQ(rig.log.stopped, 2);
  EXPECT_THAT(rig.printed, HasSubstr("culvert: tun1 is up: sit 127.0.0.1 -> 192.0.2.1, mtu 1480"));
  EXPECT_THAT(rig.printed, HasSubstr("culvert: tun2 is up: gre 127.0.0.1 -> 192.0.2.2"));
  EXPECT_THAT(rig.printed, HasSubstr("device tun2: mtu 1480"));  // the totals
  rig.expect_nothing_left();
}

TEST(Supervisor, EndsBySigterm) {
  in_namespace([] { ends_by(SIGTERM); });
}
TEST(Supervisor, EndsBySigint) {
  in_namespace([] { ends_by(SIGINT); });
}
TEST(Supervisor, EndsBySighup) {
  in_namespace([] { ends_by(SIGHUP); });
}

TEST(Supervisor, TakesASignalThatComesDuringStart) {
  in_namespace([] {
    Rig rig;
    const auto open = rig.options.open_engine;
    rig.options.open_engine = [&](const Config& config) {
      ::raise(SIGTERM);
      return open(config);
    };
    const auto result = run_devices(rig.options);
    EXPECT_TRUE(result) << result.error().message();
    EXPECT_EQ(rig.log.opened, 2);
    rig.expect_nothing_left();
  });
}

TEST(Supervisor, UndoesTheFirstDeviceIfTheSecondFails) {
  in_namespace([] {
    Rig rig;
    auto in_use = io::open_tun("tun2", 1);
    ASSERT_TRUE(in_use);
    const auto result = run_devices(rig.options);
    ASSERT_FALSE(result);
    EXPECT_THAT(result.error().message(), HasSubstr("tun2"));
    EXPECT_EQ(rig.log.opened, 1);
    EXPECT_EQ(rig.printed, "");
    in_use->queues.clear();
    rig.expect_nothing_left();
  });
}

TEST(Supervisor, EndsWithAnErrorWhenAnEngineFails) {
  in_namespace([] {
    Rig rig;
    const auto result = rig.run([&](const std::string&) {
      rig.last->fail();
      return 0;
    });
    ASSERT_FALSE(result);
    EXPECT_THAT(result.error().message(), HasSubstr("tun2"));
    rig.expect_nothing_left();
  });
}

TEST(Supervisor, RefreshesAfterTheNetworkHasChanged) {
  in_namespace([] {
    Rig rig;
    std::atomic<int> refreshed = 0;
    const auto open = rig.options.open_engine;
    rig.options.open_engine = [&](const Config& config) {
      auto engine = open(config);
      rig.last->on_refresh = [&](EngineStatus&) { ++refreshed; };
      return engine;
    };
    const auto result = rig.run([&](const std::string&) {
      std::this_thread::sleep_for(500ms);  // what start itself has changed is settled
      const int before = refreshed;
      auto netlink = Netlink::open();
      for (int i = 1; i <= 20; ++i) {  // a burst
        const auto address = proto::Ipv4Address::from_host(0x0a090000u + static_cast<unsigned>(i));
        EXPECT_TRUE(netlink->add_address(::if_nametoindex("lo"), proto::Ipv4Prefix{address, 32}));
      }
      for (int i = 0; i < 500 && refreshed < before + 2; ++i) std::this_thread::sleep_for(10ms);
      std::this_thread::sleep_for(300ms);
      EXPECT_GE(refreshed, before + 2);  // each of the two devices
      EXPECT_LE(refreshed, before + 8);  // not each of the changes
      return SIGTERM;
    });
    EXPECT_TRUE(result);
  });
}

// The second device is opened when the first has looked and nobody watches yet.
TEST(Supervisor, SeesWhatHasChangedDuringStart) {
  in_namespace([] {
    const io::Wire wire;
    io::ip("neigh replace 192.0.2.2 nud failed dev ours");
    {
      const io::Inside there(wire.peer());
      io::ip("link set theirs arp off");  // nobody answers
    }
    Rig rig;
    FakeEngine* first = nullptr;
    const auto open = rig.options.open_engine;
    rig.options.open_engine = [&](const Config& config) {
      auto engine = open(config);
      if (first != nullptr)
        io::ip("neigh replace 192.0.2.2 lladdr 02:00:00:00:00:02 dev ours");
      else
        first = rig.last;
      return engine;
    };
    TunnelConfig& tunnel = rig.options.settings.devices[0].config.tunnels[0];
    tunnel.remote = *proto::Ipv4Address::from_text("192.0.2.2");
    tunnel.local = *proto::Ipv4Address::from_text("192.0.2.1");
    const auto result = rig.run([&](const std::string&) {
      std::this_thread::sleep_for(500ms);
      EXPECT_TRUE(first->next_hops.at(0));
      return SIGTERM;
    });
    EXPECT_TRUE(result);
  });
}

TEST(Supervisor, RefusesASecondProcessBeforeItTouchesAnything) {
  in_namespace([] {
    Rig rig;
    const auto result = rig.run([&](const std::string&) {
      const auto second = run_devices(rig.options);
      EXPECT_EQ(second ? 0 : second.error().code, EADDRINUSE);
      EXPECT_EQ(rig.log.opened, 2);
      return SIGTERM;
    });
    EXPECT_TRUE(result);
    rig.expect_nothing_left();
  });
}

}  // namespace
}  // namespace culvert::control
