#include "proto/tcp_fields.h"

#include <gtest/gtest.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>

#include <cstddef>

#include "proto/ipv4.h"
#include "proto/ipv6.h"
#include "proto/tcp.h"
#include "proto/udp.h"
#include "tests/support/packet_builder.h"

namespace culvert::proto {
namespace {

using namespace culvert::test;

// The C library has the same headers as structures.
TEST(HeaderFields, HaveTheOffsetsOfTheCLibrary) {
  EXPECT_EQ(kIpv4TosOffset, offsetof(iphdr, tos));
  EXPECT_EQ(kIpv4TotalLengthOffset, offsetof(iphdr, tot_len));
  EXPECT_EQ(kIpv4IdentificationOffset, offsetof(iphdr, id));
  EXPECT_EQ(kIpv4FragmentOffset, offsetof(iphdr, frag_off));
  EXPECT_EQ(kIpv4TtlOffset, offsetof(iphdr, ttl));
  EXPECT_EQ(kIpv4ProtocolOffset, offsetof(iphdr, protocol));
  EXPECT_EQ(kIpv4ChecksumOffset, offsetof(iphdr, check));
  EXPECT_EQ(kIpv4SourceOffset, offsetof(iphdr, saddr));
  EXPECT_EQ(kIpv4DestinationOffset, offsetof(iphdr, daddr));
  EXPECT_EQ(kIpv4DontFragment, IP_DF);
  EXPECT_EQ(kIpv4MoreFragments, IP_MF);
  EXPECT_EQ(kIpv4OffsetMask, IP_OFFMASK);

  EXPECT_EQ(kIpv6PayloadLengthOffset, offsetof(ip6_hdr, ip6_ctlun.ip6_un1.ip6_un1_plen));
  EXPECT_EQ(kIpv6NextHeaderOffset, offsetof(ip6_hdr, ip6_ctlun.ip6_un1.ip6_un1_nxt));
  EXPECT_EQ(kIpv6HopLimitOffset, offsetof(ip6_hdr, ip6_ctlun.ip6_un1.ip6_un1_hlim));
  EXPECT_EQ(kIpv6SourceOffset, offsetof(ip6_hdr, ip6_src));
  EXPECT_EQ(kIpv6DestinationOffset, offsetof(ip6_hdr, ip6_dst));

  EXPECT_EQ(kSourcePortOffset, offsetof(tcphdr, th_sport));
  EXPECT_EQ(kDestinationPortOffset, offsetof(tcphdr, th_dport));
  EXPECT_EQ(kTcpSequenceOffset, offsetof(tcphdr, th_seq));
  EXPECT_EQ(kTcpAcknowledgmentOffset, offsetof(tcphdr, th_ack));
  EXPECT_EQ(kTcpHeaderLengthOffset, offsetof(tcphdr, th_ack) + 4);  // a bit-field has no offsetof
  EXPECT_EQ(kTcpFlagsOffset, offsetof(tcphdr, th_flags));
  EXPECT_EQ(kTcpWindowOffset, offsetof(tcphdr, th_win));
  EXPECT_EQ(kTcpChecksumOffset, offsetof(tcphdr, th_sum));
  EXPECT_EQ(kTcpUrgentPointerOffset, offsetof(tcphdr, th_urp));

  EXPECT_EQ(kSourcePortOffset, offsetof(udphdr, uh_sport));
  EXPECT_EQ(kDestinationPortOffset, offsetof(udphdr, uh_dport));
  EXPECT_EQ(kUdpLengthOffset, offsetof(udphdr, uh_ulen));
  EXPECT_EQ(kUdpChecksumOffset, offsetof(udphdr, uh_sum));
}

TEST(HeaderFields, ReadAddressesAndVersionOfIpv4) {
  const Bytes packet = hex("45 00 0014 0000 4000 40 2f 0000 c0000201 c6336402");
  EXPECT_EQ(ip_version(packet), 4u);
  EXPECT_EQ(ipv4_source(packet).to_text(), "192.0.2.1");
  EXPECT_EQ(ipv4_destination(packet).to_text(), "198.51.100.2");
}

TEST(HeaderFields, ReadAddressesAndVersionOfIpv6) {
  const Bytes packet =
      hex("60 00 0000 0000 3b 40"
          "20010db8 00000000 00000000 00000001"
          "20010db8 00000000 00000000 00000002");
  EXPECT_EQ(ip_version(packet), 6u);
  EXPECT_EQ(ipv6_source(packet).to_text(), "2001:db8::1");
  EXPECT_EQ(ipv6_destination(packet).to_text(), "2001:db8::2");
}

TEST(HeaderFields, ReadTheTcpHeaderLength) {
  Bytes segment(kTcpHeaderBytes);
  for (unsigned words = 0; words < 16; ++words) {
    segment[kTcpHeaderLengthOffset] = std::byte(words << 4 | 0xf);  // reserved bits do not count
    EXPECT_EQ(tcp_header_bytes(segment), words * 4);
  }
}

}  // namespace
}  // namespace culvert::proto
