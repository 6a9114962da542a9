#include "engine/offload/gro_repair.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/support/link_header.h"
#include "tests/support/transport_packet.h"

namespace culvert {
namespace {

using test::Bytes;

constexpr std::uint16_t kMtuBytes = 1400;

/// The result of repair_gro() and the offload that it leaves.
struct Repaired {
  GroRepair repair = GroRepair::intact;
  io::Offload offload;
};
Repaired repair(Bytes bytes, std::size_t link_bytes = 0) {
  io::Packet packet(bytes, 0, bytes.size());
  const GroRepair result = repair_gro(packet, classify(packet.bytes(), link_bytes), kMtuBytes);
  return {result, packet.offload};
}

test::TransportPacket packet_around_mtu(std::mt19937& random) {
  test::TransportPacket packet{.is_ipv6 = test::one_in(random, 2),
                               .is_tcp = !test::one_in(random, 3)};
  packet.tcp_options = Bytes(test::pick(random, 0, 10) * 4, std::byte{1});
  const std::size_t around_mtu = kMtuBytes - packet.header_bytes();
  packet.payload = test::random_bytes(
      random, test::one_in(random, 2) ? test::pick(random, around_mtu - 20, around_mtu + 20)
                                      : test::pick(random, 0, 9000));
  return packet;
}

TEST(GroRepair, RestoresFramesAsItRestoresPackets) {
  std::mt19937 random(7);
  std::map<GroRepair, int> counts;
  constexpr test::Checksum kChecksums[] = {test::Checksum::complete, test::Checksum::partial,
                                           test::Checksum::bad};
  for (int round = 0; round < 2000; ++round) {
    const Bytes packet =
        test::draw(packet_around_mtu(random), kChecksums[test::pick(random, 0, 2)]);
    const Repaired expected = repair(packet);
    ++counts[expected.repair];
    for (const std::size_t link_bytes : test::kLinkHeaderSizes) {
      const Repaired frame = repair(test::with_link_header(packet, link_bytes), link_bytes);
      ASSERT_EQ(frame.repair, expected.repair) << "round " << round;
      ASSERT_EQ(frame.offload, test::behind_link_header(expected.offload, link_bytes));
    }
  }
  for (const auto each : {GroRepair::intact, GroRepair::repaired, GroRepair::unrepairable})
    EXPECT_GT(counts[each], 100);
}

}  // namespace
}  // namespace culvert
