// The network inside the tunnels that `culvert-bench` measures.
#include "bench/e2e/inner_network.h"

#include <gtest/gtest.h>

namespace culvert::bench {
namespace {

TEST(InnerNetwork, IsIpv6InProtocol41) {
  const InnerNetwork inner;
  EXPECT_EQ(inner.ip_protocol(), 41);  // RFC 4213 3.5
  EXPECT_EQ(to_text(inner.prefix(0)), "fd00:c::1/64");
  EXPECT_EQ(inner.address(1), InnerAddress{*proto::Ipv6Address::from_text("fd00:c::2")});
}

TEST(InnerNetwork, IsIpv4InProtocol4) {
  const InnerNetwork inner{proto::kProtocolTypeIpv4};
  EXPECT_EQ(inner.ip_protocol(), 4);  // RFC 2003 3.1
  EXPECT_EQ(to_text(inner.prefix(0)), "10.0.0.1/24");
  EXPECT_EQ(inner.address(1), InnerAddress{*proto::Ipv4Address::from_text("10.0.0.2")});
}

}  // namespace
}  // namespace culvert::bench
