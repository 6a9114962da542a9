// IPv4 headers: as they are, and with a valid checksum, which the fuzzer cannot guess.
#include <algorithm>
#include <array>

#include "proto/icmpv4.h"
#include "proto/ipv4.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace culvert::proto;
using namespace culvert::fuzz;

void set_checksum(std::span<std::byte> packet) {
  if (packet.size() < kIpv4HeaderBytes) return;
  const std::size_t header_bytes =
      std::min<std::size_t>((load_u8(packet, 0) & 0xf) * 4, packet.size());
  store(packet, 10, Be16{});
  if (header_bytes >= kIpv4HeaderBytes) store(packet, 10, finish(sum(packet.first(header_bytes))));
}

void check_fragment_headers(const Ipv4Packet& packet) {
  for (const bool first : {true, false}) {
    std::array<std::byte, 60> header{};
    const std::size_t size = build_ipv4_fragment_header(header, packet, first);
    require(size >= kIpv4HeaderBytes && size <= packet.header_bytes, "no longer than the original");
    require(!first || size == packet.header_bytes, "the first fragment has all options");
    set_ipv4_total_bytes(header, static_cast<std::uint16_t>(size));
    set_ipv4_fragment(header, 8, true, false);
    const auto again = parse_ipv4(std::span{header}.first(size));
    require(again && again->fragment_offset_bytes == 8 && again->more_fragments,
            "a fragment's header parses");
    require(again->source == packet.source && again->protocol == packet.protocol,
            "a fragment has the fields of the original");
  }
}

void check_setters(std::vector<std::byte> packet) {
  set_ipv4_tos(packet, 0xff);
  const auto again = parse_ipv4(packet);
  require(again && again->tos == 0xff, "setters keep it valid");
}

void check_packet(std::span<const std::byte> bytes) {
  const auto quoted = parse_quoted_ipv4(bytes);
  if (quoted) {
    require(lies_within(quoted->bytes, bytes) && lies_within(quoted->payload, quoted->bytes),
            "views lie within the packet");
    (void)may_answer_with_icmpv4_error(*quoted);
  }
  const auto packet = parse_ipv4(bytes);
  if (!packet) return;
  require(quoted.has_value(), "what is valid can be quoted");
  require(lies_within(packet->bytes, bytes), "the packet lies within the bytes");
  require(packet->payload.size() + packet->header_bytes == packet->bytes.size(),
          "header and payload are the packet");
  check_fragment_headers(*packet);
  check_setters(copy_of(packet->bytes));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = bytes_of(data, size);
  check_packet(bytes);
  auto valid = copy_of(bytes);
  set_checksum(valid);
  check_packet(valid);
  return 0;
}
