#include "io/ndp/probe_socket.h"

#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <span>
#include <utility>

#include "io/random.h"
#include "io/socket_options.h"
#include "proto/ethernet.h"
#include "proto/ndp.h"

namespace culvert::io {
namespace {

constexpr std::size_t kHeaderBytes = 4;  // type, code and checksum
constexpr std::uint8_t kHopLimit = 255;  // RFC 4861 7.1

sockaddr_in6 socket_address(const proto::Ipv6Address& address, unsigned interface_index) noexcept {
  sockaddr_in6 result{};
  result.sin6_family = AF_INET6;
  result.sin6_scope_id = interface_index;
  std::memcpy(&result.sin6_addr, address.bytes.data(), address.bytes.size());
  return result;
}

/// `bound_index`: the only interface by which the message may leave; 0: the kernel's route decides.
bool send_to(const Fd& fd, std::span<const std::byte> message, sockaddr_in6 address,
             unsigned bound_index = 0) noexcept {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(in6_pktinfo))> control{};
  iovec part{.iov_base = const_cast<std::byte*>(message.data()), .iov_len = message.size()};
  msghdr header{};
  header.msg_name = &address;
  header.msg_namelen = sizeof address;
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (bound_index != 0) {
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    cmsghdr* const option = CMSG_FIRSTHDR(&header);
    option->cmsg_level = IPPROTO_IPV6;
    option->cmsg_type = IPV6_PKTINFO;
    option->cmsg_len = CMSG_LEN(sizeof(in6_pktinfo));
    in6_pktinfo info{};
    info.ipi6_ifindex = static_cast<decltype(info.ipi6_ifindex)>(bound_index);
    std::memcpy(CMSG_DATA(option), &info, sizeof info);
  }
  return ::sendmsg(fd.get(), &header, MSG_DONTWAIT) > 0;
}

/// The Ethernet address of an interface; nullopt: neighbors are not resolved there.
std::optional<proto::EthernetAddress> ethernet_address(const Fd& fd, unsigned index) noexcept {
  ifreq request{};
  if (::if_indextoname(index, request.ifr_name) == nullptr ||
      ::ioctl(fd.get(), SIOCGIFFLAGS, &request) != 0 || (request.ifr_flags & IFF_NOARP) != 0 ||
      ::ioctl(fd.get(), SIOCGIFHWADDR, &request) != 0 ||
      request.ifr_hwaddr.sa_family != ARPHRD_ETHER)
    return std::nullopt;
  proto::EthernetAddress address;
  std::memcpy(address.bytes.data(), request.ifr_hwaddr.sa_data, address.bytes.size());
  return address;
}

/// A message, and what came with it.
struct Received {
  std::array<std::byte, 256> bytes;
  std::size_t size = 0;
  proto::Ipv6Address source;
  unsigned interface_index = 0;
  int hop_limit = 0;
};

/// False: no more messages are queued.
bool receive_message(const Fd& fd, Received& received) noexcept {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(int))>
      control;
  sockaddr_in6 address{};
  iovec part{.iov_base = received.bytes.data(), .iov_len = received.bytes.size()};
  msghdr header{};
  header.msg_name = &address;
  header.msg_namelen = sizeof address;
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  ssize_t size = 0;
  do {
    size = ::recvmsg(fd.get(), &header, MSG_DONTWAIT);
  } while (size < 0 && errno == EINTR);
  if (size < 0) return false;
  received.size = static_cast<std::size_t>(size);
  std::memcpy(received.source.bytes.data(), &address.sin6_addr, received.source.bytes.size());
  for (cmsghdr* message = CMSG_FIRSTHDR(&header); message != nullptr;
       message = CMSG_NXTHDR(&header, message)) {
    if (message->cmsg_level != IPPROTO_IPV6) continue;
    if (message->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info;
      std::memcpy(&info, CMSG_DATA(message), sizeof info);
      received.interface_index = static_cast<unsigned>(info.ipi6_ifindex);
    } else if (message->cmsg_type == IPV6_HOPLIMIT) {
      std::memcpy(&received.hop_limit, CMSG_DATA(message), sizeof received.hop_limit);
    }
  }
  return true;
}

