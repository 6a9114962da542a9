// flow_of() for any bytes. It reads nothing beyond them. The keys of
// both directions are equal except that the two sides are exchanged.
#include "engine/flows/flow_key.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace culvert;
using namespace culvert::fuzz;

std::uint32_t exchanged(const FlowKey& key) {
  const bool has_ports = key.far_port() != 0 || key.near_port() != 0;
  return has_ports ? key.word << 16 | key.word >> 16 : key.word;
}

void check(const FlowPacket& in, const FlowPacket& out) {
  require(in.role == out.role, "a packet is the same to its flow whichever way it goes");
  if (in.role == FlowRole::none) return;
  require(in.key.far == out.key.near && in.key.near == out.key.far, "the sides are exchanged");
  require(in.key.protocol == out.key.protocol, "the protocol stays");
  require(in.key.word == exchanged(out.key), "the ports are exchanged with the sides");
  require(!in.key.far.is_multicast() && !in.key.near.is_link_local(), "what is not pinned");
  require(in.role == FlowRole::first_fragment || in.fragments_word == 0, "the first fragment's");
  require(in.role != FlowRole::error || in.tcp_flags == 0, "an error says nothing of TCP's state");
  if (in.role == FlowRole::first_fragment)
    require(in.fragments().identifier().has_value(), "fragments have an identification");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto packet = copy_of(bytes_of(data, size));
  const PacketMeta meta = classify(packet);
  check(flow_of(meta, packet, Direction::inbound), flow_of(meta, packet, Direction::outbound));
  return 0;
}
