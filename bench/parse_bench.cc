// Parsing, ns per packet. The argument is the size of the parsed packet.
#include <benchmark/benchmark.h>

#include <vector>

#include "proto/icmpv4.h"
#include "proto/ipv4.h"
#include "proto/ipv6.h"
#include "proto/tcp.h"

namespace culvert::proto {
namespace {

const Ipv4Address kLocal = Ipv4Address::from_host(0xc0000201),
                  kRemote = Ipv4Address::from_host(0xc6336401);

std::vector<std::byte> ipv4_packet(std::size_t total_bytes) {
  std::vector<std::byte> packet(total_bytes);
  build_ipv4(std::span{packet}.first<kIpv4HeaderBytes>(),
             {.source = kRemote,
              .destination = kLocal,
              .protocol = kProtocolIpv6,
              .ttl = 64,
              .total_bytes = static_cast<std::uint16_t>(total_bytes)});
  return packet;
}

std::vector<std::byte> ipv6_packet(std::size_t total_bytes, std::uint8_t next_header) {
  std::vector<std::byte> packet(total_bytes);
  build_ipv6(std::span{packet}.first<kIpv6HeaderBytes>(),
             {.source = tunnel_link_local(kRemote),
              .destination = tunnel_link_local(kLocal),
              .next_header = next_header,
              .hop_limit = 64,
              .payload_bytes = static_cast<std::uint16_t>(total_bytes - kIpv6HeaderBytes)});
  return packet;
}

// Calls `parse` with the packet. The compiler cannot know its address.
template <class Parse>
void run(benchmark::State& state, const std::vector<std::byte>& packet, Parse parse) {
  for (auto _ : state) {
    std::span<const std::byte> view = packet;
    benchmark::DoNotOptimize(view);
    auto parsed = parse(view);
    benchmark::DoNotOptimize(parsed);
  }
}

void parse_ipv4_header(benchmark::State& state) {
  run(state, ipv4_packet(static_cast<std::size_t>(state.range(0))),
      [](std::span<const std::byte> bytes) { return parse_ipv4(bytes); });
}
void parse_ipv6_header(benchmark::State& state) {
  run(state, ipv6_packet(static_cast<std::size_t>(state.range(0)), kProtocolTcp),
      [](std::span<const std::byte> bytes) { return parse_ipv6(bytes); });
}
void parse_ipv6_to_upper_layer(benchmark::State& state) {
  // One Destination Options header: the parser skips one extension header.
  auto packet = ipv6_packet(static_cast<std::size_t>(state.range(0)), 60);
  packet[kIpv6HeaderBytes] = std::byte{kProtocolTcp};
  run(state, packet, [](std::span<const std::byte> bytes) {
    return find_upper_layer(*parse_ipv6(bytes))->offset_bytes;
  });
}
BENCHMARK(parse_ipv4_header)->Arg(64)->Arg(512)->Arg(1280);
BENCHMARK(parse_ipv6_header)->Arg(64)->Arg(512)->Arg(1280);
BENCHMARK(parse_ipv6_to_upper_layer)->Arg(64)->Arg(512)->Arg(1280);

void parse_tcp_header(benchmark::State& state) {
  std::vector<std::byte> segment(kTcpHeaderBytes);
  store_be16(segment, 12, 0x5010);
  run(state, segment, [](std::span<const std::byte> bytes) { return parse_tcp(bytes); });
}
BENCHMARK(parse_tcp_header);

void parse_fragmentation_needed(benchmark::State& state) {
  std::vector<std::byte> message(576);
  const std::size_t size =
      build_icmpv4_error(message, kRemote, kLocal, kIcmpv4DestinationUnreachable,
                         kIcmpv4CodeFragmentationNeeded, 1400, ipv4_packet(1280));
  message.resize(size);
  run(state, message, [](std::span<const std::byte> bytes) {
    return parse_icmpv4_error(bytes.subspan(kIpv4HeaderBytes));
  });
}
BENCHMARK(parse_fragmentation_needed);

}  // namespace
}  // namespace culvert::proto
