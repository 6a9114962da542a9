#include "bench/e2e/bare.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "bench/e2e/bare_run.h"
#include "bench/e2e/error.h"
#include "bench/e2e/receiver.h"
#include "io/bpf/bypass_program.h"
#include "io/bpf/encapsulator_program.h"
#include "io/control_message.h"
#include "io/offload.h"
#include "io/packet.h"
#include "io/packet_socket.h"
#include "io/thread.h"
#include "io/tun.h"
#include "proto/byte_order.h"
#include "proto/ipv4.h"
#include "proto/six_in_four.h"

namespace culvert::bench {
namespace {

constexpr std::size_t kReads = 64, kReceives = 128;
constexpr std::size_t kVirtio = io::kVirtioHeaderBytes;
/// The place of the inner packet in its slot, in both directions: outbound adds the headers that
/// inbound removes.
///     virtio  Ethernet  outer IPv4  inner packet ...     on the packet socket
///                           virtio  inner packet ...     on TUN
constexpr std::size_t kInner = kVirtio + ETH_HLEN + proto::kIpv4HeaderBytes;

using Slot = std::array<std::byte, 65'536 + 128>;

std::span<std::byte, kVirtio> virtio_at(Slot& slot, std::size_t offset) noexcept {
  return std::span<std::byte, kVirtio>{slot.data() + offset, kVirtio};
}

class BareLoop {
 public:
  BareLoop(const TunnelEndpoints& ends, const io::NextHop& next_hop);
  [[nodiscard]] Result<void> open(const std::string& name);
  /// Forwards until the TUN device is deleted.
  [[nodiscard]] Result<void> run() noexcept;

 private:
  [[nodiscard]] std::size_t forward_out() noexcept;
  void encapsulate(std::size_t index, std::size_t inner_bytes) noexcept;
  void send(std::size_t count) noexcept;
  [[nodiscard]] std::size_t forward_in() noexcept;
  void decapsulate(Slot& slot, std::size_t bytes) noexcept;
  void write_run() noexcept;

