#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/uio.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <random>
#include <span>
#include <vector>

#include "bench/e2e/error.h"
#include "bench/e2e/load.h"
#include "proto/byte_order.h"
#include "proto/checksum.h"
#include "proto/ipv6.h"
#include "proto/udp.h"

namespace culvert::bench {
namespace {

constexpr std::size_t kBatch = 64;
constexpr std::size_t kHeaderBytes = proto::kIpv6HeaderBytes + proto::kUdpHeaderBytes;
constexpr std::size_t kDestinationOffset = 24;               // in a packet
constexpr std::size_t kNetworkOffset = 6, kHostOffset = 12;  // in an address

Result<io::Fd> open_socket() {
  io::Fd socket{::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)};
  if (!socket) return fail(errno, "open", "packet socket", "needs CAP_NET_RAW");
  const int one = 1;
  (void)::setsockopt(socket.get(), SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one);
  return socket;
}

sockaddr_ll by_device(const std::string& device) {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_IPV6);
  address.sll_ifindex = static_cast<int>(::if_nametoindex(device.c_str()));
  return address;
}

proto::Ipv6Address address_of(const sockaddr_in6& socket_address) noexcept {
  proto::Ipv6Address address;
  std::memcpy(address.bytes.data(), &socket_address.sin6_addr, address.bytes.size());
  return address;
}

/// A batch of whole packets in one buffer.
class Packets {
 public:
  Packets(const SpreadEndpoints& ends, const Datagrams& config);
  Packets(const Packets&) = delete;  // the messages point into this object
  Packets& operator=(const Packets&) = delete;

  /// Writes new destinations, and sequence numbers from `first` on.
  void renew(std::uint64_t first) noexcept;
  /// Sends the batch. Packets that do not fit in the queue are skipped.
  Result<void> send(const io::Fd& socket) noexcept;

 private:
  [[nodiscard]] std::span<std::byte> packet(std::size_t index) noexcept {
    return std::span{bytes_}.subspan(index * packet_bytes_, packet_bytes_);
  }
  [[nodiscard]] proto::Ipv6Address destination() noexcept;

  Spread spread_;
  std::size_t packet_bytes_;
  sockaddr_ll device_;
  proto::Ipv6Address from_, first_;
  std::vector<std::byte> bytes_;
  std::array<iovec, kBatch> pieces_{};
  std::array<mmsghdr, kBatch> messages_{};
  std::mt19937_64 random_;  // the same sequence in every run
};

Packets::Packets(const SpreadEndpoints& ends, const Datagrams& config)
    : spread_(*config.spread),
      packet_bytes_(kHeaderBytes + config.payload_bytes),
      device_(by_device(ends.device)),
      from_(address_of(ends.from)),
      first_(address_of(ends.to)),
      bytes_(kBatch * packet_bytes_) {
  constexpr std::uint8_t kHopLimit = 64;
  const auto datagram_bytes = static_cast<std::uint16_t>(packet_bytes_ - proto::kIpv6HeaderBytes);
  for (std::size_t i = 0; i < kBatch; ++i) {
    proto::build_ipv6(packet(i).first<proto::kIpv6HeaderBytes>(),
                      {.source = from_,
                       .destination = first_,
                       .next_header = IPPROTO_UDP,
                       .hop_limit = kHopLimit,
                       .payload_bytes = datagram_bytes});
    const auto datagram = packet(i).subspan(proto::kIpv6HeaderBytes);
    proto::store_be16(datagram, 0, ntohs(ends.from.sin6_port));
    proto::store_be16(datagram, 2, ntohs(ends.to.sin6_port));
    proto::store_be16(datagram, 4, datagram_bytes);
    pieces_[i] = {.iov_base = packet(i).data(), .iov_len = packet_bytes_};
    messages_[i].msg_hdr.msg_iov = &pieces_[i];
    messages_[i].msg_hdr.msg_iovlen = 1;
    messages_[i].msg_hdr.msg_name = &device_;
    messages_[i].msg_hdr.msg_namelen = sizeof device_;
  }
}

proto::Ipv6Address Packets::destination() noexcept {
  const std::uint64_t random = random_();
  const auto network = static_cast<std::uint16_t>(random % spread_.networks);
  const auto host = static_cast<std::uint32_t>((random >> 32) % spread_.hosts);
  proto::Ipv6Address to = first_;
  proto::store_be16(
      to.bytes, kNetworkOffset,
      static_cast<std::uint16_t>(proto::load_be16(first_.bytes, kNetworkOffset) + network));
  proto::store(to.bytes, kHostOffset,
               proto::Be32::from_host(proto::load_be32(first_.bytes, kHostOffset) + host));
  return to;
}

void Packets::renew(std::uint64_t first) noexcept {
  for (std::size_t i = 0; i < kBatch; ++i) {
    const proto::Ipv6Address to = destination();
    proto::store(packet(i), kDestinationOffset, to);
    proto::store(packet(i), kHeaderBytes, first + i);
    const auto datagram = packet(i).subspan(proto::kIpv6HeaderBytes);
    proto::store_be16(datagram, proto::kUdpChecksumOffset, 0);
    const auto sum = proto::pseudo_header_sum(from_, to, IPPROTO_UDP,
                                              static_cast<std::uint32_t>(datagram.size())) +
                     proto::sum(datagram);
    const proto::Be16 checksum = proto::finish(sum);
    // 0 would mean that there is no checksum (RFC 8200 8.1).
    proto::store(datagram, proto::kUdpChecksumOffset,
                 checksum.wire() == 0 ? proto::Be16::from_wire(0xffff) : checksum);
  }
}

Result<void> Packets::send(const io::Fd& socket) noexcept {
  for (std::size_t done = 0; done < kBatch;) {
    const int count =
        ::sendmmsg(socket.get(), &messages_[done], static_cast<unsigned>(kBatch - done), 0);
    if (count < 0 && errno != ENOBUFS && errno != EAGAIN && errno != EINTR)
      return fail(errno, "send", "UDP");
    done += static_cast<std::size_t>(std::max(count, 1));
  }
  return {};
}

}  // namespace

Result<void> send_spread(const SpreadEndpoints& ends, const Datagrams& config, Flow& flow) {
  const auto socket = open_socket();
  if (!socket) return Unexpected{socket.error()};
  Packets packets{ends, config};
  constexpr timespec kHeld{0, 1'000'000};
  const timespec rest{0, static_cast<long>(config.interval.count())};
  for (std::uint64_t sent = 0; !flow.stopped();) {
    if (flow.hold.load(std::memory_order_relaxed)) {
      ::nanosleep(&kHeld, nullptr);
      continue;
    }
    packets.renew(sent);
    if (auto done = packets.send(*socket); !done) return done;
    sent += kBatch;
    flow.sent.store(sent, std::memory_order_relaxed);
    if (rest.tv_nsec > 0) ::nanosleep(&rest, nullptr);
  }
  return {};
}

}  // namespace culvert::bench
