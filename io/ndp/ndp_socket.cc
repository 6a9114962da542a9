#include "io/ndp/ndp_socket.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <string>
#include <utility>

#include "io/bpf/ndp_bypass_program.h"
#include "io/socket_options.h"
#include "proto/ipv6.h"
#include "proto/tcp_fields.h"

namespace culvert::io {
namespace {

constexpr std::size_t kRingBytes = NdpSocket::kFrames * NdpSocket::kFrameBytes;
constexpr std::size_t kBlockBytes = 64 * 1024;
constexpr unsigned kIcmpv6TypeOffset = proto::kIpv6HeaderBytes;
constexpr unsigned kSolicitation = 135, kAdvertisement = 136;

constexpr sock_filter load_network_byte(unsigned offset) {
  return BPF_STMT(BPF_LD | BPF_B | BPF_ABS, static_cast<unsigned>(SKF_NET_OFF) + offset);
}
constexpr sock_filter load_ancillary(int offset) {
  return BPF_STMT(BPF_LD | BPF_B | BPF_ABS, static_cast<unsigned>(SKF_AD_OFF + offset));
}
constexpr sock_filter jump_if_equal(unsigned value, std::uint8_t then, std::uint8_t otherwise) {
  return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, then, otherwise);
}

// Packet types above PACKET_MULTICAST are packets to other hosts and packets that this host sends.
// A frame of a VLAN without an interface here has such a type too. NdpBypassProgram marks those that
// are for the proxy after all.
constexpr std::array kFilter{
    load_ancillary(SKF_AD_PKTTYPE),
    sock_filter BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, PACKET_MULTICAST, 0, 2),
    load_ancillary(SKF_AD_MARK),
    jump_if_equal(kNdpBypassMark, 0, 12),
    load_network_byte(proto::kIpv6NextHeaderOffset),
    jump_if_equal(IPPROTO_ICMPV6, 6, 0),
    jump_if_equal(IPPROTO_HOPOPTS, 3, 0),
    jump_if_equal(IPPROTO_ROUTING, 2, 0),
    jump_if_equal(IPPROTO_FRAGMENT, 1, 0),
    jump_if_equal(IPPROTO_DSTOPTS, 0, 6),
    load_network_byte(proto::kIpv6HopLimitOffset),
    jump_if_equal(255, 3, 4),
    load_network_byte(kIcmpv6TypeOffset),
    jump_if_equal(kSolicitation, 1, 0),
    jump_if_equal(kAdvertisement, 0, 1),
    sock_filter BPF_STMT(BPF_RET | BPF_K, 0xffff'ffff),
    sock_filter BPF_STMT(BPF_RET | BPF_K, 0),
};

tpacket2_hdr* header_at(std::byte* ring, std::size_t index) noexcept {
  return reinterpret_cast<tpacket2_hdr*>(ring + index * NdpSocket::kFrameBytes);
}

Result<void> set_ring(const Fd& socket, const SocketName& name) {
  if (auto version =
          set_option(socket, SOL_PACKET, PACKET_VERSION, TPACKET_V2, "set PACKET_VERSION of", name);
      !version)
    return version;
  const tpacket_req request{.tp_block_size = kBlockBytes,
                            .tp_block_nr = kRingBytes / kBlockBytes,
                            .tp_frame_size = NdpSocket::kFrameBytes,
                            .tp_frame_nr = NdpSocket::kFrames};
  if (::setsockopt(socket.get(), SOL_PACKET, PACKET_RX_RING, &request, sizeof request) == 0)
    return {};
  return name.fail(errno, "set up the ring of");
}

}  // namespace

