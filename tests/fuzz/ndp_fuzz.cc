// Neighbor solicitations and advertisements: an accepted message can be built and parsed again.
#include "proto/ndp.h"

#include <array>

#include "tests/fuzz/fuzz.h"

namespace {

using namespace culvert::proto;
using namespace culvert::fuzz;

void check_rules(const NeighborMessage& message) {
  require(!message.target.is_multicast(), "no target is multicast");
  if (message.type == NeighborMessageType::advertisement) {
    require(!message.solicited || !message.destination.is_multicast(), "S is not for groups");
    return;
  }
  require(!message.router && !message.solicited && !message.override, "solicitations have no flag");
  if (message.source.is_unspecified())
    require(is_solicited_node_group(message.destination) && !message.has_address,
            "source :: asks a solicited-node group, without its address");
}

NeighborMessage built_again(const NeighborMessage& message) {
  std::array<std::byte, kNeighborAdvertisementBytes> out{};
  std::size_t size = out.size();
  if (message.type == NeighborMessageType::advertisement) {
    build_neighbor_advertisement(out, {.source = message.source,
                                       .destination = message.destination,
                                       .target = message.target,
                                       .router = message.router,
                                       .solicited = message.solicited,
                                       .override = message.override,
                                       .address = message.address});
  } else {
    size = build_neighbor_solicitation(
        out, {.source = message.source,
              .destination = message.destination,
              .target = message.target,
              .address = message.has_address ? std::optional{message.address} : std::nullopt});
  }
  const auto again = parse_neighbor_message(std::span{out}.first(size));
  require(again.has_value(), "what was built is taken");
  return *again;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto message = parse_neighbor_message(bytes_of(data, size));
  if (!message) return 0;
  check_rules(*message);
  const NeighborMessage again = built_again(*message);
  require(again.source == message->source && again.target == message->target &&
              again.type == message->type && again.router == message->router &&
              again.solicited == message->solicited && again.override == message->override &&
              (!message->has_address || again.address == message->address),
          "nothing is lost on the way");
  return 0;
}
