// Encapsulation and decapsulation, ns per packet. The argument is the size of the inner packet.
// Encapsulate: writes the outer IPv4 header and the tunnel header in front of the inner packet.
// Decapsulate: checks the outer IPv4 header, checks and removes the tunnel header, and parses the
// inner IPv6 header.
#include <benchmark/benchmark.h>

#include <vector>

#include "proto/gre.h"
#include "proto/ipv6.h"
#include "proto/six_in_four.h"

namespace culvert::proto {
namespace {

constexpr std::size_t kHeadroomBytes = 64;
const Ipv4Address kLocal = Ipv4Address::from_host(0xc0000201),
                  kRemote = Ipv4Address::from_host(0xc6336401);

// An IPv6 packet with headroom for the outer headers.
std::vector<std::byte> packet_with_headroom(std::size_t inner_bytes) {
  std::vector<std::byte> buffer(kHeadroomBytes + inner_bytes);
  build_ipv6(std::span{buffer}.subspan<kHeadroomBytes, kIpv6HeaderBytes>(),
             {.source = tunnel_link_local(kLocal),
              .destination = tunnel_link_local(kRemote),
              .next_header = kProtocolUdp,
              .hop_limit = 64,
              .payload_bytes = static_cast<std::uint16_t>(inner_bytes - kIpv6HeaderBytes)});
  return buffer;
}

// Returns the outer packet.
template <class E>
std::span<const std::byte> encapsulate(std::span<std::byte> buffer,
                                       const typename E::Parameters& parameters,
                                       std::uint32_t sequence) {
  const std::size_t overhead = E::overhead_bytes(parameters);
  const auto inner = buffer.subspan(kHeadroomBytes);
  E::encapsulate(buffer.subspan(kHeadroomBytes - overhead, overhead), parameters, sequence,
                 {.head = inner, .tail = {}, .protocol_type = kProtocolTypeIpv6});
  const auto outer = buffer.subspan(kHeadroomBytes - overhead - kIpv4HeaderBytes);
  build_ipv4(outer.template first<kIpv4HeaderBytes>(),
             {.source = kLocal,
              .destination = kRemote,
              .protocol = E::kDemux.front().ip_protocol,
              .ttl = 64,
              .dont_fragment = true,
              .total_bytes = static_cast<std::uint16_t>(outer.size())});
  return outer;
}

template <class E>
Parsed<Ipv6Packet> decapsulate(std::span<const std::byte> bytes) {
  const auto outer = parse_ipv4(bytes);
  if (!outer) return Unexpected{outer.error()};
  const auto payload = E::decapsulate(outer->payload, ChecksumCheck::verify);
  if (!payload) return Unexpected{payload.error()};
  return parse_ipv6(payload->packet);
}

template <class E>
void encapsulate_packet(benchmark::State& state, E, const typename E::Parameters& parameters) {
  auto buffer = packet_with_headroom(static_cast<std::size_t>(state.range(0)));
  std::uint32_t sequence = 0;
  for (auto _ : state) {
    std::span<std::byte> view = buffer;
    benchmark::DoNotOptimize(view);
    benchmark::DoNotOptimize(encapsulate<E>(view, parameters, ++sequence));
    benchmark::ClobberMemory();
  }
}

template <class E>
void decapsulate_packet(benchmark::State& state, E, const typename E::Parameters& parameters) {
  auto buffer = packet_with_headroom(static_cast<std::size_t>(state.range(0)));
  const auto outer = encapsulate<E>(buffer, parameters, 0);
  if (!decapsulate<E>(outer)) state.SkipWithError("the packet does not decapsulate");
  for (auto _ : state) {
    std::span<const std::byte> view = outer;
    benchmark::DoNotOptimize(view);
    auto inner = decapsulate<E>(view);
    benchmark::DoNotOptimize(inner);
  }
}

const SixInFour::Parameters kSit;
const Gre::Parameters kGre;
const Gre::Parameters kGreKeySequence = {.ikey = 42, .okey = 42, .iseq = true, .oseq = true};
const Gre::Parameters kGreChecksum = {.ikey = 42, .okey = 42, .icsum = true, .ocsum = true};

void sizes(benchmark::internal::Benchmark* benchmark) { benchmark->Arg(64)->Arg(512)->Arg(1280); }
BENCHMARK_CAPTURE(encapsulate_packet, sit, SixInFour{}, kSit)->Apply(sizes);
BENCHMARK_CAPTURE(encapsulate_packet, gre, Gre{}, kGre)->Apply(sizes);
BENCHMARK_CAPTURE(encapsulate_packet, gre_key_seq, Gre{}, kGreKeySequence)->Apply(sizes);
BENCHMARK_CAPTURE(encapsulate_packet, gre_key_csum, Gre{}, kGreChecksum)->Apply(sizes);
BENCHMARK_CAPTURE(decapsulate_packet, sit, SixInFour{}, kSit)->Apply(sizes);
BENCHMARK_CAPTURE(decapsulate_packet, gre, Gre{}, kGre)->Apply(sizes);
BENCHMARK_CAPTURE(decapsulate_packet, gre_key_seq, Gre{}, kGreKeySequence)->Apply(sizes);
BENCHMARK_CAPTURE(decapsulate_packet, gre_key_csum, Gre{}, kGreChecksum)->Apply(sizes);

}  // namespace
}  // namespace culvert::proto
