// Encapsulations without a header, ipip first: the payload packet is all that follows the outer
// header, and has the type that the outer protocol says. Encapsulating it again gives the same.
#include <algorithm>

#include "engine/model/encapsulations.h"
#include "proto/ipv4.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace culvert;
  using namespace culvert::fuzz;
  using namespace culvert::proto;
  const auto outer = parse_ipv4(bytes_of(data, size), ChecksumCheck::already_verified);
  if (!outer || (outer->protocol != kProtocolIpv4 && outer->protocol != kProtocolIpv6)) return 0;
  const auto found = decapsulate(outer->protocol, outer->payload, ChecksumCheck::verify);
  require(found.has_value() == !outer->payload.empty(), "only an empty packet is refused");
  if (!found) return 0;
  const bool is_ipv4 = outer->protocol == kProtocolIpv4;
  require(found->protocol_type == (is_ipv4 ? kProtocolTypeIpv4 : kProtocolTypeIpv6),
          "the outer protocol says which IP version it is");
  require(found->packet.data() == outer->payload.data() &&
              found->packet.size() == outer->payload.size(),
          "the payload packet is all that follows");
  require(!found->key && !found->sequence && !found->had_checksum, "there are no fields");

  std::vector<std::byte> again(kIpv4HeaderBytes);
  build_ipv4(std::span{again}.first<kIpv4HeaderBytes>(),
             {.source = outer->source,
              .destination = outer->destination,
              .protocol = outer->protocol,
              .ttl = 64,
              .total_bytes = static_cast<std::uint16_t>(again.size() + found->packet.size())});
  again.insert(again.end(), found->packet.begin(), found->packet.end());
  if (again.size() > 0xffff) return 0;
  const auto second = parse_ipv4(again);
  require(second.has_value(), "the new outer header is valid");
  const auto payload = decapsulate(second->protocol, second->payload, ChecksumCheck::verify);
  require(payload && std::equal(payload->packet.begin(), payload->packet.end(),
                                found->packet.begin(), found->packet.end()),
          "and the payload packet is the same");
  return 0;
}
