#include "tests/support/memory_queue.h"

#include <algorithm>
#include <cerrno>

namespace culvert::test {

io::Packet& MemoryPacketIo::put(io::Source source, const Bytes& bytes, const io::Offload& offload) {
  Bytes& buffer = buffers_.emplace_back(io::kHeadroomBytes + bytes.size());
  std::copy(bytes.begin(), bytes.end(), buffer.begin() + io::kHeadroomBytes);
  auto& packets = packets_[static_cast<std::size_t>(source)];
  io::Packet& packet = packets.emplace_back(buffer, io::kHeadroomBytes, bytes.size());
  packet.offload = offload;
  return packet;
}

Result<void> MemoryPacketIo::wait(std::chrono::nanoseconds) noexcept {
  if (failure) return Unexpected{*failure};
  return {};
}

std::span<io::Packet> MemoryPacketIo::received(io::Source source) noexcept {
  return packets_[static_cast<std::size_t>(source)];
}

bool MemoryPacketIo::send(const io::Datagram& datagram) noexcept {
  if (sends_.size() == batch_sends_) return false;
  const bool is_refused = refuses_super_packets && datagram.offload.is_super_packet();
  refused_super_packets += is_refused ? 1 : 0;
  sends_.push_back(is_refused ? EINVAL : send_error);
  if (sends_.back() != 0) return true;
  Bytes bytes(datagram.head.begin(), datagram.head.end());
  bytes.insert(bytes.end(), datagram.tail.begin(), datagram.tail.end());
  sent.push_back({std::move(bytes), datagram.destination, datagram.next_hop,
                  datagram.interface_index, datagram.offload, datagram.encapsulation_bytes,
                  datagram.gso});
  return true;
}

bool MemoryPacketIo::write(const io::TunPacket& packet) noexcept {
  if (writes_.size() == batch_writes_) return false;
  const bool is_refused =
      refuses_offloads && (packet.offload.is_super_packet() || packet.offload.needs_checksum);
  writes_.push_back(is_refused ? EINVAL : write_error);
  if (writes_.back() != 0) return true;
  Bytes bytes(packet.head.begin(), packet.head.end());
  for (const auto slice : packet.slices) bytes.insert(bytes.end(), slice.begin(), slice.end());
  written.push_back({std::move(bytes), packet.offload});
  return true;
}

io::Submitted MemoryPacketIo::submit() noexcept {
  ++submits;
  submitted_sends_ = std::exchange(sends_, {});
  submitted_writes_ = std::exchange(writes_, {});
  return {submitted_sends_, submitted_writes_};
}

void MemoryPacketIo::release() noexcept {
  for (auto& packets : packets_) packets.clear();
  buffers_.clear();
}

}  // namespace culvert::test
