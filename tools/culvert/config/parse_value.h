// Parsers of values on the command line and in files: numbers, addresses, prefixes, interface
// names. Each returns the value, or the error and its remedy as the end of a sentence ("must be a
// number from 1 to 64"). Pure functions; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/model/quoted.h"
#include "proto/address.h"
#include "proto/expected.h"

namespace culvert::program {

template <class T>
using Value = Expected<T, std::string>;

/// A number from `lowest` to `highest`, decimal, or hexadecimal with 0x. A leading zero is refused,
/// because `ip` reads it as octal.
[[nodiscard]] Value<std::uint32_t> parse_number(std::string_view text, std::uint32_t lowest,
                                                std::uint32_t highest);

/// A local or remote endpoint: an IPv4 address without a prefix length.
[[nodiscard]] Value<proto::Ipv4Address> parse_endpoint(std::string_view text);

/// A GRE key in host byte order: a number or a dotted quad, as `ip tunnel` accepts it.
[[nodiscard]] Value<std::uint32_t> parse_key(std::string_view text);

/// A TOS value with clear ECN bits. `ip` reads `10` as hexadecimal, so two digits without 0x are
/// refused as ambiguous. `is_decimal`: the text is certainly decimal (a TOML integer).
[[nodiscard]] Value<std::uint8_t> parse_tos(std::string_view text, bool is_decimal);

/// The name of an interface: 1 to 15 bytes without '/', white space and control characters.
[[nodiscard]] Value<std::string> parse_interface(std::string_view text);

/// "true" or "false".
[[nodiscard]] Value<bool> parse_flag(std::string_view text);

/// An IPv6 or IPv4 prefix. Only the member that `is_ipv6` selects is used.
struct EitherPrefix {
  bool is_ipv6 = false;
  proto::Ipv6Prefix ipv6;
  proto::Ipv4Prefix ipv4;
};
/// An address of the device with its prefix length: unicast; host bits may be set.
[[nodiscard]] Value<EitherPrefix> parse_address(std::string_view text);
/// A prefix without host bits: a route, `prefix` or `accept`.
[[nodiscard]] Value<EitherPrefix> parse_route(std::string_view text);

}  // namespace culvert::program
