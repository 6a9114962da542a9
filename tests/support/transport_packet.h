// TCP and UDP packets for tests, and a slow GSO: byte by byte from RFC 791, 8200, 9293 and 768,
// with the checksum of RFC 1071 as written there. Shares no code with proto/ or engine/, so that it
// is an independent reference.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "io/offload.h"

namespace culvert::test {

using Bytes = std::vector<std::byte>;

enum class Checksum : std::uint8_t {
  complete,
  partial,  ///< the field holds the pseudo-header's sum, as a device expects it
  bad,
};

/// One TCP or UDP packet; fields that its kind does not have are ignored.
struct TransportPacket {
  bool is_ipv6 = true;
  bool is_tcp = true;
  std::uint8_t flow = 1;  ///< selects addresses and ports
  std::uint8_t tos = 0;
  std::uint8_t ttl = 64;
  std::uint32_t flow_label = 0;
  std::uint16_t identification = 0;
  bool dont_fragment = true;
  Bytes ip_options{};  ///< IPv4, a multiple of 4 bytes
  Bytes
      extensions{};  ///< IPv6: what lies between the headers, from a Destination Options header on
  std::uint32_t sequence = 1000;
  std::uint32_t acknowledgment = 2000;
  std::uint8_t flags = 0x10;  ///< ACK
  std::uint8_t reserved = 0;  ///< low four bits of the data offset's byte
  std::uint16_t window = 500;
  std::uint16_t urgent_pointer = 0;
  Bytes tcp_options{};  ///< a multiple of 4 bytes
  Bytes payload{};

  [[nodiscard]] std::size_t ip_header_bytes() const;
  [[nodiscard]] std::size_t header_bytes() const;
};

[[nodiscard]] Bytes draw(const TransportPacket& packet, Checksum checksum = Checksum::complete);

/// The offload of a packet with a partial checksum; with `segment_bytes` that of a super-packet.
[[nodiscard]] io::Offload partial_offload(const TransportPacket& packet,
                                          std::uint16_t segment_bytes = 0);

/// RFC 1071 1: the complement of slow_sum() of packet_builder.h.
[[nodiscard]] std::uint16_t slow_checksum(std::span<const std::byte> bytes);

/// Segments a super-packet by copying. Its transport header begins at `offload.checksum_start`.
[[nodiscard]] std::vector<Bytes> slow_segment(const Bytes& super_packet,
                                              const io::Offload& offload);

/// Writes the pseudo-header's sum into the checksum field, as a device expects it.
void set_partial_checksum(Bytes& packet, const io::Offload& offload);

/// A number from `low` to `high`, both included. `random`: any uniform random bit generator.
template <class Random>
[[nodiscard]] std::size_t pick(Random& random, std::size_t low, std::size_t high) {
  return std::uniform_int_distribution<std::size_t>(low, high)(random);
}
template <class Random>
[[nodiscard]] bool one_in(Random& random, std::size_t count) {
  return pick(random, 1, count) == count;
}
template <class Random>
[[nodiscard]] Bytes random_bytes(Random& random, std::size_t size) {
  Bytes bytes(size);
  for (std::byte& byte : bytes) byte = std::byte(random());
  return bytes;
}

}  // namespace culvert::test
