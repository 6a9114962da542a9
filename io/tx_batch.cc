#include "io/tx_batch.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>

#include "io/packet_socket.h"
#include "proto/ethernet.h"
#include "proto/tcp_fields.h"

namespace culvert::io {
namespace {

constexpr std::size_t kMaxPieces = kMaxSlices + 2;  // virtio header, head, slices

iovec piece_of(std::span<const std::byte> bytes) noexcept {
  // The kernel only reads the bytes. struct iovec has no const variant.
  return {.iov_base = const_cast<std::byte*>(bytes.data()), .iov_len = bytes.size()};
}

}  // namespace

TxBatch::TxBatch(const QueueSizes& sizes, const WorkerDescriptors& descriptors)
    : raw_socket_(descriptors.send.get()),
      packet_socket_(descriptors.packet_send.get()),
      encapsulator_(descriptors.slots),
      tun_has_virtio_header_(descriptors.tun_has_virtio_header),
      messages_(sizes.batch_sends),
      pieces_(sizes.batch_sends),
      destinations_(sizes.batch_sends),
      writes_(sizes.batch_writes),
      virtio_headers_(sizes.batch_writes),
      slices_(sizes.batch_writes * kMaxPieces),
      send_results_(sizes.batch_sends),
      write_results_(sizes.batch_writes) {
  const std::uint64_t cookie = socket_cookie(descriptors.packet_send);
  for (EncapsulatorSlot& slot : encapsulator_.slots) slot.socket_cookie = cookie;
  for (std::size_t i = 0; i < messages_.size(); ++i) {
    destinations_[i].route = {};
    destinations_[i].route.sin_family = AF_INET;
    destinations_[i].link = {};
    destinations_[i].link.sll_family = AF_PACKET;
    destinations_[i].link.sll_halen = sizeof(EthernetAddress);
    messages_[i] = {};
  }
}

// ---- datagrams ----------------------------------------------------------------------------------

bool TxBatch::add(const Datagram& datagram) noexcept {
  if (send_count_ == messages_.size()) return false;
  const bool is_super_packet = datagram.offload.is_super_packet();
  if (is_super_packet && slots_used_ == encapsulator_.slots.size()) return false;
  const std::size_t i = send_count_++;
  std::memcpy(&destinations_[i].route.sin_addr, datagram.destination.bytes.data(),
              sizeof destinations_[i].route.sin_addr);
  set_interface(destinations_[i], datagram);
  if (datagram.next_hop && packet_socket_ >= 0) {
    send_by_link(i, datagram);
  } else {
    pieces_[i] = {piece_of(datagram.head), piece_of(datagram.tail)};
    send_by_route(i, std::span{pieces_[i]}.first(datagram.tail.empty() ? 1 : 2));
  }
  return true;
}

/// Passes the source together with the interface. Without the source no policy rule for it applies.
/// If the rules then give no route by the interface, the kernel treats the destination as a
/// neighbor.
void TxBatch::set_interface(Destination& to, const Datagram& datagram) noexcept {
  to.has_interface = datagram.interface_index != 0;
  if (!to.has_interface) return;
  in_pktinfo info{};
  info.ipi_ifindex = static_cast<int>(datagram.interface_index);
  std::memcpy(&info.ipi_spec_dst, datagram.head.data() + proto::kIpv4SourceOffset,
              sizeof info.ipi_spec_dst);
  to.interface = control_message(IPPROTO_IP, IP_PKTINFO, info);
}

void TxBatch::send_by_route(std::size_t index, std::span<const iovec> pieces) noexcept {
  destinations_[index].is_by_link = false;
  msghdr& message = messages_[index].msg_hdr;
  message.msg_name = &destinations_[index].route;
  message.msg_namelen = sizeof destinations_[index].route;
  message.msg_iov = const_cast<iovec*>(pieces.data());
  message.msg_iovlen = pieces.size();
  const bool has_interface = destinations_[index].has_interface;
  message.msg_control = has_interface ? destinations_[index].interface.data() : nullptr;
  message.msg_controllen = has_interface ? destinations_[index].interface.size() : 0;
}

void TxBatch::send_by_link(std::size_t index, const Datagram& datagram) noexcept {
  Destination& to = destinations_[index];
  to.is_by_link = true;
  to.link.sll_ifindex = static_cast<int>(datagram.next_hop.interface_index);
  to.link.sll_protocol = htons(ETH_P_IP);
  std::memcpy(to.header.ethernet.data() + proto::kEthernetDestinationOffset,
              &datagram.next_hop.destination, 6);
  std::memcpy(to.header.ethernet.data() + proto::kEthernetSourceOffset, &datagram.next_hop.source,
              6);
  std::memcpy(to.header.ethernet.data() + proto::kEthernetTypeOffset, &to.link.sll_protocol, 2);
  msghdr& message = messages_[index].msg_hdr;
  message.msg_name = &to.link;
  message.msg_namelen = sizeof to.link;
  message.msg_control = nullptr;
  message.msg_controllen = 0;
  auto head = datagram.head;
  if (datagram.offload.is_super_packet()) {
    head = fill_slot(index, datagram);
  } else {
    to.header.virtio.fill(std::byte{0});
  }
  const auto header = std::as_bytes(std::span{&to.header, 1});
  pieces_[index] = {piece_of(header), piece_of(head), piece_of(datagram.tail)};
  message.msg_iov = pieces_[index].data();
  message.msg_iovlen = datagram.tail.empty() ? 2 : 3;
}

/// Writes the outer headers into the next slot and sets the slot's mark. Returns the inner
/// super-packet.
std::span<const std::byte> TxBatch::fill_slot(std::size_t index,
                                              const Datagram& datagram) noexcept {
  Destination& to = destinations_[index];
  const std::size_t header_bytes = datagram.encapsulation_bytes;
  fill(encapsulator_.slots[slots_used_], datagram.head.first(header_bytes), datagram.gso);
  const auto mark = encapsulator_.first_mark + static_cast<std::uint32_t>(slots_used_++);
  to.mark = control_message(SOL_SOCKET, SO_MARK, mark);
  messages_[index].msg_hdr.msg_control = to.mark.data();
  messages_[index].msg_hdr.msg_controllen = to.mark.size();
  // Until the program has run, the kernel sees the inner packet alone.
  const bool is_ipv4 = datagram.offload.segmentation == Segmentation::tcp4;
  to.link.sll_protocol = htons(is_ipv4 ? ETH_P_IP : ETH_P_IPV6);
  Offload offload = datagram.offload;
  const std::size_t before = header_bytes - to.header.ethernet.size();
  offload.checksum_start = static_cast<std::uint16_t>(offload.checksum_start - before);
  offload.header_bytes = static_cast<std::uint16_t>(offload.header_bytes - before);
  write_virtio_header(to.header.virtio, offload);
  return datagram.head.subspan(header_bytes);
}

/// Sends a run of datagrams that use the same socket, from `first` on, up to the first that fails.
/// Returns the number of results that it has recorded.
std::size_t TxBatch::send_run(std::size_t first) noexcept {
  const bool is_by_link = destinations_[first].is_by_link;
  std::size_t end = first + 1;
  while (end < send_count_ && destinations_[end].is_by_link == is_by_link) ++end;
  const int sent = ::sendmmsg(is_by_link ? packet_socket_ : raw_socket_, &messages_[first],
                              static_cast<unsigned>(end - first), MSG_DONTWAIT);
  if (sent > 0) {
    std::fill_n(send_results_.begin() + static_cast<std::ptrdiff_t>(first), sent, 0);
    return static_cast<std::size_t>(sent);
  }
  const int error = sent < 0 ? errno : EIO;
  if (error == EINTR) return 0;
  // The interface is down or deleted: the kernel may have another route, so send without next hop.
  const bool is_gone = error == ENETDOWN || error == ENXIO || error == ENODEV;
  if (is_by_link && is_gone && messages_[first].msg_hdr.msg_controllen == 0) {
    const msghdr& message = messages_[first].msg_hdr;
    send_by_route(first, std::span{pieces_[first]}.subspan(1, message.msg_iovlen - 1));
    return 0;
  }
  send_results_[first] = error;
  return 1;
}

void TxBatch::send_all() noexcept {
  for (std::size_t next = 0; next < send_count_;) next += send_run(next);
}

// ---- writes -------------------------------------------------------------------------------------

bool TxBatch::add(const TunPacket& packet) noexcept {
  assert(packet.slices.size() <= kMaxSlices);
  if (write_count_ == writes_.size()) return false;
  const std::size_t i = write_count_++;
  iovec* const begin = slices_.data() + slice_count_;
  iovec* end = begin;
  if (tun_has_virtio_header_) {
    write_virtio_header(virtio_headers_[i], packet.offload);
    *end++ = piece_of(virtio_headers_[i]);
  }
  *end++ = piece_of(packet.head);
  end = std::transform(packet.slices.begin(), packet.slices.end(), end, piece_of);
  writes_[i] = {begin, end};
  slice_count_ += writes_[i].size();
  return true;
}

void TxBatch::set_write_results(int error) noexcept {
  std::fill_n(write_results_.begin(), write_count_, error);
}

Submitted TxBatch::finish() noexcept {
  const Submitted submitted{.sends = std::span{send_results_}.first(send_count_),
                            .writes = std::span{write_results_}.first(write_count_)};
  send_count_ = write_count_ = slice_count_ = slots_used_ = 0;
  return submitted;
}

}  // namespace culvert::io
