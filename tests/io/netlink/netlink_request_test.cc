// Dumps of the kernel's tables while others change them, in a network namespace.
#include "io/netlink/netlink_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include <cerrno>
#include <functional>
#include <utility>
#include <vector>

#include "io/tun.h"
#include "tests/support/in_namespace.h"

namespace culvert::netlink {
namespace {

using proto::Ipv6Prefix;

/// So many that the kernel sends them in several messages.
constexpr std::size_t kManyAddresses = 1'000;

/// A device with many addresses, and another one that comes and goes while they are read.
struct ManyAddresses {
  ManyAddresses() {
    EXPECT_TRUE(netlink->disable_address_generation(tun->index));
    for (unsigned i = 0; i < kManyAddresses; ++i) {
      Ipv6Prefix address = *Ipv6Prefix::from_text("2001:db8:8::1/128");
      address.address.bytes[6] = std::byte(i >> 8);
      address.address.bytes[7] = std::byte(i & 0xff);
      EXPECT_TRUE(netlink->add_address(tun->index, address));
    }
  }
  /// A device that comes and goes changes the list of addresses at once. An address does it a little
  /// later, in another thread.
  static void change() { EXPECT_TRUE(io::open_tun("tun8", 1)); }
  /// Reads the addresses. Calls `at_first` after the first of each time.
  int read(const std::function<void()>& at_first) {
    ifaddrmsg header{};
    header.ifa_family = AF_INET6;
    const Message message = make_request(RTM_GETADDR, NLM_F_DUMP, header);
    const auto start = [&] {
      found.clear();
      is_first = true;
      ++times;
    };
    return dump(netlink->socket(), message.get(), start, [&](nlmsghdr* part) {
      Ipv6Prefix prefix;
      copy(attribute<ifaddrmsg>(part, IFA_ADDRESS), prefix.address.bytes);
      if (std::exchange(is_first, false)) at_first();
      if (prefix.to_text().starts_with("2001:db8:8:")) found.push_back(prefix);
    });
  }
  Result<io::Tun> tun = io::open_tun("tun7", 1);
  Result<Netlink> netlink = Netlink::open();
  std::vector<Ipv6Prefix> found;
  int times = 0;
  bool is_first = true;
};

TEST(Dump, IsReadAgainIfItWasInterrupted) {
  test::in_namespace([] {
    ManyAddresses addresses;
    bool is_changed = false;
    EXPECT_EQ(addresses.read([&] {
      if (!std::exchange(is_changed, true)) ManyAddresses::change();
    }),
              0);
    EXPECT_EQ(addresses.times, 2);
    EXPECT_EQ(addresses.found.size(), kManyAddresses);
  });
}

TEST(Dump, EndsWhileEachOneIsInterrupted) {
  test::in_namespace([] {
    ManyAddresses addresses;
    EXPECT_EQ(addresses.read([] { ManyAddresses::change(); }), EINTR);
    EXPECT_GT(addresses.times, 1);
    EXPECT_LT(addresses.times, 10);
    EXPECT_FALSE(addresses.found.empty());
    EXPECT_EQ(addresses.read([] {}), 0);  // the socket is as before
    EXPECT_EQ(addresses.found.size(), kManyAddresses);
  });
}

}  // namespace
}  // namespace culvert::netlink
