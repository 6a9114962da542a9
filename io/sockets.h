// The descriptors of one worker and the sizes of its queues: the arguments of open_ring() and
// open_poller(). Plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "io/bpf/encapsulator_program.h"
#include "io/fd.h"

namespace culvert::io {

/// How outer packets are received.
enum class ReceiveKind : std::uint8_t {
  packet,  ///< AF_PACKET SOCK_RAW with virtio headers: GRO super-packets with their segment size
  raw,     ///< raw IPv4 sockets, after the firewall: GRO super-packets without their segment size
};

/// The descriptors of one worker. `tun` has IFF_VNET_HDR unless `tun_has_virtio_header` is false.
struct WorkerDescriptors {
  Fd tun;
  bool tun_has_virtio_header = true;
  ReceiveKind receive_kind = ReceiveKind::packet;
  std::vector<Fd> receive;  ///< one packet socket, or one raw socket per IP protocol
  Fd send;                  ///< raw IPv4 socket with IP_HDRINCL
  Fd packet_send;           ///< packet socket for packets with a next hop; may be absent
  EncapsulatorSlots slots;  ///< for super-packets that packet_send sends; may be empty
  Fd icmp;                  ///< raw ICMP socket, filtered to errors; only on the first worker
};

/// Capacities, in packets, fixed at the start. All buffers are resident (io/packet_pool.h). Those of
/// one worker take 12.3 MiB by default, the sum of
///     tun_packets    * kSlotBytes      65 KiB each, since one buffer holds the largest packet
///     tunnel_packets * kSlotBytes      the same
///     icmp_packets   * kIcmpSlotBytes  4 KiB each
struct QueueSizes {
  std::size_t tun_packets = 64;
  std::size_t tunnel_packets = 128;
  std::size_t icmp_packets = 16;
  std::size_t batch_sends = 1024;
  std::size_t batch_writes = 256;
};

}  // namespace culvert::io
