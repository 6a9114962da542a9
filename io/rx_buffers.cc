#include "io/rx_buffers.h"

#include <fcntl.h>
#include <linux/if_ether.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "io/control_message.h"
#include "proto/byte_order.h"
#include "proto/ethernet.h"

namespace culvert::io {
namespace {

constexpr std::size_t kVlanTagBytes = 4;

/// The bytes of the link-layer header in front of the IPv4 header. Only Ethernet and loopback have
/// one; on PPP, TUN, venet and similar interfaces a frame starts with the IP header.
std::size_t link_layer_bytes(std::span<const std::byte> frame,
                             std::uint16_t hardware_type) noexcept {
  if (hardware_type != ARPHRD_ETHER && hardware_type != ARPHRD_LOOPBACK) return 0;
  std::size_t bytes = ETH_HLEN;
  // A VLAN device without REORDER_HDR keeps the tag in the frame.
  while (frame.size() >= bytes + kVlanTagBytes) {
    const auto type = proto::load_be16(frame, bytes - ETH_HLEN + proto::kEthernetTypeOffset);
    if (type != ETH_P_8021Q && type != ETH_P_8021AD) break;
    bytes += kVlanTagBytes;
  }
  return bytes;
}

}  // namespace

RxMeta rx_meta(const sockaddr_ll& sender) noexcept {
  if (sender.sll_family != AF_PACKET) return {};
  return {.interface_index = static_cast<std::uint32_t>(sender.sll_ifindex),
          .hardware_type = sender.sll_hatype};
}

RxMeta rx_meta(std::span<const std::byte> control) noexcept {
  const auto info = control_value<in_pktinfo>(control, IPPROTO_IP, IP_PKTINFO);
  if (!info) return {};
  return {.interface_index = static_cast<std::uint32_t>(info->ipi_ifindex)};
}

Result<RxBuffers> RxBuffers::open(std::size_t count, std::size_t slot_bytes, Framing framing) {
  RxBuffers rx_buffers;
  auto pool = PacketPool::open(count, slot_bytes);
  if (!pool) return Unexpected{pool.error()};
  rx_buffers.pool_ = std::move(*pool);
  rx_buffers.framing_ = framing;
  rx_buffers.packets_.reserve(count);
  rx_buffers.slots_.reserve(count);
  return rx_buffers;
}

void RxBuffers::append(std::size_t slot, std::size_t filled_bytes, const RxMeta& meta) noexcept {
  const auto buffer = pool_.slot(slot);
  pool_.use(kFrameOffset + filled_bytes);
  const std::size_t room_bytes = room(slot).size();
  const std::size_t frame_bytes =
      std::min(filled_bytes, room_bytes) - std::min(filled_bytes, virtio_bytes());
  slots_.push_back(static_cast<std::uint16_t>(slot));
  Packet& packet = packets_.emplace_back(buffer, kFrameOffset, frame_bytes);
  packet.interface_index = meta.interface_index;
  // A slot is larger than the largest packet, so a packet that fills it has been truncated.
  packet.truncated = filled_bytes < virtio_bytes() || filled_bytes >= room_bytes;
  if (framing_.virtio_header) {
    const auto offload = read_virtio_header(
        buffer.subspan(kFrameOffset - kVirtioHeaderBytes).first<kVirtioHeaderBytes>());
    packet.has_bad_offload = !offload;
    if (offload) packet.offload = *offload;
  }
  if (framing_.link_layer_header) {
    const std::size_t link_layer = link_layer_bytes(packet.bytes(), meta.hardware_type);
    if (link_layer > frame_bytes) packet.truncated = true;
    packet.trim_front(std::min(link_layer, frame_bytes));
  }
}

Result<std::array<RxBuffers, kSources>> open_rx_buffers(const QueueSizes& sizes,
                                                        const WorkerDescriptors& descriptors) {
  const int flags = ::fcntl(descriptors.tun.get(), F_GETFL);
  if (flags < 0 || ::fcntl(descriptors.tun.get(), F_SETFL, flags | O_NONBLOCK) < 0) {
    return Unexpected{Error{.code = errno,
                            .operation = "make non-blocking",
                            .object = "TUN",
                            .advice = errno == EBADF ? "no descriptor of a TUN queue" : ""}};
  }
  const bool is_packet = descriptors.receive_kind == ReceiveKind::packet;
  auto tun = RxBuffers::open(sizes.tun_packets, kSlotBytes,
                             {.virtio_header = descriptors.tun_has_virtio_header});
  if (!tun) return Unexpected{tun.error()};
  auto tunnel = RxBuffers::open(sizes.tunnel_packets, kSlotBytes,
                                {.virtio_header = is_packet, .link_layer_header = is_packet});
  if (!tunnel) return Unexpected{tunnel.error()};
  auto icmp = RxBuffers::open(sizes.icmp_packets, kIcmpSlotBytes, {});
  if (!icmp) return Unexpected{icmp.error()};
  return std::array{std::move(*tun), std::move(*tunnel), std::move(*icmp)};
}

int RxBuffers::read_from(int fd) noexcept {
  while (!is_full()) {
    const std::size_t slot = packets_.size();
    const auto free = room(slot);
    const auto bytes = ::read(fd, free.data(), free.size());
    if (bytes >= 0) {
      append(slot, static_cast<std::size_t>(bytes));
    } else if (errno != EINTR) {
      return errno == EAGAIN ? 0 : errno;
    }
  }
  return 0;
}

}  // namespace culvert::io
