// relay_error(): an ICMPv4 message about outer packets, which anybody may send. A relayed error is
// a whole packet with correct checksums from one host to one host, and a learned path MTU is
// plausible. answer_too_big(): the same bytes as an inner packet.
#include <algorithm>

#include "engine/forward/icmp_error.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/packet_builder.h"

namespace {

using namespace culvert;
using namespace culvert::fuzz;

std::vector<Tunnel> make_tunnels() {
  std::vector<Tunnel> tunnels;
  proto::Gre::Parameters gre_with_all{.okey = 42, .ocsum = true, .oseq = true};
  for (const Parameters& mode : {Parameters{proto::SixInFour::Parameters{}},
                                 Parameters{proto::Gre::Parameters{}}, Parameters{gre_with_all}}) {
    tunnels.push_back(make_tunnel({.mode = mode,
                                   .local = proto::Ipv4Address::from_text("10.0.0.1"),
                                   .remote = *proto::Ipv4Address::from_text("10.0.0.2")}));
  }
  return tunnels;
}

/// Corrects the checksums of the IPv4 header and of the ICMPv4 message, which the fuzzer cannot
/// guess.
void finish_checksums(std::vector<std::byte>& message) {
  if (message.size() < 28) return;
  message[0] = std::byte{0x45};
  message[2] = std::byte(message.size() >> 8);
  message[3] = std::byte(message.size());
  const auto finish = [&](std::size_t begin, std::size_t size, std::size_t field) {
    message[field] = message[field + 1] = std::byte{0};
    const unsigned sum = test::slow_sum(std::span{message}.subspan(begin, size));
    message[field] = std::byte(~sum >> 8);
    message[field + 1] = std::byte(~sum);
  };
  finish(0, 20, 10);
  finish(20, message.size() - 20, 22);
}

/// Whether it is a whole packet from one host to one host.
void require_sound(std::span<const std::byte> packet) {
  const std::string wrong = test::bad_checksum(packet);
  require(wrong.empty(), wrong.c_str());
  if (std::to_integer<unsigned>(packet[0]) >> 4 == 6) {
    const auto ipv6 = proto::parse_ipv6(packet);
    require(ipv6 && ipv6->bytes.size() == packet.size(), "a whole IPv6 packet");
    require(packet.size() <= 1280, "RFC 4443 2.4(c)");
    require(!ipv6->source.is_multicast() && !ipv6->destination.is_multicast() &&
                !ipv6->destination.is_unspecified(),
            "from and to one host");
  } else {
    const auto ipv4 = proto::parse_ipv4(packet);
    require(ipv4 && ipv4->bytes.size() == packet.size(), "a whole IPv4 packet");
    require(!ipv4->source.is_multicast() && !ipv4->destination.is_multicast() &&
                !ipv4->destination.is_unspecified(),
            "from and to one host");
  }
}

void try_relay(std::span<const std::byte> message) {
  static const Tables tables(make_tunnels());
  static ErrorBuffer buffer;
  const Relay relay = relay_error(buffer, tables, message);
  require(relay.packet.empty() == (relay.reason != DropReason::none), "relayed or dropped");
  require(relay.reason == DropReason::none || facts(relay.reason).direction == Direction::errors,
          "for a reason of this direction");
  if (relay.learned_path_mtu != 0) {
    require(relay.tunnel != nullptr, "learned of a tunnel");
    require(relay.learned_path_mtu >= 68 && relay.learned_path_mtu < relay.tunnel->path->mtu(),
            "a path MTU that can be, and lower than what was known");
  }
  if (relay.packet.empty()) return;
  require(relay.tunnel != nullptr, "relayed for a tunnel");
  require(lies_within(relay.packet, buffer), "the packet lies within the buffer");
  require_sound(relay.packet);
}

void try_answer(std::span<const std::byte> inner) {
  static const std::vector<Tunnel> tunnels = make_tunnels();
  static ErrorBuffer buffer;
  const auto answer = answer_too_big(buffer, {}, tunnels[1], classify(inner), inner, 1400);
  if (!answer.empty()) require_sound(answer);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = bytes_of(data, size);
  try_relay(input);
  try_answer(input);
  auto message = copy_of(input);
  finish_checksums(message);
  try_relay(message);
  try_answer(message);
  return 0;
}
