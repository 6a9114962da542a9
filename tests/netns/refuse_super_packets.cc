// refuse_super_packets: a library for LD_PRELOAD. writev() of a super-packet to TUN fails with
// EINVAL, as with kernels that refuse a virtio-net header with a gso_type. Only epoll writes that
// way: with io_uring no call goes through the C library.
#include <dlfcn.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstddef>

namespace {

// struct virtio_net_hdr: the kernel's header for it is C only.
constexpr std::size_t kVirtioHeaderBytes = 10;
constexpr std::size_t kGsoTypeOffset = 1;

}  // namespace

extern "C" ssize_t writev(int fd, const iovec* pieces, int count) {
  using Writev = ssize_t (*)(int, const iovec*, int);
  static const auto kernel_writev = reinterpret_cast<Writev>(dlsym(RTLD_NEXT, "writev"));
  if (count > 1 && pieces[0].iov_len == kVirtioHeaderBytes) {
    const auto* header = static_cast<const unsigned char*>(pieces[0].iov_base);
    if (header[kGsoTypeOffset] != 0) {
      errno = EINVAL;
      return -1;
    }
  }
  return kernel_writev(fd, pieces, count);
}
