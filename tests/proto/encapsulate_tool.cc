// Runs functions of proto/ for tests/proto/scapy_test.py. Reads one request per line from stdin,
// `COMMAND name=value ...`, with bytes in hexadecimal. Answers each with one line: hexadecimal, or
// `error` and the broken rule.
#include <array>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "proto/any_ip.h"
#include "proto/checksum.h"
#include "proto/gre.h"
#include "proto/icmpv4.h"
#include "proto/icmpv6.h"
#include "proto/ipip.h"
#include "proto/ipv6.h"
#include "proto/ndp.h"
#include "proto/six_in_four.h"
#include "proto/tcp.h"

namespace {

using namespace culvert;
using namespace culvert::proto;
using Bytes = std::vector<std::byte>;

/// The `name=value` words of a request.
class Request {
 public:
  explicit Request(std::istringstream& words) {
    for (std::string word; words >> word;) {
      const auto equals = word.find('=');
      values_[word.substr(0, equals)] = word.substr(equals + 1);
    }
  }
  [[nodiscard]] bool has(const std::string& name) const { return values_.count(name) != 0; }
  [[nodiscard]] const std::string& text(const std::string& name) const { return values_.at(name); }
  template <class Integer>
  [[nodiscard]] Integer number(const std::string& name) const {
    return static_cast<Integer>(has(name) ? std::stoul(text(name)) : 0);
  }
  [[nodiscard]] std::optional<std::uint32_t> key(const std::string& name) const {
    return has(name) ? std::optional{number<std::uint32_t>(name)} : std::nullopt;
  }
  [[nodiscard]] Ipv4Address ipv4(const std::string& name) const {
    return Ipv4Address::from_text(text(name)).value();
  }
  [[nodiscard]] Ipv6Address ipv6(const std::string& name) const {
    return Ipv6Address::from_text(text(name)).value();
  }
  [[nodiscard]] Bytes bytes(const std::string& name) const {
    const std::string& digits = text(name);
    Bytes result;
    for (std::size_t index = 0; index + 1 < digits.size(); index += 2)
      result.push_back(static_cast<std::byte>(std::stoi(digits.substr(index, 2), nullptr, 16)));
    return result;
  }

 private:
  std::map<std::string, std::string> values_;
};

std::string to_hex(std::span<const std::byte> bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const std::byte byte : bytes) {
    text += kDigits[std::to_integer<unsigned>(byte) >> 4];
    text += kDigits[std::to_integer<unsigned>(byte) & 0xf];
  }
  return text;
}

std::string error(Malformed malformed) { return "error " + std::string{name_of(malformed)}; }

template <class E>
std::string encapsulate(const Request& request, const typename E::Parameters& parameters) {
  const Bytes inner = request.bytes("inner");
  const std::size_t overhead = E::overhead_bytes(parameters);
  Bytes outer(kIpv4HeaderBytes + overhead);
  const auto type = load_u8(inner, 0) >> 4 == 6 ? kProtocolTypeIpv6 : kProtocolTypeIpv4;
  E::encapsulate(std::span{outer}.subspan(kIpv4HeaderBytes), parameters,
                 request.number<std::uint32_t>("sequence"),
                 {.head = inner, .tail = {}, .protocol_type = type});
  std::uint8_t protocol = 0;
  for (const DemuxRule& rule : E::kDemux) {
    if (rule.protocol_type == 0 || rule.protocol_type == type) protocol = rule.ip_protocol;
  }
  build_ipv4(std::span{outer}.first<kIpv4HeaderBytes>(),
             {.source = request.ipv4("source"),
              .destination = request.ipv4("destination"),
              .protocol = protocol,
              .tos = request.number<std::uint8_t>("tos"),
              .ttl = request.number<std::uint8_t>("ttl"),
              .identification = request.number<std::uint16_t>("id"),
              .dont_fragment = request.number<int>("df") != 0,
              .total_bytes = static_cast<std::uint16_t>(outer.size() + inner.size())});
  outer.insert(outer.end(), inner.begin(), inner.end());
  return to_hex(outer);
}

// `bytes`: an outer packet. Answers key, sequence number and payload packet, cut to the length in
// its header.
std::string decapsulate(const Request& request) {
  const Bytes bytes = request.bytes("bytes");
  const auto outer = parse_ipv4(bytes);
  if (!outer) return error(outer.error());
  const auto payload = outer->protocol == kProtocolGre    ? Gre::decapsulate(outer->payload)
                       : outer->protocol == kProtocolIpv4 ? Ipip::decapsulate(outer->payload)
                                                          : SixInFour::decapsulate(outer->payload);
  if (!payload) return error(payload.error());
  std::span<const std::byte> inner;
  if (payload->protocol_type == kProtocolTypeIpv6) {
    const auto ipv6 = parse_ipv6(payload->packet);
    if (!ipv6) return error(ipv6.error());
    inner = ipv6->bytes;
  } else {
    const auto ipv4 = parse_ipv4(payload->packet);
    if (!ipv4) return error(ipv4.error());
    inner = ipv4->bytes;
  }
  const auto word = [](OptionalWord value) { return value ? std::to_string(*value) : "-"; };
  return word(payload->key) + ' ' + word(payload->sequence) + ' ' + to_hex(inner);
}

