#include "bench/e2e/echo.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "bench/e2e/error.h"
#include "bench/e2e/stop.h"

namespace culvert::bench {
namespace {

using std::chrono::nanoseconds;

constexpr std::size_t kPayloadBytes = 56;  // as ping

struct Request {
  icmp6_hdr header{};
  std::array<std::byte, kPayloadBytes> payload{};
};

std::uint16_t identifier() { return static_cast<std::uint16_t>(::getpid()); }

nanoseconds to_duration(const timespec& time) {
  return std::chrono::seconds{time.tv_sec} + nanoseconds{time.tv_nsec};
}

nanoseconds now() {  // the clock of the kernel's timestamps
  timespec time{};
  ::clock_gettime(CLOCK_REALTIME, &time);
  return to_duration(time);
}

Result<io::Fd> open_socket(const proto::Ipv6Address& to) {
  io::Fd socket{::socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMPV6)};
  if (!socket) return fail(errno, "open", "ICMPv6 socket", "needs CAP_NET_RAW");
  icmp6_filter filter{};
  ICMP6_FILTER_SETBLOCKALL(&filter);
  ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
  const int one = 1;
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  std::memcpy(&address.sin6_addr, to.bytes.data(), sizeof address.sin6_addr);
  if (::setsockopt(socket.get(), IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter) != 0 ||
      ::setsockopt(socket.get(), SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one) != 0 ||
      ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail(errno, "set up", "ICMPv6 socket");
  return socket;
}

/// Reads one packet. The arrival time if it is the reply to this request; otherwise empty.
std::optional<nanoseconds> read_reply(int socket, std::uint16_t sequence) {
  Request reply;
  iovec piece{.iov_base = &reply, .iov_len = sizeof reply};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(timespec))> control{};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (::recvmsg(socket, &message, 0) < static_cast<ssize_t>(sizeof reply.header)) return {};
  if (reply.header.icmp6_id != identifier() || reply.header.icmp6_seq != htons(sequence)) return {};
  for (cmsghdr* item = CMSG_FIRSTHDR(&message); item; item = CMSG_NXTHDR(&message, item)) {
    if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_TIMESTAMPNS) continue;
    timespec time{};
    std::memcpy(&time, CMSG_DATA(item), sizeof time);
    return to_duration(time);
  }
  return now();
}

}  // namespace

Result<Echo> Echo::open(const Namespace& near, const proto::Ipv6Address& to) {
  auto socket = near.inside([&] { return open_socket(to); });
  if (!socket) return Unexpected{socket.error()};
  return Echo{std::move(*socket)};
}

Result<std::optional<nanoseconds>> Echo::measure(std::chrono::milliseconds timeout) {
  using Answer = std::optional<nanoseconds>;
  Request request;
  request.header.icmp6_type = ICMP6_ECHO_REQUEST;
  request.header.icmp6_id = identifier();
  request.header.icmp6_seq = htons(++sequence_);
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
