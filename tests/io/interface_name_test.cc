#include "io/interface_name.h"

#include <gtest/gtest.h>
#include <net/if.h>
#include <sys/socket.h>

#include "io/tun.h"
#include "tests/io/rig.h"

namespace culvert::io {
namespace {

TEST(InterfaceName, FollowsTheRulesOfLinux) {
  for (const auto* name : {"a", "eth0.100", "wg-0", "tun%d", "fifteen-bytes-x"})
    EXPECT_TRUE(is_interface_name(name)) << name;
  for (const auto* name : {"", ".", "..", "a/b", "a:b", "a b", "a\tb", "\x7f", "sixteen-bytes-xx"})
    EXPECT_FALSE(is_interface_name(name)) << name;
}

class InterfaceNameInKernel : public NamespaceTest {};

TEST_F(InterfaceNameInKernel, IsAcceptedByTheKernel) {
  for (const char c : {'!', '+', '-', '.', '@', '\\', '~'}) {
    const std::string name = std::string{"a"} + c;
    ASSERT_TRUE(is_interface_name(name));
    const auto tun = open_tun(name, 1);
    EXPECT_TRUE(tun) << name << ": " << tun.error().message();
  }
}

}  // namespace
}  // namespace culvert::io
