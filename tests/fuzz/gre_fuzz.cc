// GRE: encapsulating the result of decapsulate() with the same fields gives the same datagram,
// except for the bits that a receiver ignores.
#include <algorithm>

#include "proto/gre.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace culvert::proto;
  using namespace culvert::fuzz;
  const auto datagram = bytes_of(data, size);
  const auto verified = Gre::decapsulate(datagram);
  // The fuzzer cannot guess a checksum, so the code behind the check also runs without it.
  const auto found = Gre::decapsulate(datagram, ChecksumCheck::already_verified);
  require(!verified || found, "what verifies decapsulates without the check");
  if (!found) return 0;

  const Gre::Parameters parameters{.ikey = {},
                                   .okey = found->key,
                                   .icsum = false,
                                   .ocsum = found->had_checksum,
                                   .iseq = false,
                                   .oseq = found->sequence.has_value()};
  const std::size_t overhead = Gre::overhead_bytes(parameters);
  require(lies_within(found->packet, datagram), "the payload packet lies within the datagram");
  require(overhead + found->packet.size() == datagram.size(), "header and payload are all of it");

  std::vector<std::byte> again(overhead);
  Gre::encapsulate(again, parameters, found->sequence ? *found->sequence : 0,
                   {.head = found->packet, .tail = {}, .protocol_type = found->protocol_type});
  again.insert(again.end(), found->packet.begin(), found->packet.end());
  const auto second = Gre::decapsulate(again);
  require(second.has_value(), "what is encapsulated decapsulates");
  require(second->key == found->key && second->sequence == found->sequence &&
              second->protocol_type == found->protocol_type,
          "with the same fields");
  require(std::equal(second->packet.begin(), second->packet.end(), found->packet.begin(),
                     found->packet.end()),
          "and the same payload packet");
  return 0;
}
