#include "tools/culvert/config/parse_value.h"

#include <array>
#include <charconv>

#include "io/interface_name.h"

namespace culvert::program {
namespace {

Unexpected<std::string> refuse(std::string why) { return {std::move(why)}; }

/// The number that is the whole of `text`; nullopt: it is not a number, or exceeds 32 bits.
std::optional<std::uint32_t> number(std::string_view text, int base) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool has_hex_prefix(std::string_view text) {
  return text.starts_with("0x") || text.starts_with("0X");
}

std::string hex(std::uint32_t value) {
  std::array<char, 10> digits{'0', 'x'};
  const auto end = std::to_chars(digits.data() + 2, digits.data() + digits.size(), value, 16).ptr;
  return {digits.data(), end};
}

/// An IPv6 or IPv4 address with a prefix length.
Value<EitherPrefix> parse_prefix(std::string_view text) {
  EitherPrefix result;
  result.is_ipv6 = text.find(':') != std::string_view::npos;
  if (result.is_ipv6) {
    const auto prefix = proto::Ipv6Prefix::from_text(text);
    if (!prefix) {
      return refuse(
          "is not an IPv6 address with a prefix length of 0 to 128: write it like 2001:db8::2/64");
    }
    result.ipv6 = *prefix;
  } else {
    const auto prefix = proto::Ipv4Prefix::from_text(text);
    if (!prefix) {
      return refuse(
          "is neither an IPv4 nor an IPv6 address with a prefix length: write it like 10.0.0.1/30 "
          "or 2001:db8::2/64");
    }
    result.ipv4 = *prefix;
  }
  return result;
}

}  // namespace

Value<std::uint32_t> parse_number(std::string_view text, std::uint32_t lowest,
                                  std::uint32_t highest) {
  const std::string range =
      "must be a number from " + std::to_string(lowest) + " to " + std::to_string(highest);
  if (!has_hex_prefix(text) && text.size() > 1 && text.front() == '0') {
    return refuse(range + ", without leading zeros (`ip` reads those as octal)");
  }
  const auto value = has_hex_prefix(text) ? number(text.substr(2), 16) : number(text, 10);
  if (!value || *value < lowest || *value > highest) return refuse(range);
  return *value;
}

Value<proto::Ipv4Address> parse_endpoint(std::string_view text) {
  if (const auto address = proto::Ipv4Address::from_text(text)) return *address;
  if (const auto prefix = proto::Ipv4Prefix::from_text(text)) {
    return refuse("has a prefix length, but an endpoint is one address: write " +
                  prefix->address.to_text());
  }
  if (text.find(':') != std::string_view::npos) {
    return refuse("is an IPv6 address, but the outer header is IPv4: write an IPv4 address");
  }
  return refuse(
      "is not an IPv4 address: write four decimal numbers like 192.0.2.1 (host names are not "
      "resolved)");
}

Value<std::uint32_t> parse_key(std::string_view text) {
  if (text.find('.') != std::string_view::npos) {
    if (const auto quad = proto::Ipv4Address::from_text(text)) return quad->host();
  } else if (const auto key = parse_number(text, 0, 0xffff'ffff)) {
    return *key;
  }
  return refuse(
      "is not a key: write a number from 0 to 4294967295, or a dotted quad like 0.0.0.42");
}

Value<std::uint8_t> parse_tos(std::string_view text, bool is_decimal) {
  const bool is_ambiguous = !is_decimal && !has_hex_prefix(text) && text.size() == 2;
  const auto as_hex = number(text, 16);
  if (is_ambiguous && as_hex) {
    const auto as_decimal = number(text, 10);
    std::string why = "is ambiguous, because `ip` reads it as hexadecimal: write " + hex(*as_hex);
    if (as_decimal) why += " for that, or " + hex(*as_decimal) + " for the decimal value";
    return refuse(why);
  }
  const auto tos = parse_number(text, 0, 255);
  if (!tos) return refuse(tos.error() + ", or inherit");
  if ((*tos & 3) != 0) {
    return refuse("has an ECN bit set, but the word `ecn` controls those two bits: write " +
                  hex(*tos & ~3u) + ", or inherit");
  }
  return static_cast<std::uint8_t>(*tos);
}

Value<std::string> parse_interface(std::string_view text) {
  if (!io::is_interface_name(text)) {
    return refuse("is not an interface name: write 1 to 15 bytes without '/', ':' and white space");
  }
  return std::string{text};
}

Value<bool> parse_flag(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return refuse("must be true or false");
}

Value<EitherPrefix> parse_address(std::string_view text) {
  auto prefix = parse_prefix(text);
  if (!prefix) return prefix;
  const auto& [is_ipv6, ipv6, ipv4] = *prefix;
  const bool is_no_host = is_ipv6 ? ipv6.address.is_unspecified() || ipv6.address.is_multicast() ||
                                        ipv6.address.is_loopback() ||
                                        ipv6.address.is_ipv4_compatible_or_mapped()
                                  : ipv4.address.is_unspecified() || ipv4.address.is_multicast() ||
                                        ipv4.address.is_loopback() || ipv4.address.is_reserved();
  if (is_no_host) return refuse("cannot be the address of a device: write one unicast address");
  return prefix;
}

Value<EitherPrefix> parse_route(std::string_view text) {
  if (text == "default") {
    return refuse("does not say which IP version: write ::/0 for IPv6 or 0.0.0.0/0 for IPv4");
  }
  auto prefix = parse_prefix(text);
  if (!prefix) return prefix;
  const auto with_host_bits = [](const auto& route) -> Value<EitherPrefix> {
    return refuse("has bits set after the prefix length: write " + route.network().to_text());
  };
  if (prefix->is_ipv6 && prefix->ipv6.has_host_bits()) return with_host_bits(prefix->ipv6);
  if (!prefix->is_ipv6 && prefix->ipv4.has_host_bits()) return with_host_bits(prefix->ipv4);
  return prefix;
}

}  // namespace culvert::program
