// The packets that BareRun joins, compared with the slow GSO.
#include "bench/e2e/bare_run.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <vector>

#include "tests/support/transport_packet.h"

namespace culvert::bench {
namespace {

using test::Bytes;
using test::Checksum;
using test::TransportPacket;

/// A packet in its slot, with headroom for a virtio-net header.
struct Slot {
  Bytes bytes;
  explicit Slot(const Bytes& packet) : bytes(io::kVirtioHeaderBytes + packet.size()) {
    std::ranges::copy(packet, bytes.begin() + io::kVirtioHeaderBytes);
  }
  std::span<std::byte> packet() { return std::span{bytes}.subspan(io::kVirtioHeaderBytes); }
};

Bytes gather(std::span<const iovec> pieces) {
  Bytes all;
  for (const iovec& piece : pieces) {
    const auto* begin = static_cast<const std::byte*>(piece.iov_base);
    all.insert(all.end(), begin, begin + piece.iov_len);
  }
  return all;
}

Bytes as_written(const Bytes& packet, const io::Offload& offload) {
  Slot slot{packet};
  io::write_virtio_header(std::span{slot.bytes}.first<io::kVirtioHeaderBytes>(), offload);
  return slot.bytes;
}

TransportPacket data(bool is_tcp, std::size_t payload_bytes) {
  std::minstd_rand random{1};
  TransportPacket packet{.is_tcp = is_tcp, .flags = 0x18};  // ACK, PSH
  packet.tcp_options = Bytes(12, std::byte{1});
  packet.payload = test::random_bytes(random, payload_bytes);
  return packet;
}

TEST(BareRun, IsTheSuperPacketThatWasCut) {
  for (const bool is_tcp : {true, false}) {
    const TransportPacket packet = data(is_tcp, 20 * 1000 + 70);
    const auto offload = test::partial_offload(packet, 1000);
    const Bytes super_packet = test::draw(packet, Checksum::partial);
    std::vector<Slot> slots;
    for (const Bytes& segment : test::slow_segment(super_packet, offload))
      slots.emplace_back(segment);
    ASSERT_EQ(slots.size(), 21U);
    BareRun run;
    run.begin(slots[0].packet(), {});
    for (std::size_t i = 1; i < slots.size(); ++i) EXPECT_TRUE(run.append(slots[i].packet(), {}));
    EXPECT_EQ(gather(run.finish()), as_written(super_packet, offload));
  }
}

TEST(BareRun, LeavesAPacketThatIsAloneAsItCame) {
  const Bytes packet = test::draw(data(true, 1000));
  const io::Offload offload{.checksum_verified = true};
  Slot slot{packet};
  BareRun run;
  run.begin(slot.packet(), offload);
  EXPECT_EQ(gather(run.finish()), as_written(packet, offload));
}

TEST(BareRun, TakesOnlyWhatComesNextInItsFlow) {
  TransportPacket first = data(true, 1000);
  first.flags = 0x10;
  TransportPacket next = first;
  next.sequence += 1000;
  const auto is_taken = [&](const TransportPacket& packet) {
    Slot a{test::draw(first)}, b{test::draw(packet)};
    BareRun run;
    run.begin(a.packet(), {});
    return run.append(b.packet(), {});
  };
  EXPECT_TRUE(is_taken(next));
  const std::vector<std::function<void(TransportPacket&)>> changes{
      [](TransportPacket& packet) { packet.sequence += 1; },
      [](TransportPacket& packet) { packet.acknowledgment += 1; },
      [](TransportPacket& packet) { packet.window += 1; },
      [](TransportPacket& packet) { packet.flags = 0x11; },  // FIN
      [](TransportPacket& packet) { packet.flow += 1; },
      [](TransportPacket& packet) { packet.tos = 1; },
      [](TransportPacket& packet) { packet.is_tcp = false; },
      [](TransportPacket& packet) { packet.tcp_options.back() = std::byte{0}; },
      [](TransportPacket& packet) { packet.tcp_options.clear(); },
      [](TransportPacket& packet) { packet.payload.clear(); },
      [](TransportPacket& packet) { packet.payload.resize(1001); },
  };
  for (std::size_t i = 0; i < changes.size(); ++i) {
    TransportPacket other = next;
    changes[i](other);
    EXPECT_FALSE(is_taken(other)) << "change " << i;
  }
}

TEST(BareRun, EndsWithAShortOrPushedPacket) {
  for (const bool is_short : {true, false}) {
    TransportPacket packet = data(true, 1000);
    packet.flags = 0x10;
    Slot first{test::draw(packet)};
    packet.sequence += 1000;
    if (is_short) packet.payload.resize(500);
    if (!is_short) packet.flags = 0x18;
    Slot last{test::draw(packet)};
    packet.sequence += static_cast<std::uint32_t>(packet.payload.size());
    packet.flags = 0x10;
    Slot behind{test::draw(packet)};
    BareRun run;
    run.begin(first.packet(), {});
    EXPECT_TRUE(run.append(last.packet(), {}));
    EXPECT_FALSE(run.append(behind.packet(), {}));
  }
}

}  // namespace
}  // namespace culvert::bench
