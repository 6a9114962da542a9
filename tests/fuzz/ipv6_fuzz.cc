// IPv6 headers, find_upper_layer(), and ICMPv6 errors about any packet.
#include <algorithm>
#include <array>

#include "proto/icmpv6.h"
#include "proto/ipv6.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace culvert::proto;
using namespace culvert::fuzz;

// For every truncated packet, find_upper_layer() fails or gives the result of the whole packet.
void check_walk(const Ipv6Packet& packet) {
  const auto whole = find_upper_layer(packet);
  if (whole) {
    require(whole->offset_bytes >= kIpv6HeaderBytes && whole->offset_bytes <= packet.bytes.size(),
            "the upper layer lies within the packet");
    require(!whole->is_first_fragment || whole->is_fragment, "a first fragment is a fragment");
  }
  const std::size_t most = std::min<std::size_t>(packet.bytes.size(), 512);
  for (std::size_t size = kIpv6HeaderBytes; size < most; size += 4) {
    const auto cut = copy_of(packet.bytes.first(size));
    const auto found = find_upper_layer(*parse_quoted_ipv6(cut));
    if (!found) continue;
    require(
        whole && found->offset_bytes == whole->offset_bytes && found->protocol == whole->protocol,
        "a cut packet's walk ends where the whole one's does");
  }
}

void check_error_about(const Ipv6Packet& packet) {
  if (!may_answer_with_icmpv6_error(packet, kIcmpv6PacketTooBig)) return;
  std::array<std::byte, kIcmpv6ErrorMaxBytes> out{};
  const std::size_t size = build_icmpv6_error(out, packet.destination, packet.source,
                                              kIcmpv6PacketTooBig, 0, 1280, packet.bytes);
  const auto error = parse_ipv6(std::span{out}.first(size));
  require(error && error->bytes.size() == size, "an error is a packet");
  require(!may_answer_with_icmpv6_error(*error, kIcmpv6PacketTooBig), "no error about an error");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = bytes_of(data, size);
  const auto packet = parse_ipv6(bytes);
  const auto quoted = parse_quoted_ipv6(bytes);
  require(!packet || quoted, "what is valid can be quoted");
  if (!quoted) return 0;
  require(lies_within(quoted->bytes, bytes) && lies_within(quoted->payload, quoted->bytes),
          "views lie within the packet");
  check_walk(*quoted);
  check_error_about(*quoted);
  if (packet) {
    auto changed = copy_of(packet->bytes);
    set_ipv6_traffic_class(changed, 0x5a);
    const auto again = parse_ipv6(changed);
    require(again && again->traffic_class == 0x5a && again->flow_label == packet->flow_label,
            "the setter changes its field alone");
  }
  return 0;
}
