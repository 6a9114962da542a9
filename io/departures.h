// Departures: the batch of what is to be sent and written, in the form in which the kernel takes it
// (msghdr, iovec), and what became of it. Fixed in size; one thread.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <span>

#include "io/cache_line.h"
#include "io/queue.h"
#include "io/sockets.h"

namespace culvert::io {

class Departures {
 public:
  Departures(const QueueSizes& sizes, bool tun_has_virtio_header);

  /// False: the batch is full.
  [[nodiscard]] bool add(const Datagram& datagram) noexcept;
  [[nodiscard]] bool add(const TunPacket& packet) noexcept;

  [[nodiscard]] std::span<const std::span<iovec>> writes() const noexcept {
    return {writes_.data(), write_count_};
  }

  /// Sends all datagrams through a raw socket. Order and results are those of the asking; it never
  /// waits for room.
  void send_all(int socket) noexcept;

  /// Records what became of a write, or of all: 0 or an errno.
  void set_write_result(std::size_t index, int error) noexcept { write_results_[index] = error; }
  void set_write_results(int error) noexcept;

  /// Empties the batch; the results stay until the next add().
  [[nodiscard]] Submitted finish() noexcept;

 private:
  using Pieces = std::array<iovec, 2>;
  using VirtioHeader = std::array<std::byte, kVirtioHeaderBytes>;

  bool tun_has_virtio_header_;
  LineVector<mmsghdr> messages_;
  LineVector<Pieces> pieces_;
  LineVector<sockaddr_in> destinations_;
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
