// The whole way of a packet in memory: a worker's round over queues that hold a batch of packets
// and take whatever is sent. Outbound: parse, tunnel, MSS, encapsulate, count. Inbound: outer
// header, encapsulation, tunnel, inner header, source, ECN, coalesce, count. What is not in it is
// the kernel.
#include <benchmark/benchmark.h>

#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include "engine/path.h"
#include "engine/worker.h"
#include "proto/checksum.h"
#include "proto/ipv4.h"
#include "proto/ipv6.h"
#include "proto/udp.h"

namespace culvert {
namespace {

constexpr std::size_t kBatchPackets = 64;
constexpr std::size_t kSlotBytes = 2048;
const auto kLocal = proto::Ipv4Address::from_host(0xc0000201);   // 192.0.2.1
const auto kRemote = proto::Ipv4Address::from_host(0xc6336401);  // 198.51.100.1

/// Gives the same batch in each round and forgets what it is given.
class SameBatchQueues final : public io::Queues {
 public:
  SameBatchQueues(io::Source source, std::vector<std::vector<std::byte>> packets)
      : source_(source), originals_(std::move(packets)) {
    buffer_.resize(originals_.size() * kSlotBytes);
  }
  Result<void> wait(std::chrono::nanoseconds) noexcept override {
    packets_.clear();
    for (std::size_t i = 0; i < originals_.size(); ++i) {
      const auto slot = std::span{buffer_}.subspan(i * kSlotBytes, kSlotBytes);
      std::memcpy(slot.data() + io::kHeadroomBytes, originals_[i].data(),
                  std::min<std::size_t>(originals_[i].size(), 128));
      packets_.emplace_back(slot, io::kHeadroomBytes, originals_[i].size());
    }
    return {};
  }
  std::span<io::Packet> received(io::Source source) noexcept override {
    return source == source_ ? std::span{packets_} : std::span<io::Packet>{};
  }
  bool send(const io::Datagram& datagram) noexcept override {
    benchmark::DoNotOptimize(datagram.head.data());
    sends_.push_back(0);
    return true;
  }
  bool write(const io::TunPacket& packet) noexcept override {
    benchmark::DoNotOptimize(packet.head.data());
    writes_.push_back(0);
    return true;
  }
  io::Submitted submit() noexcept override {
    submitted_sends_.swap(sends_);
    submitted_writes_.swap(writes_);
    sends_.clear();
    writes_.clear();
    return {submitted_sends_, submitted_writes_};
  }
  void release() noexcept override {}
  void wake() noexcept override {}
  io::Losses losses() noexcept override { return {}; }

