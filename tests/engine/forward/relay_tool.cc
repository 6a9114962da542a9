// relay_error() for tests/engine/forward/icmp_scapy_test.py: one tunnel a line on stdin, `MODE
// PATH_MTU MESSAGE` with the message in hexadecimal, answered with `REASON LEARNED_PATH_MTU
// PACKET`. MODE is sit, or gre followed by the letters k (key 42), c (checksum), s (sequence
// number).
#include <iostream>
#include <string>

#include "engine/forward/icmp_error.h"

namespace {

using namespace culvert;

Parameters mode_of(const std::string& word) {
  if (word == "sit") return proto::SixInFour::Parameters{};
  proto::Gre::Parameters parameters;
  if (word.find('k') != std::string::npos) parameters.okey = 42;
  parameters.ocsum = word.find('c') != std::string::npos;
  parameters.oseq = word.find('s') != std::string::npos;
  return parameters;
}

std::vector<Tunnel> tunnel_of(const std::string& word, unsigned path_mtu) {
  auto path = std::make_shared<Path>();
  path->local = *proto::Ipv4Address::from_text("10.0.0.1");
  path->route_mtu = static_cast<std::uint16_t>(path_mtu);
  Tunnel tunnel = make_tunnel(
      {.mode = mode_of(word), .remote = *proto::Ipv4Address::from_text("10.0.0.2")}, path);
  tunnel.device_mtu = static_cast<std::uint16_t>(path_mtu - tunnel.overhead_bytes());
  return {tunnel};
}

std::vector<std::byte> from_hex(const std::string& digits) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(std::stoi(digits.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

std::string to_hex(std::span<const std::byte> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string digits;
  for (const std::byte byte : bytes) {
    digits += kDigits[std::to_integer<std::size_t>(byte >> 4)];
    digits += kDigits[std::to_integer<std::size_t>(byte & std::byte{15})];
  }
  return digits;
}

}  // namespace

int main() {
  std::string mode, message;
  unsigned path_mtu = 0;
  while (std::cin >> mode >> path_mtu >> message) {
    const auto tunnels = tunnel_of(mode, path_mtu);
    const Tables table(tunnels);
    ErrorBuffer buffer;
    const Relay relay = relay_error(buffer, table, from_hex(message));
    std::cout << facts(relay.reason).name << ' ' << relay.learned_path_mtu << ' '
              << to_hex(relay.packet) << '\n';
  }
}
