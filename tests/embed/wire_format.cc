// A program that links culvert::proto alone: encapsulates and decapsulates bytes, no I/O.
#include <array>
#include <cstdio>

#include "proto/gre.h"
#include "proto/ipv4.h"

using namespace culvert::proto;

int main() {
  const Gre::Parameters parameters{.ikey = 7, .okey = 7, .ocsum = true};
  const std::array<std::byte, 4> payload{std::byte{0x60}, std::byte{0}, std::byte{0}, std::byte{0}};
  std::array<std::byte, 12 + 4> datagram{};
  Gre::encapsulate(std::span{datagram}.first(Gre::overhead_bytes(parameters)), parameters, 0,
                   {.head = payload, .tail = {}, .protocol_type = kProtocolTypeIpv6});
  std::copy(payload.begin(), payload.end(), datagram.begin() + 12);
  const auto decapsulated = Gre::decapsulate(datagram);
  if (!decapsulated || decapsulated->key != 7u || decapsulated->packet.size() != payload.size())
    return 1;
  datagram.back() ^= std::byte{1};
  const auto damaged = Gre::decapsulate(datagram);
  if (damaged || damaged.error() != Malformed::bad_checksum) return 1;
  std::puts("wire format: ok");
}
