// refuse_super_packets: a library for LD_PRELOAD. Super-packets fail with EINVAL, as with kernels that
// refuse a virtio-net header with a gso_type: in writev() to TUN, and in sendmmsg() by a packet socket.
// Only epoll writes to TUN that way: with io_uring no write goes through the C library.
#include <dlfcn.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstddef>

namespace {

// struct virtio_net_hdr: the kernel's header for it is C only.
constexpr std::size_t kVirtioHeaderBytes = 10;
constexpr std::size_t kGsoTypeOffset = 1;
constexpr std::size_t kEthernetHeaderBytes = 14;

/// The first piece is a header of `bytes` that begins with a virtio-net header.
bool is_super_packet(const iovec* pieces, std::size_t count, std::size_t bytes) {
  if (count < 2 || pieces[0].iov_len != bytes) return false;
  return static_cast<const unsigned char*>(pieces[0].iov_base)[kGsoTypeOffset] != 0;
}
bool is_super_packet(const msghdr& message) {
  return is_super_packet(message.msg_iov, message.msg_iovlen,
                         kVirtioHeaderBytes + kEthernetHeaderBytes);
}

int refuse() {
  errno = EINVAL;
  return -1;
}

}  // namespace

extern "C" ssize_t writev(int fd, const iovec* pieces, int count) {
  using Writev = ssize_t (*)(int, const iovec*, int);
  static const auto kernel_writev = reinterpret_cast<Writev>(dlsym(RTLD_NEXT, "writev"));
  if (is_super_packet(pieces, static_cast<std::size_t>(count), kVirtioHeaderBytes)) return refuse();
  return kernel_writev(fd, pieces, count);
}

// The kernel sends the messages in front of the first that it refuses.
extern "C" int sendmmsg(int fd, mmsghdr* messages, unsigned count, int flags) {
  using Sendmmsg = int (*)(int, mmsghdr*, unsigned, int);
  static const auto kernel_sendmmsg = reinterpret_cast<Sendmmsg>(dlsym(RTLD_NEXT, "sendmmsg"));
  unsigned accepted = 0;
  while (accepted < count && !is_super_packet(messages[accepted].msg_hdr)) ++accepted;
  return accepted == 0 ? refuse() : kernel_sendmmsg(fd, messages, accepted, flags);
}
