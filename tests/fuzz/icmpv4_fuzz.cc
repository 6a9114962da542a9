// ICMPv4 errors and the packets that they quote, down to the inner header. Anybody who knows the
// tunnel's addresses can send them. Runs with the input as it is, and with a valid checksum.
#include "proto/gre.h"
#include "proto/icmpv4.h"
#include "proto/ipv6.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace culvert::proto;
using namespace culvert::fuzz;

void check_quoted(std::span<const std::byte> quoted) {
  const auto outer = parse_quoted_ipv4(quoted);
  if (!outer) return;
  require(lies_within(outer->payload, quoted), "the quoted payload lies within the quote");
  require(next_lower_plateau(static_cast<std::uint16_t>(outer->bytes.size())) >= 68,
          "no path MTU below that of RFC 791");
  auto inner = outer->payload;
  if (outer->protocol == kProtocolGre) {
    const auto payload = Gre::decapsulate(outer->payload, ChecksumCheck::already_verified);
    if (!payload) return;
    inner = payload->packet;
  }
  const auto ipv6 = parse_quoted_ipv6(inner);
  require(!ipv6 || lies_within(ipv6->payload, quoted), "the inner packet lies within the quote");
}

void check_message(std::span<const std::byte> message) {
  const auto error = parse_icmpv4_error(message);
  if (!error) return;
  require(is_icmpv4_error_type(error->type), "only an error is an error");
  require(lies_within(error->quoted, message), "the quote lies within the message");
  check_quoted(error->quoted);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto message = bytes_of(data, size);
  check_message(message);
  auto valid = copy_of(message);
  if (valid.size() < kIcmpv4HeaderBytes) return 0;
  store(valid, 2, Be16{});
  store(valid, 2, finish(sum(valid)));
  check_message(valid);
  return 0;
}
