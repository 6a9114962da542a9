#include "bench/e2e/echo.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <ctime>
#include <variant>

#include "bench/e2e/error.h"
#include "bench/e2e/stop.h"

namespace culvert::bench {
namespace {

using std::chrono::nanoseconds;

constexpr std::size_t kPayloadBytes = 56;  // as ping

/// An echo request or reply, of either IP version.
struct Message {
  std::uint8_t type = 0;
  std::uint8_t code = 0;
  std::uint16_t checksum = 0;    // by the kernel
  std::uint16_t identifier = 0;  // by the kernel: the port of the socket
  std::uint16_t sequence = 0;
  std::array<std::byte, kPayloadBytes> payload{};
};

/// Echo of one IP version.
struct Version {
  int family;
  int protocol;
  std::uint8_t request_type;
};
Version version_of(const proto::Ipv6Address&) {
  return {AF_INET6, IPPROTO_ICMPV6, ICMP6_ECHO_REQUEST};
}
Version version_of(const proto::Ipv4Address&) { return {AF_INET, IPPROTO_ICMP, ICMP_ECHO}; }

sockaddr_in6 to_sockaddr(const proto::Ipv6Address& address) {
  sockaddr_in6 result{};
  result.sin6_family = AF_INET6;
  std::memcpy(&result.sin6_addr, address.bytes.data(), sizeof result.sin6_addr);
  return result;
}
sockaddr_in to_sockaddr(const proto::Ipv4Address& address) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  std::memcpy(&result.sin_addr, address.bytes.data(), sizeof result.sin_addr);
  return result;
}

nanoseconds to_duration(const timespec& time) {
  return std::chrono::seconds{time.tv_sec} + nanoseconds{time.tv_nsec};
}

nanoseconds now() {  // the clock of the kernel's timestamps
  timespec time{};
  ::clock_gettime(CLOCK_REALTIME, &time);
  return to_duration(time);
}

/// Opens a ping socket: the kernel passes to it only the replies to its own requests.
template <class Address>
Result<io::Fd> open_socket(const Address& to) {
  const auto [family, protocol, request_type] = version_of(to);
  io::Fd socket{::socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol)};
  if (!socket) return fail(errno, "open", "ping socket");
  const int one = 1;
  const auto address = to_sockaddr(to);
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one) != 0 ||
      ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail(errno, "set up", "ping socket");
  return socket;
}

/// Reads one packet. The arrival time if it is the reply to this request; otherwise empty.
std::optional<nanoseconds> read_reply(int socket, std::uint16_t sequence) {
  Message reply;
  iovec piece{.iov_base = &reply, .iov_len = sizeof reply};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(timespec))> control{};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (::recvmsg(socket, &message, 0) < static_cast<ssize_t>(offsetof(Message, payload))) return {};
  if (reply.sequence != htons(sequence)) return {};
  for (cmsghdr* item = CMSG_FIRSTHDR(&message); item; item = CMSG_NXTHDR(&message, item)) {
    if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_TIMESTAMPNS) continue;
    timespec time{};
    std::memcpy(&time, CMSG_DATA(item), sizeof time);
    return to_duration(time);
  }
  return now();
}

}  // namespace

Result<Echo> Echo::open(const Namespace& near, const InnerAddress& to) {
  const auto open_to = [&near](const auto& address) -> Result<Echo> {
    auto socket = near.inside([&] { return open_socket(address); });
    if (!socket) return Unexpected{socket.error()};
    return Echo{std::move(*socket), version_of(address).request_type};
  };
  return std::visit(open_to, to);
}

Result<std::optional<nanoseconds>> Echo::measure(std::chrono::milliseconds timeout) {
  using Answer = std::optional<nanoseconds>;
  Message request{.type = request_type_, .sequence = htons(++sequence_)};
  const nanoseconds start = now();
  if (::send(socket_.get(), &request, sizeof request, 0) < 0) {
    // The tunnel is not up yet, or its queue is full: there will be no reply.
    if (auto paused = pause(std::chrono::milliseconds{10}); !paused)
      return Unexpected{paused.error()};
    return Answer{};
  }
  for (;;) {
    const nanoseconds left = start + timeout - now();
    if (left <= nanoseconds{0}) return Answer{};
    pollfd readable{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    const timespec limit{.tv_sec = 0, .tv_nsec = static_cast<long>(left.count() % 1'000'000'000)};
    (void)::ppoll(&readable, 1, &limit, nullptr);
    if (auto going_on = check_stopped(); !going_on) return Unexpected{going_on.error()};
    if (const auto time = read_reply(socket_.get(), sequence_)) return Answer{*time - start};
  }
}

}  // namespace culvert::bench
