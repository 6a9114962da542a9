// The output of a Gso for a super-packet, and of an Ipv4Fragmenter for a packet, as whole packets.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/offload/gso.h"
#include "engine/offload/ipv4_fragment.h"
#include "tests/support/transport_packet.h"

namespace culvert::test {

/// Empty if the Gso refuses it. `link_bytes`: size of the link-layer header in front.
[[nodiscard]] inline std::vector<Bytes> cut(const io::Packet& packet, std::size_t link_bytes = 0) {
  std::vector<Bytes> segments;
  auto gso = Gso::start(packet, classify(packet.bytes(), link_bytes));
  for (std::size_t i = 0; gso && i < gso->segment_count(); ++i) {
    Bytes segment(gso->header_bytes());
    const auto payload = gso->next(segment);
    segment.insert(segment.end(), payload.begin(), payload.end());
    EXPECT_LE(segment.size(), gso->largest_frame_bytes());
    EXPECT_EQ(gso->largest_packet_bytes() + link_bytes, gso->largest_frame_bytes());
    segments.push_back(std::move(segment));
  }
  return segments;
}
[[nodiscard]] inline std::vector<Bytes> cut(Bytes bytes, const io::Offload& offload) {
  io::Packet packet(bytes, 0, bytes.size());
  packet.offload = offload;
  return cut(packet);
}

/// `packet`: IPv4, with a header of `header_bytes`. Its payload is passed in two parts, the second
/// from `split`.
[[nodiscard]] inline std::vector<Bytes> cut_to_fragments(std::span<const std::byte> packet,
                                                         std::size_t header_bytes,
                                                         std::size_t split,
                                                         std::uint16_t mtu_bytes) {
  const auto payload = packet.subspan(header_bytes);
  Ipv4Fragmenter fragmenter(packet.first(header_bytes), payload.first(split),
                            payload.subspan(split), mtu_bytes);
  std::vector<Bytes> fragments;
  std::array<std::byte, 60> header{};
  while (const auto piece = fragmenter.next(header)) {
    EXPECT_TRUE(piece->payload2.empty() || !piece->payload.empty());
    Bytes bytes(header.begin(), header.begin() + piece->header_bytes);
    bytes.insert(bytes.end(), piece->payload.begin(), piece->payload.end());
    bytes.insert(bytes.end(), piece->payload2.begin(), piece->payload2.end());
    fragments.push_back(std::move(bytes));
  }
  return fragments;
}

}  // namespace culvert::test
