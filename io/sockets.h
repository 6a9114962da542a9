// The descriptors of one worker, as io/ring.h and io/poller.h take them, and the sizes of its
// queues.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "io/bpf/encapsulator_program.h"
#include "io/fd.h"

namespace culvert::io {

/// How outer packets are received.
enum class ReceiveKind : std::uint8_t {
  packet,  ///< AF_PACKET SOCK_RAW with virtio headers: super-packets come with their segment size
  raw,     ///< raw IPv4 sockets, behind the firewall: super-packets come without it
};

/// One worker's descriptors. `tun` has IFF_VNET_HDR unless `tun_has_virtio_header` is false.
struct WorkerDescriptors {
  Fd tun;
  bool tun_has_virtio_header = true;
  ReceiveKind receive_kind = ReceiveKind::packet;
  std::vector<Fd> receive;  ///< one packet socket, or a raw socket for each IP protocol
  Fd send;                  ///< raw IPv4 with IP_HDRINCL
  Fd packet_send;           ///< packet socket for what has a next hop; may be absent
  EncapsulatorSlots slots;  ///< for super-packets that go by packet_send; may be none
  Fd icmp;                  ///< raw ICMP, filtered to errors; absent but on the first worker
};

/// How many packets fit where; every place is fixed at start. One buffer holds the largest packet,
/// so the memory of a worker is about (tun_packets + tunnel_packets) * 65 KiB.
struct QueueSizes {
  std::size_t tun_packets = 64;
  std::size_t tunnel_packets = 128;
  std::size_t icmp_packets = 16;
  std::size_t batch_sends = 1024;
  std::size_t batch_writes = 256;
};

}  // namespace culvert::io
