#include "bench/e2e/bare_run.h"

#include <algorithm>
#include <cstring>

#include "proto/checksum.h"
#include "proto/ipv4.h"
#include "proto/ipv6.h"
#include "proto/tcp.h"
#include "proto/udp.h"

namespace culvert::bench {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::size_t kMostBytes = 65'535;
constexpr std::size_t kPayloadLength = 4;
constexpr std::size_t kNextHeader = 6;  // from here to the ports all bytes must be equal
constexpr std::size_t kTransport = proto::kIpv6HeaderBytes;
constexpr std::size_t kSequence = kTransport + 4, kAcknowledgment = kTransport + 8,
                      kDataOffset = kTransport + 12, kTcpFlags = kTransport + 13,
                      kWindow = kTransport + 14;
constexpr std::size_t kTcpOptions = kTransport + proto::kTcpHeaderBytes;

/// The size of the IPv6 and TCP or UDP headers; 0 for other or too short packets.
std::size_t header_bytes_of(Bytes packet) noexcept {
  if (packet.size() <= kTcpOptions) return 0;
  const unsigned protocol = proto::load_u8(packet, kNextHeader);
  if (protocol == proto::kProtocolUdp) return kTransport + proto::kUdpHeaderBytes;
  const std::size_t bytes = kTransport + (proto::load_u8(packet, kDataOffset) >> 4) * 4U;
  const bool is_data = (proto::load_u8(packet, kTcpFlags) & ~proto::kTcpPsh) == proto::kTcpAck;
  const bool is_tcp = protocol == proto::kProtocolTcp && is_data;
  return is_tcp && bytes >= kTcpOptions && packet.size() > bytes ? bytes : 0;
}

bool is_equal(Bytes a, Bytes b, std::size_t begin, std::size_t end) noexcept {
  return std::memcmp(a.data() + begin, b.data() + begin, end - begin) == 0;
}

iovec piece_of(Bytes bytes) noexcept {
  return {.iov_base = const_cast<std::byte*>(bytes.data()), .iov_len = bytes.size()};
}

}  // namespace

void BareRun::begin(std::span<std::byte> first, const io::Offload& offload) noexcept {
  first_ = first;
  offload_ = offload;
  header_bytes_ = offload.is_super_packet() ? 0 : header_bytes_of(first);
  total_bytes_ = first.size();
  count_ = 1;
  if (header_bytes_ == 0) return;
  is_tcp_ = proto::load_u8(first, kNextHeader) == proto::kProtocolTcp;
  is_ended_ = is_tcp_ && (proto::load_u8(first, kTcpFlags) & proto::kTcpPsh) != 0;
}

bool BareRun::has_same_headers(Bytes next) const noexcept {
  const Bytes first = first_;
  if (!is_equal(first, next, 0, kPayloadLength) || !is_equal(first, next, kNextHeader, kSequence))
    return false;
  if (!is_tcp_) return true;
  const auto behind = static_cast<std::uint32_t>(total_bytes_ - header_bytes_);
  return proto::load_be32(next, kSequence) == proto::load_be32(first, kSequence) + behind &&
         is_equal(first, next, kAcknowledgment, kTcpFlags) &&
         is_equal(first, next, kWindow, kWindow + 2) &&
         is_equal(first, next, kTcpOptions, header_bytes_);
}

bool BareRun::append(Bytes next, const io::Offload& offload) noexcept {
  if (header_bytes_ == 0 || is_ended_ || count_ == kMaxPackets || offload.is_super_packet())
    return false;
  if (next.size() <= header_bytes_ || next.size() > first_.size()) return false;
  const Bytes payload = next.subspan(header_bytes_);
  if (total_bytes_ + payload.size() > kMostBytes) return false;
  if (header_bytes_of(next) != header_bytes_ || !has_same_headers(next)) return false;
  pieces_[count_++] = piece_of(payload);
  total_bytes_ += payload.size();
  is_ended_ = next.size() < first_.size();
  if (is_tcp_ && (proto::load_u8(next, kTcpFlags) & proto::kTcpPsh) != 0) {
    first_[kTcpFlags] |= std::byte{proto::kTcpPsh};
    is_ended_ = true;
  }
  return true;
}

/// Writes the lengths, and the sum of the pseudo-header to the checksum field (partial checksum),
/// as the kernel needs them to segment the super-packet.
void BareRun::make_super_packet() noexcept {
  const auto size = static_cast<std::uint16_t>(total_bytes_ - kTransport);
  const std::size_t field = is_tcp_ ? proto::kTcpChecksumOffset : proto::kUdpChecksumOffset;
  proto::store_be16(first_, kPayloadLength, size);
  if (!is_tcp_) proto::store_be16(first_, kTransport + 4, size);
  const auto sum = proto::pseudo_header_sum(proto::load<proto::Ipv6Address>(first_, 8),
                                            proto::load<proto::Ipv6Address>(first_, 24),
                                            proto::load_u8(first_, kNextHeader), size);
  proto::store(first_, kTransport + field, proto::fold(sum));
  offload_ = {.needs_checksum = true,
              .checksum_start = kTransport,
              .checksum_offset = static_cast<std::uint16_t>(field),
              .segmentation = is_tcp_ ? io::Segmentation::tcp6 : io::Segmentation::udp,
              .segment_bytes = static_cast<std::uint16_t>(first_.size() - header_bytes_),
              .header_bytes = static_cast<std::uint16_t>(header_bytes_)};
}

std::span<const iovec> BareRun::finish() noexcept {
  if (count_ > 1) make_super_packet();
  std::byte* const begin = first_.data() - io::kVirtioHeaderBytes;
  io::write_virtio_header(
      std::span<std::byte, io::kVirtioHeaderBytes>{begin, io::kVirtioHeaderBytes}, offload_);
  pieces_[0] = piece_of({begin, io::kVirtioHeaderBytes + first_.size()});
  return std::span{pieces_}.first(count_);
}

}  // namespace culvert::bench
