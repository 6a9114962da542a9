// Packets that follow each other in one flow, written to TUN as one super-packet: the least that
// joining them takes. Nothing is verified: two packets are joined if their headers are the same but
// for what has to differ. For the bare loop; one thread.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "io/offload.h"

namespace culvert::bench {

class BareRun {
 public:
  static constexpr std::size_t kMaxPackets = 64;

  /// Begins with an IPv6 packet. It has room in front for a virtio-net header, and may be changed;
  /// it stays where it is until the run is written, as do all that are taken.
  void begin(std::span<std::byte> first, const io::Offload& offload) noexcept;

  /// False: it is not of this run, which is to be written now.
  [[nodiscard]] bool append(std::span<const std::byte> next, const io::Offload& offload) noexcept;

  /// What writev() takes.
  [[nodiscard]] std::span<const iovec> finish() noexcept;

  [[nodiscard]] bool is_empty() const noexcept { return count_ == 0; }
  void clear() noexcept { count_ = 0; }

 private:
  [[nodiscard]] bool has_same_headers(std::span<const std::byte> next) const noexcept;
  void make_super_packet() noexcept;

  std::span<std::byte> first_;
  io::Offload offload_{};
  std::size_t header_bytes_ = 0;  ///< up to the payload; 0: nothing may join
  std::size_t total_bytes_ = 0;
  std::size_t count_ = 0;
  bool is_tcp_ = false;
  bool is_ended_ = false;
  std::array<iovec, kMaxPackets> pieces_{};
};

}  // namespace culvert::bench