 private:
  io::Source source_;
  std::vector<std::vector<std::byte>> originals_;
  std::vector<std::byte> buffer_;
  std::vector<io::Packet> packets_;
  std::vector<int> sends_, writes_, submitted_sends_, submitted_writes_;
};

/// An inner UDP packet of `bytes` in all, each of its own flow.
std::vector<std::byte> inner_packet(std::size_t bytes, std::uint16_t flow) {
  std::vector<std::byte> packet(bytes);
  const auto source = *proto::Ipv6Address::from_text("2001:db8::1");
  const auto destination = *proto::Ipv6Address::from_text("2001:db8:1::2");
  const auto payload = static_cast<std::uint16_t>(bytes - proto::kIpv6HeaderBytes);
  proto::build_ipv6(std::span{packet}.first<proto::kIpv6HeaderBytes>(),
                    {.source = source,
                     .destination = destination,
                     .next_header = proto::kProtocolUdp,
                     .hop_limit = 64,
                     .payload_bytes = payload});
  const auto udp = std::span{packet}.subspan(proto::kIpv6HeaderBytes);
  proto::store_be16(udp, 0, flow);
  proto::store_be16(udp, 2, 4242);
  proto::store_be16(udp, 4, payload);
  const auto sum =
      proto::pseudo_header_sum(source, destination, proto::kProtocolUdp, payload) + proto::sum(udp);
  proto::store(udp, proto::kUdpChecksumOffset, proto::finish(sum));
  return packet;
}

Tunnel tunnel_of(const Parameters& mode) {
  Tunnel tunnel;
  tunnel.config.name = "bench";
  tunnel.config.mode = mode;
  tunnel.config.local = kLocal;
  tunnel.config.remote = kRemote;
  tunnel.config.ttl = std::uint8_t{64};
  dispatch(mode, [&](auto encapsulation, const auto& parameters) {
    tunnel.ip_protocol = encapsulation.kIpProtocol;
    tunnel.encapsulation_bytes =
        static_cast<std::uint16_t>(encapsulation.overhead_bytes(parameters));
  });
  tunnel.device_mtu = static_cast<std::uint16_t>(1500 - tunnel.overhead_bytes());
  tunnel.path = std::make_shared<Path>();
  tunnel.path->local = kLocal;
  return tunnel;
}

std::vector<std::byte> outer_packet(const Tunnel& tunnel, const std::vector<std::byte>& inner) {
  std::vector<std::byte> packet(tunnel.overhead_bytes());
  packet.insert(packet.end(), inner.begin(), inner.end());
  const std::span bytes{packet};
  proto::build_ipv4(bytes.first<proto::kIpv4HeaderBytes>(),
                    {.source = kRemote,
                     .destination = kLocal,
                     .protocol = tunnel.ip_protocol,
                     .ttl = 64,
                     .total_bytes = static_cast<std::uint16_t>(packet.size())});
  dispatch(tunnel.config.mode, [&](auto encapsulation, const auto& parameters) {
    encapsulation.encapsulate(
        bytes.subspan(proto::kIpv4HeaderBytes, tunnel.encapsulation_bytes), parameters, 0,
        {.head = inner, .tail = {}, .protocol_type = proto::kProtocolTypeIpv6});
  });
  return packet;
}

Parameters mode_of(std::int64_t number) {
  if (number == 0) return proto::SixInFour::Parameters{};
  return proto::Gre::Parameters{.ikey = 42, .okey = 42};
}

void run(benchmark::State& state, io::Source source) {
  const Tunnel tunnel = tunnel_of(mode_of(state.range(1)));
  std::vector<std::vector<std::byte>> packets;
  for (std::uint16_t i = 0; i < kBatchPackets; ++i) {
    const auto inner = inner_packet(static_cast<std::size_t>(state.range(0)), i);
    packets.push_back(source == io::Source::tun ? inner : outer_packet(tunnel, inner));
  }
  Snapshot<Tables> tables(std::make_unique<Tables>(std::vector{tunnel}), 1);
  Worker worker(std::make_unique<SameBatchQueues>(source, packets), tables, {});
  const Time now = std::chrono::steady_clock::now();
  for (auto _ : state) {
    if (!worker.round(std::chrono::nanoseconds{0}, now)) state.SkipWithError("round failed");
  }
  const auto& counters = worker.counters(0);
  const auto forwarded =
      source == io::Source::tun ? counters.out_packets.value() : counters.in_packets.value();
  if (forwarded != state.iterations() * kBatchPackets)
    state.SkipWithError("not every packet was forwarded");
  state.SetItemsProcessed(static_cast<std::int64_t>(forwarded));
  state.counters["time_per_packet"] = benchmark::Counter(
      static_cast<double>(forwarded), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void outbound_way(benchmark::State& state) { run(state, io::Source::tun); }
void inbound_way(benchmark::State& state) { run(state, io::Source::tunnel); }

// bytes of the inner packet; 0: sit, 1: gre with a key
BENCHMARK(outbound_way)->ArgNames({"bytes", "gre"})->ArgsProduct({{64, 512, 1280}, {0, 1}});
BENCHMARK(inbound_way)->ArgNames({"bytes", "gre"})->ArgsProduct({{64, 512, 1280}, {0, 1}});

}  // namespace
}  // namespace culvert
