// A worker with a PacketIo in memory: the whole path of a packet except the kernel's part. The
// traffic is UDP in IPv6, with a configurable number of flows. One thread per worker.
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "engine/forward/worker.h"
#include "engine/model/encapsulations.h"
#include "engine/tables/path.h"
#include "proto/checksum.h"
#include "proto/ipv4.h"
#include "proto/ipv6.h"
#include "proto/udp.h"

namespace culvert::bench {

struct Traffic {
  io::Source source = io::Source::tun;
  std::size_t batch_packets = 64;
  std::size_t inner_bytes = 1280;
  std::uint32_t flows = 64;
  FlowTable* table = nullptr;  ///< null: no pinning
};

/// A PacketIo whose wait() provides a batch of packets of one source. It discards everything that
/// is sent and reports success.
class BatchPacketIo : public io::PacketIo {
 public:
  std::span<io::Packet> received(io::Source source) noexcept override {
    return source == source_ ? std::span{packets_} : std::span<io::Packet>{};
  }
  bool send(const io::Datagram& datagram) noexcept override {
    benchmark::DoNotOptimize(datagram.head.data());
    ++sends_;
    return true;
  }
  bool write(const io::TunPacket& packet) noexcept override {
    benchmark::DoNotOptimize(packet.head.data());
    ++writes_;
    return true;
  }
  io::Submitted submit() noexcept override {
    const std::span<const int> good{results_};
    return {good.first(std::exchange(sends_, 0)), good.first(std::exchange(writes_, 0))};
  }
  void release() noexcept override {}
  void wake() noexcept override {}
  io::Losses losses() noexcept override { return {}; }

 protected:
  static constexpr std::size_t kSlotBytes = 2048;

  BatchPacketIo(io::Source source, std::size_t batch_packets)
      : source_(source), slots_(batch_packets * kSlotBytes), results_(batch_packets, 0) {
    packets_.reserve(batch_packets);
  }
  [[nodiscard]] std::size_t batch_packets() const noexcept { return results_.size(); }
  [[nodiscard]] std::span<std::byte> slot(std::size_t index) noexcept {
    return std::span{slots_}.subspan(index * kSlotBytes, kSlotBytes);
  }

  const io::Source source_;
  std::vector<io::Packet> packets_;

 private:
  io::LineVector<std::byte> slots_;
  io::LineVector<int> results_;  ///< the results of a whole batch: all 0
  std::size_t sends_ = 0, writes_ = 0;
};

/// A PacketIo that provides the packets of all flows in turn.
class FlowPacketIo final : public BatchPacketIo {
 public:
  /// `packet`: the inner packet, from inner_packet(), is at `inner_offset`.
  FlowPacketIo(const Traffic& traffic, const std::vector<std::byte>& packet,
               std::size_t inner_offset)
      : BatchPacketIo(traffic.source, traffic.batch_packets),
        flows_(traffic.flows),
        packet_(packet),
        flow_offset_(inner_offset + kFlowOffset) {
    for (std::size_t i = 0; i < traffic.batch_packets; ++i)
      std::memcpy(slot(i).data() + io::kHeadroomBytes, packet.data(), packet.size());
  }

  /// Restores the bytes that a round may have changed, and gives each packet its flow.
  Result<void> wait(std::chrono::nanoseconds) noexcept override {
    packets_.clear();
    for (std::size_t i = 0; i < batch_packets(); ++i) {
      std::byte* const begin = slot(i).data() + io::kHeadroomBytes;
      std::memcpy(begin, packet_.data(), std::min<std::size_t>(packet_.size(), 128));
      const std::uint64_t flow = std::uint64_t{~next_flow_} << 32 | next_flow_;
      std::memcpy(begin + flow_offset_, &flow, sizeof flow);
      if (++next_flow_ == flows_) next_flow_ = 0;
      packets_.emplace_back(slot(i), io::kHeadroomBytes, packet_.size());
    }
    return {};
  }

  /// The last 8 bytes of the inner source address hold the flow's number and its complement, so
  /// that all flows have the same checksum.
  static constexpr std::size_t kFlowOffset = 16;

