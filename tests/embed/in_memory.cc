// A program that passes packets through outbound and inbound in memory: no descriptors, privileges
// or threads. The inner packet that one endpoint encapsulates must leave the other endpoint
// unchanged.
#include <cstdio>
#include <cstring>
#include <vector>

#include "engine/forward/inbound.h"
#include "engine/forward/outbound.h"
#include "proto/ipv6.h"

using namespace culvert;

namespace {

class Wire final : public OutboundBatch {
 public:
  Wire() : OutboundBatch(16) {}
  std::vector<std::vector<std::byte>> packets;

 private:
  void flush() noexcept override {
    for (const auto& [datagram, tunnel, count, bytes] : datagrams()) {
      auto& packet = packets.emplace_back(datagram.head.begin(), datagram.head.end());
      packet.insert(packet.end(), datagram.tail.begin(), datagram.tail.end());
    }
  }
};

Tables one_tunnel(proto::Ipv4Address local, proto::Ipv4Address remote) {
  const TunnelConfig config{.name = "tunnel",
                            .mode = proto::SixInFour::Parameters{},
                            .local = local,
                            .remote = remote,
                            .ttl = std::uint8_t{64}};
  return Tables({make_tunnel(config)});
}

}  // namespace

int main() {
  const auto a = *proto::Ipv4Address::from_text("192.0.2.1"),
             b = *proto::Ipv4Address::from_text("198.51.100.1");
  const Tables near = one_tunnel(a, b), far = one_tunnel(b, a);
  TunnelStats near_records, far_records;
  if (!near_records.prepare(0, 1) || !far_records.prepare(0, 1)) return 1;

  std::vector<std::byte> buffer(io::kHeadroomBytes + 1280);
  const std::span inner = std::span{buffer}.subspan(io::kHeadroomBytes);
  proto::build_ipv6(inner.first<proto::kIpv6HeaderBytes>(),
                    {.source = *proto::Ipv6Address::from_text("2001:db8::1"),
                     .destination = *proto::Ipv6Address::from_text("2001:db8::2"),
                     .next_header = 59,
                     .hop_limit = 64,
                     .payload_bytes = 1240});
  const std::vector<std::byte> original(inner.begin(), inner.end());

  Wire wire;
  io::Packet packet(buffer, io::kHeadroomBytes, original.size());
  FlowPinning unpinned;
  OutboundPacket ahead;
  ahead.classify(packet);
  if (outbound(packet, ahead, near, near_records, unpinned, wire).action !=
      Verdict::Action::to_tunnel)
    return 1;
  wire.flush_and_clear();
  if (wire.packets.size() != 1 || wire.packets[0].size() != 20 + original.size()) return 1;

  PacketMeta meta;
  io::Packet received(wire.packets[0], 0, wire.packets[0].size());
  if (inbound(received, meta, far, far_records, unpinned, io::ReceiveKind::packet).action !=
      Verdict::Action::to_tun)
    return 1;
  if (received.size() != original.size() ||
      std::memcmp(received.bytes().data(), original.data(), original.size()) != 0)
    return 1;

  // The local endpoint does not accept its own packet: its source is not the remote endpoint.
  io::Packet reflected(wire.packets[0], 0, wire.packets[0].size());
  if (inbound(reflected, meta, near, near_records, unpinned, io::ReceiveKind::packet).reason !=
      DropReason::tunnel_unknown)
    return 1;
  std::puts("in memory: ok");
}
