// TxBatch: the batch of datagrams to send and packets to write, in the kernel's form (msghdr,
// iovec), and their results. Its size is fixed. One thread.
#pragma once

#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <span>

#include "io/cache_line.h"
#include "io/control_message.h"
#include "io/packet_io.h"
#include "io/sockets.h"

namespace culvert::io {

class TxBatch {
 public:
  /// Sends with the sockets of `descriptors`, which outlive it.
  TxBatch(const QueueSizes& sizes, const WorkerDescriptors& descriptors);

  /// Adds a datagram, or a packet for TUN. Returns false if the batch is full.
  [[nodiscard]] bool add(const Datagram& datagram) noexcept;
  [[nodiscard]] bool add(const TunPacket& packet) noexcept;

  /// The pieces of each packet for TUN, for writev().
  [[nodiscard]] std::span<const std::span<iovec>> writes() const noexcept {
    return {writes_.data(), write_count_};
  }

  /// Sends all datagrams in the order of add(): those with a next hop with the packet socket, the
  /// others with the raw socket. Records their results. It never waits for buffer space.
  void send_all() noexcept;

  /// Records the result of one write, or of all: 0 or an errno.
  void set_write_result(std::size_t index, int error) noexcept { write_results_[index] = error; }
  void set_write_results(int error) noexcept;

  /// Empties the batch. The results stay valid until the next add().
  [[nodiscard]] Submitted finish() noexcept;

 private:
  /// The headers that the packet socket needs in front of an IP packet.
  struct LinkHeader {
    std::array<std::byte, kVirtioHeaderBytes> virtio;
    std::array<std::byte, 14> ethernet;
  };
  static_assert(sizeof(LinkHeader) == 24 && alignof(LinkHeader) == 1);
  /// The destination of a datagram, in the forms of the raw socket and of the packet socket.
  struct Destination {
    sockaddr_in route;
    sockaddr_ll link;
    LinkHeader header;
    /// The mark of the EncapsulatorSlot with the outer headers (SO_MARK).
    alignas(cmsghdr) ControlMessage<std::uint32_t> mark;
    /// The interface and the source with which the raw socket sends (ip(7), IP_PKTINFO).
    alignas(cmsghdr) ControlMessage<in_pktinfo> interface;
    bool has_interface = false;
    bool is_by_link = false;
  };
  using Pieces = std::array<iovec, 3>;
  using VirtioHeader = std::array<std::byte, kVirtioHeaderBytes>;

  void set_interface(Destination& to, const Datagram& datagram) noexcept;
  void send_by_route(std::size_t index, std::span<const iovec> pieces) noexcept;
  void send_by_link(std::size_t index, const Datagram& datagram) noexcept;
  [[nodiscard]] std::span<const std::byte> fill_slot(std::size_t index,
                                                     const Datagram& datagram) noexcept;
  [[nodiscard]] std::size_t send_run(std::size_t first) noexcept;

  int raw_socket_;
  int packet_socket_;
  EncapsulatorSlots encapsulator_;
  std::size_t slots_used_ = 0;
  bool tun_has_virtio_header_;
  LineVector<mmsghdr> messages_;
  LineVector<Pieces> pieces_;
  LineVector<Destination> destinations_;
  std::size_t send_count_ = 0;
  LineVector<std::span<iovec>> writes_;
  LineVector<VirtioHeader> virtio_headers_;
  LineVector<iovec> slices_;  ///< unused pages are never touched, so not resident
  std::size_t slice_count_ = 0;
  std::size_t write_count_ = 0;
  LineVector<int> send_results_;
  LineVector<int> write_results_;
};

}  // namespace culvert::io