std::string icmpv4_error(const Request& request) {
  std::array<std::byte, 576> out{};
  const std::size_t size =
      build_icmpv4_error(out, request.ipv4("source"), request.ipv4("destination"),
                         request.number<std::uint8_t>("type"), request.number<std::uint8_t>("code"),
                         request.number<std::uint16_t>("mtu"), request.bytes("offending"));
  return to_hex(std::span{out}.first(size));
}

std::string icmpv6_error(const Request& request) {
  std::array<std::byte, kIcmpv6ErrorMaxBytes> out{};
  const std::size_t size =
      build_icmpv6_error(out, request.ipv6("source"), request.ipv6("destination"),
                         request.number<std::uint8_t>("type"), request.number<std::uint8_t>("code"),
                         request.number<std::uint32_t>("parameter"), request.bytes("offending"));
  return to_hex(std::span{out}.first(size));
}

EthernetAddress ethernet(const Request& request, const std::string& name) {
  return load<EthernetAddress>(request.bytes(name));
}

std::string advertisement(const Request& request) {
  std::array<std::byte, kNeighborAdvertisementBytes> out{};
  build_neighbor_advertisement(out, {.source = request.ipv6("source"),
                                     .destination = request.ipv6("destination"),
                                     .target = request.ipv6("target"),
                                     .router = request.number<int>("router") != 0,
                                     .solicited = request.number<int>("solicited") != 0,
                                     .override = request.number<int>("override") != 0,
                                     .address = ethernet(request, "address")});
  return to_hex(out);
}

std::string solicitation(const Request& request) {
  std::array<std::byte, kNeighborSolicitationMaxBytes> out{};
  const std::size_t size = build_neighbor_solicitation(
      out, {.source = request.ipv6("source"),
            .destination = request.ipv6("destination"),
            .target = request.ipv6("target"),
            .address = request.has("address") ? std::optional{ethernet(request, "address")}
                                              : std::nullopt});
  return to_hex(std::span{out}.first(size));
}

// `bytes`: IPv6. Answers type, target, flags R, S and O, and the link-layer address or `-`.
std::string neighbor(const Request& request) {
  const Bytes bytes = request.bytes("bytes");
  const auto message = parse_neighbor_message(bytes);
  if (!message) return error(message.error());
  std::string text = std::to_string(static_cast<int>(message->type)) + ' ' +
                     message->target.to_text() + ' ' + (message->router ? "R" : "") +
                     (message->solicited ? "S" : "") + (message->override ? "O" : "") + "- ";
  return text + (message->has_address ? to_hex(std::as_bytes(std::span{message->address.bytes}))
                                      : std::string{"-"});
}

std::string upper_layer(const Request& request) {
  const Bytes bytes = request.bytes("bytes");
  const auto packet = parse_ipv6(bytes);
  if (!packet) return error(packet.error());
  const auto upper = find_upper_layer(*packet);
  if (!upper) return error(upper.error());
  return std::to_string(upper->protocol) + ' ' + std::to_string(upper->offset_bytes);
}

// `bytes`: IPv6 with TCP; `offset`: of the TCP header.
std::string clamp(const Request& request) {
  Bytes bytes = request.bytes("bytes");
  clamp_mss(std::span{bytes}.subspan(request.number<std::size_t>("offset")),
            request.number<std::uint16_t>("mss"), false);
  return to_hex(bytes);
}

std::string answer(const std::string& line) {
  std::istringstream words{line};
  std::string command;
  words >> command;
  const Request request{words};
  if (command == "sit") return encapsulate<SixInFour>(request, {});
  if (command == "ipip") return encapsulate<Ipip>(request, {});
  if (command == "any") return encapsulate<AnyIp>(request, {});
  if (command == "gre") {
    return encapsulate<Gre>(request, {.okey = request.key("key"),
                                      .ocsum = request.number<int>("csum") != 0,
                                      .oseq = request.has("sequence")});
  }
  if (command == "decapsulate") return decapsulate(request);
  if (command == "icmpv4") return icmpv4_error(request);
  if (command == "icmpv6") return icmpv6_error(request);
  if (command == "advertisement") return advertisement(request);
  if (command == "solicitation") return solicitation(request);
  if (command == "neighbor") return neighbor(request);
  if (command == "upper") return upper_layer(request);
  if (command == "clamp") return clamp(request);
  if (command == "checksum")
    return to_hex(
        std::as_bytes(std::span<const Be16, 1>{std::array{finish(sum(request.bytes("bytes")))}}));
  return "error unknown request";
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) std::cout << answer(line) << '\n';
}
