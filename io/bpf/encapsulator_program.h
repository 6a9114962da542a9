// Super-packets that the kernel encapsulates and cuts. There is no segmentation offload for
// protocols 41 and 47 that a socket could ask for, but a BPF program on the way out of an interface
// (tcx, Linux 6.6) may put headers in front of a super-packet and tell the kernel which
// encapsulation they are (bpf-helpers(7), bpf_skb_adjust_room): then the kernel, or the NIC, cuts
// it into segments with these headers. One send takes 64 KiB instead of 1,400 bytes.
//
// An interface that leaves the work to the next one is not for it (interface_features.h).
//
// The headers are whole and ours: for each super-packet a worker writes them into a slot of its
// own, in memory that the program reads, and sends the inner super-packet with the slot's mark. The
// slot is free again when the send call has returned. The program looks at no packet of another
// socket: mark and socket cookie have to fit. It is gone with the last descriptor of its link.
//
// Set-up: one thread. A slot: the worker's that owns it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "io/bpf/bpf.h"
#include "io/fd.h"
#include "io/result.h"

namespace culvert::io {

/// What the program puts in front of one super-packet. Read by the program: its layout is fixed.
struct alignas(64) EncapsulatorSlot {
  static constexpr std::size_t kMaxHeaderBytes = 44;

  std::uint64_t socket_cookie = 0;  ///< SO_COOKIE of the packet socket that sends by this slot
  std::uint64_t flags = 0;          ///< of bpf_skb_adjust_room
  std::uint32_t header_bytes = 0;   ///< outer header and encapsulation, at most kMaxHeaderBytes
  std::array<std::byte, kMaxHeaderBytes> header{};
};
static_assert(sizeof(EncapsulatorSlot) == 64);

/// The slots of one worker, and the mark of the first of them (SO_MARK).
struct EncapsulatorSlots {
  std::span<EncapsulatorSlot> slots;
  std::uint32_t first_mark = 0;
};

class EncapsulatorProgram {
 public:
  /// Loads the program, with `slots` slots for each of `workers`. Fails with EPERM where BPF is
  /// forbidden.
  [[nodiscard]] static Result<EncapsulatorProgram> open(std::size_t workers, std::size_t slots);

  /// Attaches it to an interface, in front of all that is there, if it is not there yet, or no more
  /// (another interface may have got the index). Fails with EINVAL before Linux 6.6.
  [[nodiscard]] Result<void> attach(unsigned interface_index);

  [[nodiscard]] EncapsulatorSlots slots_of(std::size_t worker) noexcept;

 private:
  struct Unmap {
    std::size_t bytes;
    void operator()(EncapsulatorSlot* slots) const noexcept;
  };
  EncapsulatorProgram() = default;

  Fd map_;
  Fd program_;
  std::unique_ptr<EncapsulatorSlot, Unmap> slots_{nullptr, Unmap{0}};
  std::size_t slots_per_worker_ = 0;
  TcxLinks links_{TcxHook::egress};
};

/// Makes a slot say: this outer IPv4 header, and the encapsulation behind it. At most
/// kMaxHeaderBytes.
void fill(EncapsulatorSlot& slot, std::span<const std::byte> header) noexcept;

}  // namespace culvert::io
