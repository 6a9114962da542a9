// Runs devices with fake engines until a signal: their state while they run, and that nothing is
// left after each kind of end.
#include "tools/culvert/daemon/supervisor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/io/rig.h"
#include "tests/support/in_namespace.h"
#include "tests/tools/culvert/daemon/fake_engine.h"
#include "tools/culvert/config/config_file.h"
#include "tools/culvert/daemon/control_socket.h"

namespace culvert::program {
namespace {

using test::addresses_and_routes;
using test::in_namespace;

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

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

/// Options for two devices with fake engines, and a record of their calls and output.
struct SupervisorRig {
  SupervisorRig() {
    std::string pattern = testing::TempDir() + "culvert-XXXXXX";
    folder = ::mkdtemp(pattern.data());
    options.settings = *parse_config(kTwoDevices, "test");
    options.control_path = folder + "/control.sock";
    options.open_engine = [this](const Config& config) {
      auto engine = open_fake(config, log);
      if (engine) last = static_cast<FakeEngine*>(engine->get());
      if (first == nullptr) first = last;
      return engine;
    };
    options.print = [this](std::string_view text) { printed += text; };
    options.complain = [this](std::string_view text) { complained += text; };
  }
  ~SupervisorRig() { std::filesystem::remove_all(folder); }

