// TxBatch: the batch of what is to be sent and written, in the form in which the kernel takes it
// (msghdr, iovec), and what became of it. Fixed in size; one thread.
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
  /// Sends by the sockets of `descriptors`, which outlive it.
  TxBatch(const QueueSizes& sizes, const WorkerDescriptors& descriptors);

  /// False: the batch is full.
  [[nodiscard]] bool add(const Datagram& datagram) noexcept;
  [[nodiscard]] bool add(const TunPacket& packet) noexcept;

  [[nodiscard]] std::span<const std::span<iovec>> writes() const noexcept {
    return {writes_.data(), write_count_};
  }

  /// Sends all datagrams: those with a next hop by the packet socket, the others by the raw socket.
  /// Order and results are those of the asking; it never waits for room.
  void send_all() noexcept;

  /// Records what became of a write, or of all: 0 or an errno.
  void set_write_result(std::size_t index, int error) noexcept { write_results_[index] = error; }
  void set_write_results(int error) noexcept;

  /// Empties the batch; the results stay until the next add().
  [[nodiscard]] Submitted finish() noexcept;

 private:
  /// What the packet socket wants in front of an IP packet.
  struct LinkHeader {
    std::array<std::byte, kVirtioHeaderBytes> virtio;
    std::array<std::byte, 14> ethernet;
  };
  static_assert(sizeof(LinkHeader) == 24 && alignof(LinkHeader) == 1);
  /// Where a datagram goes, in the form of the raw socket and of the packet socket.
  struct Destination {
    sockaddr_in route;
    sockaddr_ll link;
    LinkHeader header;
    /// That tells the encapsulator's program which headers it is to put in front (SO_MARK).
    alignas(cmsghdr) ControlMessage<std::uint32_t> mark;
    /// By which interface the raw socket is to send, and from which source (ip(7), IP_PKTINFO).
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
  LineVector<iovec> slices_;  ///< untouched, so not resident, as far as it is not used
  std::size_t slice_count_ = 0;
  std::size_t write_count_ = 0;
  LineVector<int> send_results_;
  LineVector<int> write_results_;
};

}  // namespace culvert::io
