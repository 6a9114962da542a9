// DemuxRule: how a received outer packet shows its encapsulation and the key of its tunnel. Each
// encapsulation lists its rules. The socket filters, BPF programs and look-up tables are built from
// these lists, so none of them knows an encapsulation. Plain values; any thread.
#pragma once

#include <cstdint>
#include <span>

namespace culvert::proto {

/// A place of the tunnel's key. It holds for packets whose first 32-bit word behind the outer
/// header, in host byte order and masked by `mask`, is `value`.
struct KeyPlace {
  std::uint32_t mask = 0;
  std::uint32_t value = 0;
  std::uint8_t offset_bytes = 0;  ///< of the 32-bit key, from the end of the outer header
};

/// One IP protocol of an encapsulation. `ip_protocol`: the protocol field of the outer header.
struct DemuxRule {
  std::uint8_t ip_protocol = 0;
  /// The EtherType of all payload packets; 0: the encapsulation header states it.
  std::uint16_t protocol_type = 0;
  /// The places of the key. At most one of them holds for a packet. If none does, the packet has
  /// no key.
  std::span<const KeyPlace> keys{};
  /// The first 32-bit word behind the outer header of a packet that the encapsulation can decapsulate,
  /// in host byte order: the bits of `zero_bits` are 0, and the low half is one of these protocol
  /// types. Empty: any.
  std::span<const std::uint16_t> protocol_types{};
  std::uint32_t zero_bits = 0;
};

/// The bytes behind the outer header that a rule may look at.
inline constexpr std::uint8_t kDemuxBytes = 12;

}  // namespace culvert::proto
