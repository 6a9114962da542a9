#include "io/tun.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <thread>

#include "io/interface_name.h"
#include "io/offload.h"

namespace culvert::io {
namespace {

constexpr char kDevicePath[] = "/dev/net/tun";
/// The name of a process that was killed stays in use for a while: the kernel closes the descriptors
/// of a ring in a work queue.
constexpr std::chrono::milliseconds kNameWait{1000};
constexpr std::chrono::milliseconds kNameRetryPeriod{10};
constexpr unsigned kUdpSegmentation = 0x20 | 0x40;  // TUN_F_USO4 and TUN_F_USO6, Linux 6.2

std::string advice_to_open(int code) {
  switch (code) {
    case ENOENT:
      return "/dev/net/tun is missing: `modprobe tun`, or `mkdir -p /dev/net && mknod /dev/net/tun "
             "c "
             "10 200`; in Docker `--device /dev/net/tun`; in LXC allow `c 10:200 rwm` and bind "
             "/dev/net/tun; on OpenVZ have TUN enabled for the container";
    case ENXIO:
    case ENODEV:
      return "the kernel has no TUN driver: `modprobe tun`, on the host if this is a container";
    case EACCES:
    case EPERM:
      return "/dev/net/tun may not be opened here: in Docker `--device /dev/net/tun`; in LXC allow "
             "`c 10:200 rwm`; otherwise its mode or the container's device list forbids it";
    default:
      return {};
  }
}

/// Whether a TUN device of this name stays without a process. False too where sysfs does not show the
/// devices of this network namespace.
bool is_persistent(const std::string& name) {
  unsigned flags = 0;
  std::ifstream{"/sys/class/net/" + name + "/tun_flags"} >> std::hex >> flags;
  return (flags & IFF_PERSIST) != 0;
}

std::string advice_to_create(int code, const std::string& name) {
  switch (code) {
    case EPERM:
      return "needs CAP_NET_ADMIN";
    case EBUSY:
      if (is_persistent(name))
        return "a persistent TUN device of another program has this name and stays until it is "
               "removed: choose another name, or remove it with `ip link delete " +
               name + "`";
      return "the name is in use: choose another, or remove that interface with `ip link delete`";
    case EINVAL:
      return "the kernel takes no such name, or has no multi-queue TUN (before Linux 3.8)";
    case E2BIG:
      return "more queues than the kernel allows for one device";
    default:
      return {};
  }
}

Unexpected<Error> fail(int code, const Tun& tun, std::size_t queue, std::string advice) {
  return {Error{.code = code,
                .operation = tun.link_type == proto::LinkType::ethernet ? "open TAP" : "open TUN",
                .object = tun.name + ", queue " + std::to_string(queue),
                .advice = std::move(advice)}};
}

/// Opens one more queue. The first one creates the device, and `tun` gets the kernel's name.
Result<Fd> open_queue(Tun& tun, std::size_t queue) {
  Fd fd{::open(kDevicePath, O_RDWR | O_NONBLOCK | O_CLOEXEC)};
  if (!fd) return fail(errno, tun, queue, advice_to_open(errno));
  ifreq request{};
  tun.name.copy(request.ifr_name, IFNAMSIZ - 1);
  int flags = tun.link_type == proto::LinkType::ethernet ? IFF_TAP : IFF_TUN;
  flags |= IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE;
  if (queue == 0) flags |= IFF_TUN_EXCL;  // never attach to a device of another program
  request.ifr_flags = static_cast<short>(flags);
  if (::ioctl(fd.get(), TUNSETIFF, &request) != 0) {
    const int code = errno;
    return fail(code, tun, queue, advice_to_create(code, tun.name));
  }
  tun.name = request.ifr_name;
  const int header_bytes = kVirtioHeaderBytes;
  if (::ioctl(fd.get(), TUNSETVNETHDRSZ, &header_bytes) != 0)
    return fail(errno, tun, queue, "it takes no virtio-net header of 10 bytes");
  return fd;
}

/// Creates the device with its first queue. Blocks for up to a second while the name is in use.
Result<Fd> create_device(Tun& tun) {
  const auto deadline = std::chrono::steady_clock::now() + kNameWait;
  for (;;) {
    auto fd = open_queue(tun, 0);
    const bool may_come_free = !fd && fd.error().code == EBUSY && !is_persistent(tun.name);
    if (!may_come_free || std::chrono::steady_clock::now() >= deadline) return fd;
    std::this_thread::sleep_for(kNameRetryPeriod);
  }
}

/// Switches on all offloads that the kernel has: tries the largest set first.
void set_offloads(Tun& tun) {
  constexpr unsigned kTcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
  constexpr std::array kLadder{kTcp | kUdpSegmentation, kTcp, unsigned{TUN_F_CSUM}, 0U};
  for (const unsigned offloads : kLadder) {
    if (::ioctl(tun.queues.front().get(), TUNSETOFFLOAD, static_cast<unsigned long>(offloads)) != 0)
      continue;
    tun.has_uso = (offloads & kUdpSegmentation) != 0;
    return;
  }
}

}  // namespace

Result<Tun> open_tun(const std::string& name, std::size_t queue_count, proto::LinkType link_type,
                     bool offload) {
  Tun tun;
  tun.name = name;
  tun.link_type = link_type;
  if (!is_interface_name(name))
    return fail(EINVAL, tun, 0, "a device name has 1 to 15 bytes, no space, no '/' and no ':'");
  for (std::size_t queue = 0; queue < queue_count; ++queue) {
    auto fd = queue == 0 ? create_device(tun) : open_queue(tun, queue);
    if (!fd) return Unexpected{fd.error()};
    tun.queues.push_back(std::move(*fd));
  }
  if (offload) set_offloads(tun);
  tun.index = ::if_nametoindex(tun.name.c_str());
  return tun;
}

bool is_deleted(const Fd& queue) noexcept {
  ifreq request{};
  return ::ioctl(queue.get(), TUNGETIFF, &request) != 0 && errno == EBADFD;
}

}  // namespace culvert::io
