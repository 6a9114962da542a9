// MemoryPacketIo: io::PacketIo without a kernel. A test adds packets, runs a worker's round, and
// reads the packets sent and written. The test chooses buffers, capacities and failures.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "io/packet_io.h"

namespace culvert::test {

using Bytes = std::vector<std::byte>;

struct SentDatagram {
  Bytes bytes;
  proto::Ipv4Address destination;
  io::NextHop next_hop;
  std::uint32_t interface_index;
  io::Offload offload;
  std::uint16_t encapsulation_bytes;
  proto::KernelGso gso;
};
struct WrittenPacket {
  Bytes bytes;
  io::Offload offload;
};

class MemoryPacketIo final : public io::PacketIo {
 public:
  explicit MemoryPacketIo(std::size_t batch_sends = 1024, std::size_t batch_writes = 256)
      : batch_sends_(batch_sends), batch_writes_(batch_writes) {}

  /// Adds a packet to the queue of the next round.
  io::Packet& put(io::Source source, const Bytes& bytes, const io::Offload& offload = {});

  std::vector<SentDatagram> sent;
  std::vector<WrittenPacket> written;
  int send_error = 0;                  ///< result of each send()
  int write_error = 0;                 ///< result of each write()
  bool refuses_offloads = false;       ///< a write() with an offload fails with EINVAL
  bool refuses_super_packets = false;  ///< a send() of a super-packet fails with EINVAL
  std::optional<Error> failure;        ///< result of the next wait()
  std::size_t refused_super_packets = 0;
  std::size_t submits = 0;

  Result<void> wait(std::chrono::nanoseconds timeout) noexcept override;
  std::span<io::Packet> received(io::Source source) noexcept override;
  bool send(const io::Datagram& datagram) noexcept override;
  bool write(const io::TunPacket& packet) noexcept override;
  io::Submitted submit() noexcept override;
  void release() noexcept override;
  void wake() noexcept override {}
  io::Losses losses() noexcept override { return {}; }

 private:
  std::size_t batch_sends_, batch_writes_;
  std::deque<Bytes> buffers_;
  std::vector<io::Packet> packets_[io::kSources];
  std::vector<int> sends_, writes_, submitted_sends_, submitted_writes_;
};

}  // namespace culvert::test
