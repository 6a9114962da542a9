#include "io/ndp/echo_socket.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "io/random.h"
#include "io/socket_options.h"

namespace culvert::io {
namespace {

constexpr std::size_t kHeaderBytes = 4;  // type, code and checksum

}  // namespace

Result<EchoSocket> EchoSocket::open() {
  const SocketName name{"raw socket", "for ICMPv6 echo"};
  EchoSocket result;
  result.fd_.reset(::socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMPV6));
  if (!result.fd_) return name.fail(errno, "open");
  icmp6_filter filter;
  ICMP6_FILTER_SETBLOCKALL(&filter);
  ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
  if (::setsockopt(result.fd_.get(), IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter) != 0)
    return name.fail(errno, "filter");
  if (auto enabled = set_option(result.fd_, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1,
                                "set IPV6_RECVPKTINFO of", name);
      !enabled)
    return Unexpected{enabled.error()};
  if (auto filled = fill_random(result.secret_, "ICMPv6 echo"); !filled)
    return Unexpected{filled.error()};
  return result;
}

bool EchoSocket::send(const proto::Ipv6Address& target) noexcept {
  std::array<std::byte, kHeaderBytes + Secret{}.size()> message{};
  message[0] = std::byte{ICMP6_ECHO_REQUEST};  // the kernel fills in the checksum
  std::copy(secret_.begin(), secret_.end(), message.begin() + kHeaderBytes);
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  std::memcpy(&address.sin6_addr, target.bytes.data(), target.bytes.size());
  return ::sendto(fd_.get(), message.data(), message.size(), MSG_DONTWAIT,
                  reinterpret_cast<const sockaddr*>(&address), sizeof address) > 0;
}

std::optional<EchoReply> EchoSocket::receive() noexcept {
  for (;;) {
    std::array<std::byte, 64> echo;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(in6_pktinfo))> control;
    sockaddr_in6 address{};
    iovec part{.iov_base = echo.data(), .iov_len = echo.size()};
    msghdr header{};
    header.msg_name = &address;
    header.msg_namelen = sizeof address;
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    const auto size = ::recvmsg(fd_.get(), &header, MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return {};
    if (static_cast<std::size_t>(size) < kHeaderBytes + secret_.size() ||
        !std::equal(secret_.begin(), secret_.end(), echo.begin() + kHeaderBytes))
      continue;
    EchoReply reply;
    std::memcpy(reply.source.bytes.data(), &address.sin6_addr, reply.source.bytes.size());
    for (cmsghdr* message = CMSG_FIRSTHDR(&header); message != nullptr;
         message = CMSG_NXTHDR(&header, message)) {
      if (message->cmsg_level != IPPROTO_IPV6 || message->cmsg_type != IPV6_PKTINFO) continue;
      in6_pktinfo info;
      std::memcpy(&info, CMSG_DATA(message), sizeof info);
      reply.interface_index = static_cast<unsigned>(info.ipi6_ifindex);
    }
    return reply;
  }
}

}  // namespace culvert::io