Result<NdpSocket> NdpSocket::open(unsigned interface_index) {
  const SocketName name{"packet socket", "on interface " + std::to_string(interface_index)};
  auto socket = open_filtered_socket(AF_PACKET, 0, name);
  if (!socket) return Unexpected{socket.error()};
  if (auto ring = set_ring(*socket, name); !ring) return Unexpected{ring.error()};
  if (auto bypass = set_option(*socket, SOL_PACKET, PACKET_QDISC_BYPASS, 1,
                               "set PACKET_QDISC_BYPASS of", name);
      !bypass)
    return Unexpected{bypass.error()};
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_IPV6);
  address.sll_ifindex = static_cast<int>(interface_index);
  if (::bind(socket->get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return name.fail(errno, "bind",
                     errno == ENETDOWN ? "the interface is down: set it up first" : "");
  NdpSocket result;
  void* ring = ::mmap(nullptr, kRingBytes, PROT_READ | PROT_WRITE, MAP_SHARED, socket->get(), 0);
  if (ring == MAP_FAILED) return name.fail(errno, "map the ring of");
  result.ring_ = static_cast<std::byte*>(ring);
  result.fd_ = std::move(*socket);
  if (auto filtered = set_filter(result.fd_, kFilter, name); !filtered)
    return Unexpected{filtered.error()};
  return result;
}

NdpSocket::NdpSocket(NdpSocket&& other) noexcept
    : fd_(std::move(other.fd_)),
      ring_(std::exchange(other.ring_, nullptr)),
      next_(std::exchange(other.next_, 0)) {}

NdpSocket& NdpSocket::operator=(NdpSocket&& other) noexcept {
  if (this == &other) return *this;
  unmap();
  fd_ = std::move(other.fd_);
  ring_ = std::exchange(other.ring_, nullptr);
  next_ = std::exchange(other.next_, 0);
  return *this;
}

NdpSocket::~NdpSocket() { unmap(); }

void NdpSocket::unmap() noexcept {
  if (ring_ != nullptr) ::munmap(ring_, kRingBytes);
  ring_ = nullptr;
}

bool NdpSocket::is_bound_to(unsigned interface_index) const noexcept {
  sockaddr_ll address{};
  socklen_t size = sizeof address;
  return ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0 &&
         address.sll_ifindex == static_cast<int>(interface_index);
}

std::span<const std::byte> NdpSocket::next() const noexcept {
  if (ring_ == nullptr) return {};
  tpacket2_hdr* header = header_at(ring_, next_);
  // Pairs with the kernel's write barrier before it writes the status: the frame is complete.
  const std::uint32_t status = std::atomic_ref{header->tp_status}.load(std::memory_order_acquire);
  if ((status & TP_STATUS_USER) == 0) return {};
  return {reinterpret_cast<const std::byte*>(header) + header->tp_mac, header->tp_snaplen};
}

void NdpSocket::release() noexcept {
  // Pairs with the kernel's read of the status: our reads of the frame end before it is
  // overwritten.
  std::atomic_ref{header_at(ring_, next_)->tp_status}.store(TP_STATUS_KERNEL,
                                                            std::memory_order_release);
  next_ = (next_ + 1) % kFrames;
}

void NdpSocket::send(std::span<const std::span<const std::byte>> frames,
                     std::span<int> errors) noexcept {
  std::array<mmsghdr, kSends> messages{};
  std::array<iovec, kSends> parts;
  const std::size_t count = std::min(frames.size(), kSends);
  for (std::size_t i = 0; i < count; ++i) {
    parts[i] = {.iov_base = const_cast<std::byte*>(frames[i].data()), .iov_len = frames[i].size()};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  for (std::size_t done = 0; done < count;) {
    const int sent =
        ::sendmmsg(fd_.get(), &messages[done], static_cast<unsigned>(count - done), MSG_DONTWAIT);
    const int code = errno;
    for (int i = 0; i < sent; ++i) errors[done++] = 0;
    if (sent <= 0) errors[done++] = code;  // skip a frame that fails and send the next ones
  }
}

std::uint64_t NdpSocket::read_drops() noexcept {
  tpacket_stats statistics{};
  socklen_t size = sizeof statistics;
  if (::getsockopt(fd_.get(), SOL_PACKET, PACKET_STATISTICS, &statistics, &size) != 0) return 0;
  return statistics.tp_drops;
}

void NdpSocket::clear_error() noexcept {
  int code = 0;
  socklen_t size = sizeof code;
  ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &code, &size);
}

}  // namespace culvert::io
