// Builds packets from layers: `ipv4(a, b) / gre({.key = 42}) / ipv6(c, d) / udp(1, 2) /
// payload(64)`. Lengths, protocol numbers and checksums are filled in from the layers, by code that
// shares nothing with proto/: it is slow, simple, and the reference of the tests. A field that an
// `...Extra` sets is used as it is, so that packets can be invalid on purpose.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace culvert::test {

using Bytes = std::vector<std::byte>;

/// Bytes from text: `hex("45 00 00 54")`. Blanks are ignored.
[[nodiscard]] Bytes hex(std::string_view digits);
/// `count` bytes whose pattern matches no header size: 1, 8, 15, ...; `seed` changes them.
[[nodiscard]] Bytes pattern(std::size_t count, unsigned seed = 1);

/// At most the first `count` bytes.
[[nodiscard]] Bytes first(const Bytes& bytes, std::size_t count);
/// All but the first `count` bytes, of which there are so many.
[[nodiscard]] Bytes behind(const Bytes& bytes, std::size_t count);

/// Addresses for documentation (RFC 5737, RFC 3849) of two hosts: of one link, and of two.
inline constexpr auto kA4 = "192.0.2.1", kB4 = "198.51.100.2";
inline constexpr auto kA6 = "2001:db8::1", kB6 = "2001:db8::2";
inline constexpr auto kHost = "2001:db8::1", kServer = "2001:db8:1::2";

/// The Internet checksum as in RFC 1071 4.1: pair by pair, high byte first. Returns the sum, not
/// its complement, in host byte order.
[[nodiscard]] std::uint16_t slow_sum(std::span<const std::byte> bytes);

/// One header, or the payload at the end.
struct Layer {
  /// The neighbors of a layer while it is written.
  struct Around {
    const Layer* inner = nullptr;  ///< the layer that follows
    const Layer* ip = nullptr;     ///< the IP header in front of it, extension headers skipped
  };
  std::uint8_t protocol = 0;        ///< number in an IP header
  std::uint16_t protocol_type = 0;  ///< number in a GRE header
  Bytes addresses = {};             ///< of an IP header: source and destination, otherwise empty
  /// Writes the layer in front of `rest`, which is complete.
  std::function<Bytes(const Bytes& rest, const Around& around)> write;
};

/// Layers, outermost first. Converts to bytes.
class Drawing {
 public:
  Drawing(Layer layer) { layers_.push_back(std::move(layer)); }
  friend Drawing operator/(Drawing outer, const Drawing& inner);
  [[nodiscard]] Bytes bytes() const;
  operator Bytes() const { return bytes(); }
  [[nodiscard]] const Layer& outermost() const { return layers_.front(); }

 private:
  std::vector<Layer> layers_;
};

struct Ipv4Extra {
  std::uint8_t tos = 0;
  std::uint8_t ttl = 64;
  std::uint16_t identification = 0;
  bool dont_fragment = true;
  bool more_fragments = false;
  std::uint16_t fragment_offset_bytes = 0;
  Bytes options = {};  ///< a multiple of 4 bytes
  std::optional<std::uint8_t> version = {};
  std::optional<std::uint8_t> header_words = {};
  std::optional<std::uint16_t> total_bytes = {};
  std::optional<std::uint8_t> protocol = {};
  std::optional<std::uint16_t> checksum = {};
};
[[nodiscard]] Drawing ipv4(std::string_view source, std::string_view destination,
                           Ipv4Extra extra = {});

struct Ipv6Extra {
  std::uint8_t traffic_class = 0;
  std::uint32_t flow_label = 0;
  std::uint8_t hop_limit = 64;
  std::optional<std::uint8_t> version = {};
  std::optional<std::uint16_t> payload_bytes = {};
  std::optional<std::uint8_t> next_header = {};
};
[[nodiscard]] Drawing ipv6(std::string_view source, std::string_view destination,
                           Ipv6Extra extra = {});

/// IPv6 extension headers. `size_bytes` is a multiple of 8.
[[nodiscard]] Drawing hop_by_hop(std::size_t size_bytes = 8);
[[nodiscard]] Drawing routing(std::size_t size_bytes = 8);
[[nodiscard]] Drawing destination_options(std::size_t size_bytes = 8);
/// RFC 4302 2.2: length in 4-byte words, minus 2.
[[nodiscard]] Drawing authentication(std::size_t size_bytes = 24);
[[nodiscard]] Drawing fragment(std::uint16_t offset_bytes, bool more_fragments,
                               std::uint32_t identification = 1);

struct GreExtra {
  std::optional<std::uint32_t> key = {};
  std::optional<std::uint32_t> sequence = {};
  bool has_checksum = false;
  std::uint16_t extra_flags = 0;  ///< set in the first two bytes: reserved bits, version
  std::optional<std::uint16_t> protocol_type = {};
  std::optional<std::uint16_t> checksum = {};
};
[[nodiscard]] Drawing gre(GreExtra extra = {});

struct TcpExtra {
  std::uint32_t sequence = 1;
  std::uint32_t acknowledgment = 1;
  std::uint8_t flags = 0x10;  ///< ACK
  std::uint16_t window = 512;
  Bytes options = {};       ///< a multiple of 4 bytes
  bool is_partial = false;  ///< the checksum field holds the pseudo-header's sum only
  std::optional<std::uint16_t> checksum = {};
};
[[nodiscard]] Drawing tcp(std::uint16_t source_port, std::uint16_t destination_port,
                          TcpExtra extra = {});

struct UdpExtra {
  bool is_partial = false;
  std::optional<std::uint16_t> length_bytes = {};
  std::optional<std::uint16_t> checksum = {};
};
[[nodiscard]] Drawing udp(std::uint16_t source_port, std::uint16_t destination_port,
                          UdpExtra extra = {});

/// `word`: the four bytes behind the checksum.
[[nodiscard]] Drawing icmpv4(std::uint8_t type, std::uint8_t code, std::uint32_t word = 0,
                             std::optional<std::uint16_t> checksum = {});
[[nodiscard]] Drawing icmpv6(std::uint8_t type, std::uint8_t code, std::uint32_t word = 0,
                             std::optional<std::uint16_t> checksum = {});

/// The payload at the end.
[[nodiscard]] Drawing payload(std::size_t count);
[[nodiscard]] Drawing payload(Bytes bytes);
/// A complete packet as one layer; the layer in front names it as it would name `packet`'s first
/// layer. `padding_bytes`: trailing bytes that no header of the packet counts.
[[nodiscard]] Drawing padded(const Drawing& packet, std::size_t padding_bytes);

/// Returns the first wrong checksum of the packet as "IPv4 header", "TCP", ...; empty if all are
/// right. Parses GRE, 6in4 and IPv6 extension headers, but not fragments and packets quoted by
/// ICMP. UDP over IPv4 may have no checksum.
[[nodiscard]] std::string bad_checksum(std::span<const std::byte> packet);

}  // namespace culvert::test
