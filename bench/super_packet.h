// One super-packet of TCP or UDP over IPv6, as TUN delivers it. gso_bench segments it, and
// gro_bench joins its segments again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "io/packet.h"
#include "proto/checksum.h"
#include "proto/ipv4.h"
#include "proto/ipv6.h"
#include "proto/tcp.h"
#include "proto/udp.h"

namespace culvert::bench {

/// This many super-packets of 64 KiB are 8 MiB: more than a core's second-level cache.
inline constexpr std::size_t kColdBuffers = 128;

enum class Transport : std::uint8_t { tcp, udp };

/// TCP headers with 12 bytes of options (timestamps, as Linux sends them), or UDP headers.
constexpr std::size_t header_bytes(Transport transport) {
  return proto::kIpv6HeaderBytes +
         (transport == Transport::tcp ? proto::kTcpHeaderBytes + 12 : proto::kUdpHeaderBytes);
}

class SuperPacket {
 public:
  SuperPacket(Transport transport, std::uint16_t flow, std::size_t payload_bytes,
              std::size_t segment_bytes)
      : bytes_(header_bytes(transport) + payload_bytes, std::byte{0x5a}) {
    const bool is_tcp = transport == Transport::tcp;
    const auto source = *proto::Ipv6Address::from_text("2001:db8::1");
    const auto destination = *proto::Ipv6Address::from_text("2001:db8:1::2");
    const auto protocol = is_tcp ? proto::kProtocolTcp : proto::kProtocolUdp;
    const std::span<std::byte> bytes{bytes_};
    const auto size = static_cast<std::uint16_t>(bytes.size() - proto::kIpv6HeaderBytes);
    proto::build_ipv6(bytes.first<proto::kIpv6HeaderBytes>(), {.source = source,
                                                               .destination = destination,
                                                               .next_header = protocol,
                                                               .hop_limit = 64,
                                                               .payload_bytes = size});
    const auto header = bytes.subspan(proto::kIpv6HeaderBytes);
    const std::size_t field = is_tcp ? proto::kTcpChecksumOffset : proto::kUdpChecksumOffset;
    proto::store_be16(header, 0, flow);
    proto::store_be16(header, 2, 443);
    if (is_tcp) {
      proto::store_be32(header, 4, 1000);
      proto::store_be16(header, 12, 8 << 12 | proto::kTcpAck);
    } else {
      proto::store_be16(header, 4, size);
    }
    proto::store(header, field,
                 proto::fold(proto::pseudo_header_sum(source, destination, protocol, size)));
    packet_ = io::Packet(bytes_, 0, bytes_.size());
    packet_.offload = {
        .needs_checksum = true,
        .checksum_start = proto::kIpv6HeaderBytes,
        .checksum_offset = static_cast<std::uint16_t>(field),
        .segmentation = is_tcp ? io::Segmentation::tcp6 : io::Segmentation::udp,
        .segment_bytes = static_cast<std::uint16_t>(segment_bytes),
        .header_bytes = static_cast<std::uint16_t>(header_bytes(transport)),
    };
  }
  SuperPacket(const SuperPacket&) = delete;
  SuperPacket& operator=(const SuperPacket&) = delete;

  [[nodiscard]] const io::Packet& packet() const { return packet_; }

 private:
  std::vector<std::byte> bytes_;
  io::Packet packet_;
};

}  // namespace culvert::bench
