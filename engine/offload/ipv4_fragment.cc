#include "engine/offload/ipv4_fragment.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace culvert {
namespace {

/// RFC 791 3.1: the offset counts units of 8 bytes in 13 bits.
constexpr std::size_t kUnitBytes = 8, kLargestOffsetBytes = 8191 * kUnitBytes;

/// Parses a header whose payload is not behind it.
proto::Ipv4Packet parse_header(std::span<const std::byte> header) noexcept {
  const auto parsed = proto::parse_quoted_ipv4(header);
  assert(parsed);
  return *parsed;
}

/// At most `size` bytes from `offset`; empty if there are none.
std::span<const std::byte> slice(std::span<const std::byte> bytes, std::size_t offset,
                                 std::size_t size) noexcept {
  if (size == 0 || offset >= bytes.size()) return {};
  return bytes.subspan(offset, std::min(size, bytes.size() - offset));
}

}  // namespace

Ipv4Fragmenter::Ipv4Fragmenter(std::span<const std::byte> header,
                               std::span<const std::byte> payload,
                               std::span<const std::byte> payload2,
                               std::uint16_t mtu_bytes) noexcept
    : original_(parse_header(header)),
      payload_(payload),
      payload2_(payload2),
      mtu_bytes_(mtu_bytes) {
  assert(mtu_bytes >= 68);
}

std::optional<Ipv4Fragmenter::Piece> Ipv4Fragmenter::next(
    std::span<std::byte, 60> header) noexcept {
  const std::size_t offset_bytes = original_.fragment_offset_bytes + done_bytes_;
  if (is_done_ || offset_bytes > kLargestOffsetBytes) return std::nullopt;
  Piece piece;
  piece.header_bytes = proto::build_ipv4_fragment_header(header, original_, done_bytes_ == 0);

  const std::size_t rest_bytes = payload_.size() + payload2_.size() - done_bytes_;
  std::size_t size = mtu_bytes_ - piece.header_bytes;
  if (rest_bytes <= size) {
    size = rest_bytes;
    is_done_ = true;
  } else {
    size -= size % kUnitBytes;
  }
  piece.payload = slice(payload_, done_bytes_, size);
  piece.payload2 = slice(payload2_, done_bytes_ + piece.payload.size() - payload_.size(),
                         size - piece.payload.size());
  if (piece.payload.empty()) std::swap(piece.payload, piece.payload2);
  done_bytes_ += size;

  proto::set_ipv4_total_bytes(header, static_cast<std::uint16_t>(piece.header_bytes + size));
  proto::set_ipv4_fragment(header, static_cast<std::uint16_t>(offset_bytes),
                           !is_done_ || original_.more_fragments, original_.dont_fragment);
  return piece;
}

}  // namespace culvert