 private:
  std::uint32_t flows_;
  std::uint32_t next_flow_ = 0;
  std::vector<std::byte> packet_;
  std::size_t flow_offset_;
};

/// The inner packet of flow 0.
inline std::vector<std::byte> inner_packet(std::size_t bytes) {
  std::vector<std::byte> packet(bytes);
  const auto source = *proto::Ipv6Address::from_text("2001:db8::ffff:ffff");
  const auto destination = *proto::Ipv6Address::from_text("2001:db8:1::2");
  const auto payload = static_cast<std::uint16_t>(bytes - proto::kIpv6HeaderBytes);
  proto::build_ipv6(std::span{packet}.first<proto::kIpv6HeaderBytes>(),
                    {.source = source,
                     .destination = destination,
                     .next_header = proto::kProtocolUdp,
                     .hop_limit = 64,
                     .payload_bytes = payload});
  const auto udp = std::span{packet}.subspan(proto::kIpv6HeaderBytes);
  proto::store_be16(udp, 0, 4241);
  proto::store_be16(udp, 2, 4242);
  proto::store_be16(udp, 4, payload);
  const auto sum =
      proto::pseudo_header_sum(source, destination, proto::kProtocolUdp, payload) + proto::sum(udp);
  proto::store(udp, proto::kUdpChecksumOffset, proto::finish(sum));
  return packet;
}

inline Tunnel make_tunnel(const Parameters& mode) {
  return culvert::make_tunnel({.name = "bench",
                               .mode = mode,
                               .local = proto::Ipv4Address::from_host(0xc0000201),   // 192.0.2.1
                               .remote = proto::Ipv4Address::from_host(0xc6336401),  // 198.51.100.1
                               .ttl = std::uint8_t{64}});
}

inline std::vector<std::byte> outer_packet(const Tunnel& tunnel,
                                           const std::vector<std::byte>& inner) {
  std::vector<std::byte> packet(tunnel.overhead_bytes());
  packet.insert(packet.end(), inner.begin(), inner.end());
  const std::span bytes{packet};
  proto::build_ipv4(bytes.first<proto::kIpv4HeaderBytes>(),
                    {.source = tunnel.config.remote.address(),
                     .destination = *tunnel.config.local,
                     .protocol = tunnel.ipv6_protocol,
                     .ttl = 64,
                     .total_bytes = static_cast<std::uint16_t>(packet.size())});
  dispatch(tunnel.config.mode, [&](auto encapsulation, const auto& parameters) {
    encapsulation.encapsulate(
        bytes.subspan(proto::kIpv4HeaderBytes, tunnel.encapsulation_bytes), parameters, 0,
        {.head = inner, .tail = {}, .protocol_type = proto::kProtocolTypeIpv6});
  });
  return packet;
}

/// One worker and its traffic.
class Way {
 public:
  /// Several workers may share `tables`, each as its own reader.
  Way(const Traffic& traffic, const Tunnel& tunnel, Snapshot<Tables>& tables, std::size_t reader)
      : traffic_(traffic),
        worker_(make_queues(traffic, tunnel), tables,
                {.index = reader,
                 .sizes = {.tun_packets = traffic.batch_packets,
                           .tunnel_packets = traffic.batch_packets},
                 .flows = traffic.table}) {
    if (!worker_.prepare(0)) std::abort();
  }

  void round() noexcept {
    const auto done = worker_.round(std::chrono::nanoseconds{0}, now_);
    benchmark::DoNotOptimize(done.has_value());
  }
  [[nodiscard]] std::uint64_t forwarded() const noexcept {
    const Totals totals = worker_.totals(0);
    return traffic_.source == io::Source::tun ? totals.out_packets : totals.in_packets;
  }

 private:
  static std::unique_ptr<io::PacketIo> make_queues(const Traffic& traffic, const Tunnel& tunnel) {
    const auto inner = inner_packet(traffic.inner_bytes);
    if (traffic.source == io::Source::tun) return std::make_unique<FlowPacketIo>(traffic, inner, 0);
    return std::make_unique<FlowPacketIo>(traffic, outer_packet(tunnel, inner),
                                          tunnel.overhead_bytes());
  }

  Traffic traffic_;
  Worker worker_;
  Time now_ = std::chrono::steady_clock::now();
};

/// The time per item, as a counter.
inline benchmark::Counter time_of_each(double items) {
  return {items, benchmark::Counter::kIsRate | benchmark::Counter::kInvert};
}

inline double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace culvert::bench
