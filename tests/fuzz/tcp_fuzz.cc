// TCP options: clamp_mss() lowers the MSS in any segment and keeps the checksum valid. The first
// three bytes of an input are the MSS, and whether the checksum is partial.
#include "proto/checksum.h"
#include "proto/tcp.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace culvert::proto;
  using namespace culvert::fuzz;
  const auto input = bytes_of(data, size);
  if (input.size() < 3) return 0;
  const std::uint16_t mss = load_be16(input, 0);
  const bool is_partial = load_u8(input, 2) % 2 != 0;
  const auto original = copy_of(input.subspan(3));

  const auto header = parse_tcp(original);
  require(!header || lies_within(header->options, original), "options lie within the segment");

  auto segment = original;
  const bool changed = clamp_mss(segment, mss, is_partial);
  require(changed == (segment != original), "it says whether it changed something");
  if (!changed) return 0;
  require(header && (header->flags & kTcpSyn) != 0, "only a SYN is changed");
  // A receiver sums all bytes, the checksum included. 0 and 0xffff are the same number in ones'
  // complement.
  const auto number = [](std::span<const std::byte> bytes) {
    return fold(sum(bytes)).wire() % 0xffff;
  };
  require(is_partial || number(segment) == number(original), "the checksum is as good as before");
  require(!is_partial ||
              load_be16(segment, kTcpChecksumOffset) == load_be16(original, kTcpChecksumOffset),
          "a partial checksum stays");
  require(!clamp_mss(segment, mss, is_partial), "once is enough");
  return 0;
}
