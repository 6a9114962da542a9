// Values as people write them: numbers, addresses, prefixes, interface names. Each parser returns
// the value, or what is wrong and what to do, as the end of a sentence. Pure functions; any thread.
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

/// Decimal, or hexadecimal with 0x. A leading zero is refused: `ip` reads it as octal.
[[nodiscard]] Value<std::uint32_t> parse_number(std::string_view text, std::uint32_t lowest,
                                                std::uint32_t highest);

/// The outer addresses: IPv4, without a prefix length.
[[nodiscard]] Value<proto::Ipv4Address> parse_endpoint(std::string_view text);

/// A GRE key: a number or a dotted quad, as `ip tunnel` takes it.
[[nodiscard]] Value<std::uint32_t> parse_key(std::string_view text);

/// A value for TOS with the ECN bits clear. `ip` reads `10` as hexadecimal: where hexadecimal and
/// decimal differ, a number without 0x is refused. `is_decimal`: it is known to be decimal.
[[nodiscard]] Value<std::uint8_t> parse_tos(std::string_view text, bool is_decimal);

/// The name of an interface: 1 to 15 bytes, neither '/' nor blanks.
[[nodiscard]] Value<std::string> parse_interface(std::string_view text);

/// "true" and "false".
[[nodiscard]] Value<bool> parse_flag(std::string_view text);

/// An address of the device, or a route by it. Exactly one of the two members is used.
struct EitherPrefix {
  bool is_ipv6 = false;
  proto::Ipv6Prefix ipv6;
  proto::Ipv4Prefix ipv4;
};
[[nodiscard]] Value<EitherPrefix> parse_address(std::string_view text);
[[nodiscard]] Value<EitherPrefix> parse_route(std::string_view text);

}  // namespace culvert::program