  /// Runs the devices. As soon as the control socket answers, it calls `meanwhile` on another
  /// thread, and sends the signal that `meanwhile` returns to this process (0: none).
  Result<void> run(const std::function<int(const std::string& report)>& meanwhile) {
    std::thread other{[&, path = options.control_path] {
      Result<std::string> report = send_request(path, R"({"request":"show"})");
      for (int i = 0; i < 500 && !report; ++i) {
        std::this_thread::sleep_for(10ms);
        report = send_request(path, R"({"request":"show"})");
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
  FakeEngine *first = nullptr, *last = nullptr;
  std::string printed, complained;
  RunOptions options;
};

void ends_by(int signal) {
  SupervisorRig rig;
  const auto result = rig.run([&](const std::string& report) {
    const auto shown = nlohmann::json::parse(report);
    EXPECT_EQ(shown["devices"].size(), 2u);
    EXPECT_EQ(shown["devices"][1]["tunnels"][0]["mode"], "gre");
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
    SupervisorRig rig;
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
    SupervisorRig rig;
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
    SupervisorRig rig;
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
    SupervisorRig rig;
    std::atomic<int> refreshed = 0;
    const auto open = rig.options.open_engine;
    rig.options.open_engine = [&](const Config& config) {
      auto engine = open(config);
      rig.last->on_refresh = [&](EngineStatus&) { ++refreshed; };
      return engine;
    };
    const auto result = rig.run([&](const std::string&) {
      std::this_thread::sleep_for(500ms);  // the changes of the start have settled
      const int before = refreshed;
      auto netlink = netlink::Netlink::open();
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

TEST(Supervisor, FollowsTheLocalEndpointThatAnEngineReports) {
  in_namespace([] {
    SupervisorRig rig;
    const auto result = rig.run([&](const std::string&) {
      // Interface 2 is tun1. RFC 4213 3.7.
      EXPECT_THAT(addresses_and_routes(), HasSubstr("fe80000000000000000000007f000001 02"));
      rig.first->set_local(0, *proto::Ipv4Address::from_text("127.0.0.9"));
      const std::string_view wanted = "fe80000000000000000000007f000009";
      for (int i = 0; i < 500 && addresses_and_routes().find(wanted) == std::string::npos; ++i)
        std::this_thread::sleep_for(10ms);
      EXPECT_THAT(addresses_and_routes(), HasSubstr(wanted));
      EXPECT_THAT(addresses_and_routes(), Not(HasSubstr("fe80000000000000000000007f000001 02")));
      return SIGTERM;
    });
    EXPECT_TRUE(result);
  });
}

TEST(Supervisor, LogsThatMostPacketsAreMarked) {
  in_namespace([] {
    SupervisorRig rig;
    std::atomic<int> lines = 0;
    for (auto& device : rig.options.settings.devices) {
      device.config.log = [&](LogLevel level, std::string_view line) {
        if (level == LogLevel::warning && line.find("reports congestion (CE)") != line.npos)
          ++lines;
      };
    }
    rig.options.ecn_check_period = 20ms;
    const auto open = rig.options.open_engine;
    rig.options.open_engine = [&](const Config& config) {
      auto engine = open(config);
      Totals& totals = rig.last->totals(0);
      totals.in_received = 200;
      totals.drops[static_cast<std::size_t>(DropReason::ecn_ce_on_not_ect)] = 200;
      return engine;
    };
    const auto result = rig.run([&](const std::string&) {
      for (int i = 0; i < 500 && lines < 2; ++i) std::this_thread::sleep_for(10ms);
      std::this_thread::sleep_for(100ms);
      EXPECT_EQ(lines, 2);  // one for each of the two devices, although it is checked again
      return SIGTERM;
    });
    EXPECT_TRUE(result);
  });
}

/// The same file with other words for the first device's tunnel, or without the second device.
Settings changed(const std::string& from, const std::string& to) {
  std::string text = kTwoDevices;
  text.replace(text.find(from), from.size(), to);
  return *parse_config(text, "test");
}

nlohmann::json request(const SupervisorRig& rig, const std::string& line) {
  const auto answer = send_request(rig.options.control_path, line);
  EXPECT_TRUE(answer) << answer.error().message();
  return answer ? nlohmann::json::parse(*answer) : nlohmann::json{};
}

TEST(Supervisor, ReadsTheFileAgainWhenItIsAsked) {
  in_namespace([] {
    SupervisorRig rig;
    std::optional<Settings> file;
    rig.options.load = [&]() -> Result<Settings> {
      if (file) return *file;
      return Unexpected{Error{0, "read", "test, line 9", "is wrong"}};
    };
    const auto result = rig.run([&](const std::string&) {
      EXPECT_THAT(request(rig, R"({"request":"reload"})")["error"], HasSubstr("line 9"));
      file = changed("remote = \"192.0.2.1\"", "remote = \"192.0.2.1\"\nttl = 9");
      EXPECT_EQ(request(rig, R"({"request":"reload"})")["done"], "1 tunnel changed");
      EXPECT_EQ(rig.log.applied, 1);
      return SIGTERM;
    });
    EXPECT_TRUE(result);
    rig.expect_nothing_left();
  });
}

TEST(Supervisor, BringsDevicesUpAndDownWithTheFile) {
  in_namespace([] {
    SupervisorRig rig;
    Settings file = *parse_config(kTwoDevices, "test");
    rig.options.load = [&]() -> Result<Settings> { return file; };
    const auto result = rig.run([&](const std::string&) {
      std::string text = kTwoDevices;
      text.replace(text.find("[device.tun2]"), 13, "[device.tun3]");
      text.replace(text.find("device.tun2.tunnel"), 18, "device.tun3.tunnel");
      file = *parse_config(text, "test");  // with the route of the removed device
      EXPECT_EQ(request(rig, R"({"request":"reload"})")["done"], "1 device added, 1 removed");
      EXPECT_EQ(::if_nametoindex("tun2"), 0u);
      EXPECT_NE(::if_nametoindex("tun3"), 0u);
      EXPECT_EQ(request(rig, R"({"request":"devices"})")["names"],
                nlohmann::json({"tun1", "tun3"}));
      return SIGTERM;
    });
    EXPECT_TRUE(result);
    EXPECT_EQ(::if_nametoindex("tun3"), 0u);
    rig.expect_nothing_left();
  });
}

TEST(Supervisor, ChangesNothingIfTheKernelRefusesAPartOfTheFile) {
  in_namespace([] {
    SupervisorRig rig;
    Settings file;
    rig.options.load = [&]() -> Result<Settings> { return file; };
    const auto result = rig.run([&](const std::string&) {
      auto netlink = netlink::Netlink::open();
      const unsigned lo = ::if_nametoindex("lo");
      EXPECT_TRUE(netlink->add_route(lo, *proto::Ipv6Prefix::from_text("2001:db8:7::/48")));
      file = changed("\"2001:db8:9::/48\"", "\"2001:db8:6::/48\", \"2001:db8:7::/48\"");
      const auto answer = request(rig, R"({"request":"reload"})");
      EXPECT_THAT(answer["error"], HasSubstr("a route to 2001:db8:7::/48 by lo"));
      // The next change starts from the previous settings.
      file = changed("\"2001:db8:9::/48\"", "\"2001:db8:9::/48\", \"2001:db8:5::/48\"");
      EXPECT_EQ(request(rig, R"({"request":"reload"})")["done"], "1 device changed");
      file = changed("address", "workers = 2\naddress");
      EXPECT_THAT(request(rig, R"({"request":"reload"})")["error"], HasSubstr("word 'workers'"));
      return SIGTERM;
    });
    EXPECT_TRUE(result);
    rig.expect_nothing_left();
  });
}

TEST(Supervisor, ReadsTheFileAgainBySighup) {
  in_namespace([] {
    SupervisorRig rig;
    std::atomic<int> loaded = 0;
    rig.options.load = [&]() -> Result<Settings> {
      if (++loaded == 2) return Unexpected{Error{0, "read", "test, line 9", "is wrong"}};
      return *parse_config(kTwoDevices, "test");
    };
    const auto result = rig.run([&](const std::string&) {
      for (const int times : {1, 2, 3}) {
        ::kill(::getpid(), SIGHUP);
        for (int i = 0; i < 500 && loaded < times; ++i) std::this_thread::sleep_for(10ms);
      }
      EXPECT_EQ(request(rig, R"({"request":"devices"})")["names"].size(), 2u);
      return SIGTERM;
    });
    EXPECT_TRUE(result);
    EXPECT_EQ(loaded, 3);
    EXPECT_THAT(rig.printed, HasSubstr("culvert: reloaded: nothing has changed\n"));
    EXPECT_EQ(rig.complained, "read test, line 9: is wrong; the reload is refused");
    rig.expect_nothing_left();
  });
}

TEST(Supervisor, ChangesATunnelThatRuns) {
  in_namespace([] {
    SupervisorRig rig;
    const auto result = rig.run([&](const std::string&) {
      const auto set = [&](const std::string& words) {
        return request(rig, R"({"request":"tunnel","action":"set","device":"tun2","tunnel":"tun2",)"
                            R"("words":[)" +
                                words + "]}");
      };
      EXPECT_EQ(set(R"("down","key","7")")["done"], "tunnel tun2 of tun2: changed");
      EXPECT_EQ(rig.last->status().tunnels[0].config.up, false);
      EXPECT_EQ(std::get<proto::Gre::Parameters>(rig.last->status().tunnels[0].config.mode).ikey,
                7);
      EXPECT_THAT(set(R"("kee","7")")["error"], HasSubstr("is 'key' meant?"));
      EXPECT_THAT(set(R"("mtu","1400")")["error"], HasSubstr("is a word of the device"));
      EXPECT_THAT(set("")["error"], HasSubstr("has no words"));
      EXPECT_THAT(request(rig, R"({"request":"reload"})")["error"], HasSubstr("without --config"));
      return SIGTERM;
    });
    EXPECT_TRUE(result);
  });
}

// The network changes after the first device has read it and before the watch starts, while the
// second device is opened.
TEST(Supervisor, SeesWhatHasChangedDuringStart) {
  in_namespace([] {
    const io::Wire wire;
    io::ip("neigh replace 192.0.2.2 nud failed dev ours");
    {
      const io::Inside there(wire.peer());
      io::ip("link set theirs arp off");  // nobody answers
    }
    SupervisorRig rig;
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
    SupervisorRig rig;
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
}  // namespace culvert::program
