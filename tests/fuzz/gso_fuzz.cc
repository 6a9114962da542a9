// Gso: the first ten bytes are the virtio-net header, the rest is the packet. The segments equal
// those of the slow reference, and the count equals their number. complete_checksum() writes only
// the checksum field.
#include <algorithm>

#include "engine/offload/gso.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/cut.h"
#include "tests/support/transport_packet.h"

namespace {

using namespace culvert;
using namespace culvert::fuzz;

/// The fuzzer cannot guess a header checksum, so it is corrected.
void finish_ipv4_header(std::vector<std::byte>& packet) {
  if (packet.size() < 20 || std::to_integer<unsigned>(packet[0]) >> 4 != 4) return;
  const std::size_t size =
      std::min<std::size_t>(std::to_integer<unsigned>(packet[0]) % 16 * 4, packet.size());
  if (size < 20) return;
  packet[10] = packet[11] = std::byte{0};
  const std::uint16_t checksum = test::slow_checksum(std::span{packet}.first(size));
  packet[10] = std::byte(checksum >> 8);
  packet[11] = std::byte(checksum);
}

void try_segmenter(std::vector<std::byte> bytes, const io::Offload& offload) {
  io::Packet packet(bytes, 0, bytes.size());
  packet.offload = offload;
  require(packet_count(packet) >= 1, "a packet counts");
  if (!Gso::start(packet, classify(packet.bytes()))) return;
  // The slow reference uses the addresses of the IPv6 header, not those of a routing header.
  test::set_partial_checksum(bytes, offload);
  const auto segments = test::cut(packet);
  require(segments.size() == packet_count(packet), "counting agrees with cutting");
  std::size_t size = 0;
  for (const auto& segment : segments) size += segment.size();
  require(size == packet_bytes(packet), "and so do the bytes");
  require(segments == test::slow_segment(bytes, offload), "cut as the slow reference does");
}

void try_complete_checksum(std::vector<std::byte> bytes, const io::Offload& offload) {
  const auto before = bytes;
  io::Packet packet(bytes, 0, bytes.size());
  packet.offload = offload;
  const bool is_done = complete_checksum(packet);
  const std::size_t field = std::size_t{offload.checksum_start} + offload.checksum_offset;
  require(is_done == (field + 2 <= bytes.size()), "done if the field lies within the packet");
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (is_done && (i == field || i == field + 1)) continue;
    require(bytes[i] == before[i], "nothing but the field is written");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = bytes_of(data, size);
  if (input.size() < io::kVirtioHeaderBytes) return 0;
  const auto offload = io::read_virtio_header(input.first<io::kVirtioHeaderBytes>());
  if (!offload) return 0;
  auto packet = copy_of(input.subspan(io::kVirtioHeaderBytes));
  finish_ipv4_header(packet);
  try_complete_checksum(packet, *offload);
  try_segmenter(std::move(packet), *offload);
  return 0;
}