/// The target of a valid solicited advertisement. RFC 4861 7.1.2; the kernel has verified the
/// checksum.
std::optional<proto::Ipv6Address> advertised(const Received& received) noexcept {
  nd_neighbor_advert message;
  if (received.size < sizeof message || received.hop_limit != kHopLimit) return std::nullopt;
  std::memcpy(&message, received.bytes.data(), sizeof message);
  if (message.nd_na_type != ND_NEIGHBOR_ADVERT || message.nd_na_code != 0 ||
      (message.nd_na_flags_reserved & ND_NA_FLAG_SOLICITED) == 0)
    return std::nullopt;
  proto::Ipv6Address target;
  std::memcpy(target.bytes.data(), &message.nd_na_target, target.bytes.size());
  return target;
}

}  // namespace

Result<ProbeSocket> ProbeSocket::open() {
  const SocketName name{"raw socket", "for ICMPv6 probes"};
  ProbeSocket result;
  result.fd_.reset(::socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMPV6));
  if (!result.fd_) return name.fail(errno, "open");
  icmp6_filter filter;
  ICMP6_FILTER_SETBLOCKALL(&filter);
  ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
  ICMP6_FILTER_SETPASS(ND_NEIGHBOR_ADVERT, &filter);
  if (::setsockopt(result.fd_.get(), IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter) != 0)
    return name.fail(errno, "filter");
  constexpr struct {
    int option, value;
    const char* verb;
  } kOptions[] = {{IPV6_RECVPKTINFO, 1, "set IPV6_RECVPKTINFO of"},
                  {IPV6_RECVHOPLIMIT, 1, "set IPV6_RECVHOPLIMIT of"},
                  {IPV6_MULTICAST_HOPS, kHopLimit, "set IPV6_MULTICAST_HOPS of"},
                  {IPV6_MULTICAST_LOOP, 0, "set IPV6_MULTICAST_LOOP of"}};
  for (const auto& [option, value, verb] : kOptions) {
    if (auto set = set_option(result.fd_, IPPROTO_IPV6, option, value, verb, name); !set)
      return Unexpected{set.error()};
  }
  if (auto filled = fill_random(result.secret_, "ICMPv6 probes"); !filled)
    return Unexpected{filled.error()};
  return result;
}

bool ProbeSocket::send(const Probe& probe) noexcept {
  const bool has_solicited =
      probe.interface_index != 0 && send_solicitation(probe.target, probe.interface_index);
  const bool has_sent = send_echo(probe.target, probe.is_bound ? probe.interface_index : 0);
  return has_sent || has_solicited;
}

bool ProbeSocket::send_echo(const proto::Ipv6Address& target, unsigned bound_index) noexcept {
  std::array<std::byte, kHeaderBytes + Secret{}.size()> message{};
  message[0] = std::byte{ICMP6_ECHO_REQUEST};  // the kernel fills in the checksum
  std::copy(secret_.begin(), secret_.end(), message.begin() + kHeaderBytes);
  return send_to(fd_, message, socket_address(target, 0), bound_index);
}

bool ProbeSocket::send_solicitation(const proto::Ipv6Address& target,
                                    unsigned interface_index) noexcept {
  const auto own = ethernet_address(fd_, interface_index);
  if (!own) return false;
  std::array<std::byte, proto::kNeighborMessageBytes + proto::kLinkLayerOptionBytes> message{};
  message[0] = std::byte{ND_NEIGHBOR_SOLICIT};
  proto::store(message, offsetof(nd_neighbor_solicit, nd_ns_target), target);
  message[proto::kNeighborMessageBytes] = std::byte{ND_OPT_SOURCE_LINKADDR};
  message[proto::kNeighborMessageBytes + 1] = std::byte{proto::kLinkLayerOptionBytes / 8};
  proto::store(message, proto::kNeighborMessageBytes + 2, *own);
  return send_to(fd_, message,
                 socket_address(proto::solicited_node_group(target), interface_index));
}

std::optional<ProbeReply> ProbeSocket::receive() noexcept {
  Received received;
  while (receive_message(fd_, received)) {
    if (const auto target = advertised(received))
      return ProbeReply{*target, received.interface_index, true};
    const bool is_ours =
        received.size >= kHeaderBytes + secret_.size() &&
        received.bytes[0] == std::byte{ICMP6_ECHO_REPLY} &&
        std::equal(secret_.begin(), secret_.end(), received.bytes.begin() + kHeaderBytes);
    if (is_ours) return ProbeReply{received.source, received.interface_index, false};
  }
  return std::nullopt;
}

}  // namespace culvert::io
