// Addresses and prefixes from any text: an accepted text is printed in a form with the same
// meaning.
#include <string_view>

#include "proto/address.h"
#include "tests/fuzz/fuzz.h"

namespace {

template <class Value>
void round_trip(std::string_view text) {
  const auto value = Value::from_text(text);
  if (!value) return;
  culvert::fuzz::require(Value::from_text(value->to_text()) == value, "text of it gives it again");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace culvert::proto;
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  round_trip<Ipv4Address>(text);
  round_trip<Ipv6Address>(text);
  round_trip<Ipv4Prefix>(text);
  round_trip<Ipv6Prefix>(text);
  return 0;
}
