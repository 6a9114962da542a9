// BareRun: the minimal GRO of `bare`. It joins adjacent packets of one flow to one super-packet for
// TUN. It verifies nothing: two packets are joined if their headers are equal except for the fields
// that must differ. One thread.
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

  /// Starts a run with an IPv6 packet. The bytes of all packets stay valid until the run is
  /// written. `first` has headroom for a virtio-net header, and its headers are changed.
  void begin(std::span<std::byte> first, const io::Offload& offload) noexcept;

  /// Adds a packet. Returns false if it does not belong to this run: then write the run first.
  [[nodiscard]] bool append(std::span<const std::byte> next, const io::Offload& offload) noexcept;

  /// The pieces of the super-packet, for writev().
  [[nodiscard]] std::span<const iovec> finish() noexcept;

  [[nodiscard]] bool is_empty() const noexcept { return count_ == 0; }
  void clear() noexcept { count_ = 0; }

 private:
  [[nodiscard]] bool has_same_headers(std::span<const std::byte> next) const noexcept;
  void make_super_packet() noexcept;

  std::span<std::byte> first_;
  io::Offload offload_{};
  std::size_t header_bytes_ = 0;  ///< up to the payload; 0: no packet can be added
  std::size_t total_bytes_ = 0;
  std::size_t count_ = 0;
  bool is_tcp_ = false;
  bool is_ended_ = false;
  std::array<iovec, kMaxPackets> pieces_{};
};

}  // namespace culvert::bench
