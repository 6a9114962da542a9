#include "bench/e2e/single.h"

#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <thread>

#include "bench/e2e/error.h"
#include "bench/e2e/receiver.h"
#include "bench/e2e/rig.h"
#include "io/fd.h"
#include "io/offload.h"
#include "io/raw_socket.h"
#include "io/thread.h"
#include "proto/ipv4.h"

namespace culvert::bench {
namespace {

using Buffer = std::array<std::byte, 65'536>;

Result<io::Fd> open_plain_tun(const std::string& name) {
  io::Fd fd{::open("/dev/net/tun", O_RDWR | O_CLOEXEC)};
  if (!fd) return fail(errno, "open", "/dev/net/tun");
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  if (::ioctl(fd.get(), TUNSETIFF, &request) != 0) return fail(errno, "open TUN", name);
  return fd;
}

/// Our sockets are non-blocking, but this loop needs blocking reads.
Result<void> make_blocking(const io::Fd& fd) {
  const int flags = ::fcntl(fd.get(), F_GETFL);
  if (flags >= 0 && ::fcntl(fd.get(), F_SETFL, flags & ~O_NONBLOCK) == 0) return {};
  return fail(errno, "make blocking", "socket");
}

// A packet that cannot be sent or written is lost, as in a full queue. Only a read error ends the
// loop.
void forward_out(int tun, int socket, const TunnelEndpoints& ends, std::uint8_t ip_protocol) {
  io::set_thread_name("single-out");
  static Buffer buffer;
  sockaddr_in to{};
  to.sin_family = AF_INET;
  std::memcpy(&to.sin_addr, ends.remote.bytes.data(), sizeof to.sin_addr);
  for (;;) {
    const ssize_t count = ::read(tun, buffer.data() + proto::kIpv4HeaderBytes,
                                 buffer.size() - proto::kIpv4HeaderBytes);
    if (count <= 0) return;
    const std::size_t size = proto::kIpv4HeaderBytes + static_cast<std::size_t>(count);
    proto::build_ipv4(std::span{buffer}.first<proto::kIpv4HeaderBytes>(),
                      {.source = ends.local,
                       .destination = ends.remote,
                       .protocol = ip_protocol,
                       .ttl = 64,
                       .dont_fragment = true,
                       .total_bytes = static_cast<std::uint16_t>(size)});
    (void)::sendto(socket, buffer.data(), size, 0, reinterpret_cast<const sockaddr*>(&to),
                   sizeof to);
  }
}

void forward_in(int socket, int tun) {
  io::set_thread_name("single-in");
  static Buffer buffer;
  constexpr std::size_t kInFront = io::kVirtioHeaderBytes + ETH_HLEN;
  for (;;) {
    const ssize_t count = ::recv(socket, buffer.data(), buffer.size(), 0);
    if (count < 0) return;
    if (static_cast<std::size_t>(count) < kInFront) continue;
    const auto frame = std::span{buffer}.first(static_cast<std::size_t>(count));
    const auto outer = proto::parse_ipv4(frame.subspan(kInFront));
    if (!outer) continue;
    (void)!::write(tun, outer->payload.data(), outer->payload.size());
  }
}

}  // namespace

Result<void> run_single(const std::string& name, const TunnelEndpoints& ends,
                        std::uint8_t ip_protocol) {
  const auto tun = open_plain_tun(name);
  if (!tun) return Unexpected{tun.error()};
  const auto sender = io::open_raw_send_socket(kWire);
  if (!sender) return Unexpected{sender.error()};
  const auto receiver = open_receiver(ip_protocol);
  if (!receiver) return Unexpected{receiver.error()};
  for (const io::Fd* socket : {&*sender, &receiver->packets}) {
    if (auto blocking = make_blocking(*socket); !blocking) return blocking;
  }
  std::thread out{forward_out, tun->get(), sender->get(), ends, ip_protocol};
  forward_in(receiver->packets.get(), tun->get());
  return fail(errno, "receive", "packets");  // the process ends, and the other thread with it
}

}  // namespace culvert::bench