  TunnelEndpoints ends_;
  io::NextHop next_hop_;
  io::Tun tun_;
  Receiver receiver_;
  io::Fd sender_;
  std::optional<io::BypassProgram> bypass_;
  std::optional<io::EncapsulatorProgram> encapsulator_;
  std::array<std::byte, ETH_HLEN> ethernet_{};
  sockaddr_ll to_outer_{}, to_inner_{};
  alignas(cmsghdr) io::ControlMessage<std::uint32_t> mark_{};
  BareRun run_;
  std::array<mmsghdr, kReads> sends_{};
  std::array<iovec, kReads> send_pieces_{};
  std::array<mmsghdr, kReceives> receives_{};
  std::array<iovec, kReceives> receive_pieces_{};
  std::array<Slot, kReads> read_slots_;
  std::array<Slot, kReceives> receive_slots_;
};

BareLoop::BareLoop(const TunnelEndpoints& ends, const io::NextHop& next_hop)
    : ends_(ends), next_hop_(next_hop) {
  std::memcpy(ethernet_.data(), &next_hop.destination, 6);
  std::memcpy(ethernet_.data() + 6, &next_hop.source, 6);
  proto::store_be16(ethernet_, 12, ETH_P_IP);
  to_outer_.sll_family = AF_PACKET;
  to_outer_.sll_ifindex = static_cast<int>(next_hop.interface_index);
  to_outer_.sll_halen = 6;
  to_outer_.sll_protocol = htons(ETH_P_IP);
  to_inner_ = to_outer_;
  // Until the program has run, the kernel sees the inner packet; the frame type is IPv4 already.
  to_inner_.sll_protocol = htons(ETH_P_IPV6);
  for (std::size_t i = 0; i < kReceives; ++i) {
    receive_pieces_[i] = {.iov_base = receive_slots_[i].data(), .iov_len = sizeof(Slot)};
    receives_[i].msg_hdr.msg_iov = &receive_pieces_[i];
    receives_[i].msg_hdr.msg_iovlen = 1;
  }
  for (std::size_t i = 0; i < kReads; ++i) {
    sends_[i].msg_hdr.msg_iov = &send_pieces_[i];
    sends_[i].msg_hdr.msg_iovlen = 1;
    sends_[i].msg_hdr.msg_namelen = sizeof to_outer_;
  }
}

Result<void> BareLoop::open(const std::string& name) {
  auto tun = io::open_tun(name, 1);
  if (!tun) return Unexpected{tun.error()};
  tun_ = std::move(*tun);
  auto receiver = open_receiver(proto::kProtocolIpv6);
  if (!receiver) return Unexpected{receiver.error()};
  receiver_ = std::move(*receiver);
  auto sender = io::open_packet_send_socket();
  if (!sender) return Unexpected{sender.error()};
  sender_ = std::move(*sender);

  auto take = io::BypassProgram::open(proto::SixInFour::kDemux, 1);
  if (!take) return Unexpected{take.error()};
  bypass_ = std::move(*take);
  if (auto attached = bypass_->attach(next_hop_.interface_index); !attached) return attached;
  auto taken = bypass_->set_endpoints(
      {{.remote = ends_.remote, .local = ends_.local, .protocol = proto::kProtocolIpv6}});
  if (!taken) return taken;

  auto encapsulator = io::EncapsulatorProgram::open(1, 1);
  if (!encapsulator) return Unexpected{encapsulator.error()};
  encapsulator_ = std::move(*encapsulator);
  if (auto attached = encapsulator_->attach(next_hop_.interface_index); !attached) return attached;
  // All super-packets have the same header: the kernel writes the length of each segment.
  const io::EncapsulatorSlots slots = encapsulator_->slots_of(0);
  std::array<std::byte, proto::kIpv4HeaderBytes> header;
  proto::build_ipv4(header, {.source = ends_.local,
                             .destination = ends_.remote,
                             .protocol = proto::kProtocolIpv6,
                             .ttl = 64,
                             .dont_fragment = true,
                             .total_bytes = 0xffff});
  fill(slots.slots[0], header, proto::SixInFour::kGso);
  slots.slots[0].socket_cookie = io::socket_cookie(sender_);
  mark_ = io::control_message(SOL_SOCKET, SO_MARK, slots.first_mark);
  return {};
}

/// Adds the headers to a packet that was read into its slot, and a message that sends it.
void BareLoop::encapsulate(std::size_t index, std::size_t inner_bytes) noexcept {
  Slot& slot = read_slots_[index];
  io::Packet packet{slot, kInner, inner_bytes};
  packet.offload =
      io::read_virtio_header(virtio_at(slot, kInner - kVirtio)).value_or(io::Offload{});
  msghdr& message = sends_[index].msg_hdr;
  const bool is_super_packet = packet.offload.is_super_packet();
  message.msg_name = is_super_packet ? &to_inner_ : &to_outer_;
  message.msg_control = is_super_packet ? mark_.data() : nullptr;
  message.msg_controllen = is_super_packet ? mark_.size() : 0;
  if (!is_super_packet) {
    packet.grow_front(proto::kIpv4HeaderBytes);
    proto::build_ipv4(packet.bytes().first<proto::kIpv4HeaderBytes>(),
                      {.source = ends_.local,
                       .destination = ends_.remote,
                       .protocol = proto::kProtocolIpv6,
                       .ttl = 64,
                       .dont_fragment = true,
                       .total_bytes = static_cast<std::uint16_t>(packet.size())});
  }
  packet.grow_front(ETH_HLEN);
  std::memcpy(packet.bytes().data(), ethernet_.data(), ethernet_.size());
  const std::size_t begin = packet.headroom_bytes() - kVirtio;
  io::write_virtio_header(virtio_at(slot, begin), packet.offload);
  send_pieces_[index] = {.iov_base = slot.data() + begin, .iov_len = kVirtio + packet.size()};
}

// A packet that cannot be sent or written is lost, as in a full queue.
void BareLoop::send(std::size_t count) noexcept {
  for (std::size_t next = 0; next < count;) {
    const int sent =
        ::sendmmsg(sender_.get(), &sends_[next], static_cast<unsigned>(count - next), MSG_DONTWAIT);
    next += sent > 0 ? static_cast<std::size_t>(sent) : 1;
  }
}

std::size_t BareLoop::forward_out() noexcept {
  std::size_t count = 0;
  for (; count < kReads; ++count) {
    constexpr std::size_t kBegin = kInner - kVirtio;
    const ssize_t bytes = ::read(tun_.queues.front().get(), read_slots_[count].data() + kBegin,
                                 sizeof(Slot) - kBegin);
    if (bytes <= static_cast<ssize_t>(kVirtio)) break;
    encapsulate(count, static_cast<std::size_t>(bytes) - kVirtio);
  }
  send(count);
  return count;
}

void BareLoop::write_run() noexcept {
  if (run_.is_empty()) return;
  const auto pieces = run_.finish();
  (void)!::writev(tun_.queues.front().get(), pieces.data(), static_cast<int>(pieces.size()));
  run_.clear();
}

void BareLoop::decapsulate(Slot& slot, std::size_t bytes) noexcept {
  if (bytes <= kInner) return;
  io::Packet packet{slot, kVirtio, bytes - kVirtio};
  packet.offload = io::read_virtio_header(virtio_at(slot, 0)).value_or(io::Offload{});
  packet.trim_front(ETH_HLEN + proto::kIpv4HeaderBytes);
  if (!run_.is_empty() && run_.append(packet.bytes(), packet.offload)) return;
  write_run();
  run_.begin(packet.bytes(), packet.offload);
}

std::size_t BareLoop::forward_in() noexcept {
  const int count =
      ::recvmmsg(receiver_.packets.get(), receives_.data(), kReceives, MSG_DONTWAIT, nullptr);
  if (count <= 0) return 0;
  const auto received = static_cast<std::size_t>(count);
  for (std::size_t i = 0; i < received; ++i) decapsulate(receive_slots_[i], receives_[i].msg_len);
  write_run();
  return received;
}

Result<void> BareLoop::run() noexcept {
  std::array<pollfd, 2> sources{
      {{tun_.queues.front().get(), POLLIN, 0}, {receiver_.packets.get(), POLLIN, 0}}};
  for (;;) {
    const std::size_t out = forward_out();
    const std::size_t in = forward_in();
    if (out != 0 || in != 0) continue;
    if (::poll(sources.data(), sources.size(), -1) < 0 && errno != EINTR)
      return fail(errno, "wait for", "packets");
    if ((sources[0].revents & (POLLERR | POLLNVAL)) != 0) return fail(0, "read", "TUN");
  }
}

}  // namespace

Result<void> run_bare(const std::string& name, const TunnelEndpoints& ends,
                      const io::NextHop& next_hop) {
  io::set_thread_name("bare");
  const auto loop = std::make_unique<BareLoop>(ends, next_hop);
  if (auto opened = loop->open(name); !opened) return opened;
  return loop->run();
}

}  // namespace culvert::bench
