// Removals on our devices are reported, and nothing else is queued.
#include "engine/host/removal_watch.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <cstdlib>

#include "io/tun.h"
#include "tests/support/in_namespace.h"

namespace culvert::host {
namespace {

/// Whether the watch is readable now; netlink queues events before the change returns.
bool reports(RemovalWatch& watch) {
  pollfd poll{.fd = watch.fd(), .events = POLLIN, .revents = 0};
  const bool is_readable = ::poll(&poll, 1, 0) == 1;
  watch.drain();
  return is_readable;
}

bool is_reported(RemovalWatch& watch, const std::string& command) {
  reports(watch);
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
  return reports(watch);
}

TEST(RemovalWatch, ReportsRemovalsOfItsDevicesAlone) {
  test::in_namespace([] {
    const auto own = io::open_tun("tun7", 1), second = io::open_tun("tun8", 1);
    const auto other = io::open_tun("tun9", 1);
    ASSERT_TRUE(own && second && other);
    auto watch = RemovalWatch::open();
    ASSERT_TRUE(watch) << watch.error().message();
    EXPECT_FALSE(is_reported(*watch, "ip link set tun7 mtu 1400"));
    watch->set_devices({own->index, second->index});
    for (const std::string device : {"tun7", "tun8", "tun9"}) {
      const bool is_ours = device != "tun9";
      EXPECT_EQ(is_reported(*watch, "ip link set " + device + " up"), is_ours);
      for (const std::string what :
           {"addr@ 2001:db8:1::1/64", "addr@ 10.0.0.1/24", "-6 route@ 2001:db8:2::/48",
            "-6 route@ default metric 77", "route@ 10.8.0.0/16"}) {
        const auto command = [&](const std::string& verb) {
          std::string text = "ip " + what + " dev " + device;
          return text.replace(text.find('@'), 1, " " + verb);
        };
        EXPECT_FALSE(is_reported(*watch, command("add"))) << command("add");
        EXPECT_EQ(is_reported(*watch, command("del")), is_ours) << command("del");
      }
    }
    // Unreachable routes have no device.
    for (const std::string version : {"-6", "-4"}) {
      const std::string prefix = version == "-6" ? "2001:db8:3::/48" : "10.9.0.0/16";
      const auto change = [&](const std::string& verb, const std::string& more) {
        return "ip " + version + " route " + verb + " unreachable " + prefix + more;
      };
      EXPECT_FALSE(is_reported(*watch, change("add", " proto static")));
      EXPECT_TRUE(is_reported(*watch, change("del", ""))) << version;
      EXPECT_FALSE(is_reported(*watch, change("add", " proto bird")));
      EXPECT_FALSE(is_reported(*watch, change("del", ""))) << version;
    }
    watch->set_devices({});
    EXPECT_FALSE(is_reported(*watch, "ip link set tun7 down"));
  });
}

}  // namespace
}  // namespace culvert::host
