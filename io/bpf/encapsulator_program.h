// EncapsulatorProgram: a BPF program with which the kernel encapsulates and segments super-packets
// (GSO).
//
// A socket cannot ask for segmentation offload of tunnel packets. A BPF program at tcx egress
// of an interface (Linux 6.6) can: it puts the outer headers in front of an inner super-packet and
// tells the kernel their encapsulation (bpf-helpers(7), bpf_skb_adjust_room). Then the kernel or
// the NIC cuts the packet into segments with these headers. One send carries 64 KiB instead of
// 1,400 bytes.
//
// Do not use it on an interface that passes GSO packets on unsegmented (interface_features.h).
//
// For each super-packet a worker writes the complete headers into one of its slots, in memory that
// the program reads, and sends the inner super-packet with the mark of the slot. The slot is free
// again when the send call has returned. The program changes only packets whose mark and socket
// cookie match the slot, so never a packet of another socket. It is detached with the last
// descriptor of its link.
//
// Set-up: one thread. Slots: only the thread of the worker that owns them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "io/bpf/bpf.h"
#include "io/fd.h"
#include "io/result.h"
#include "proto/encapsulation.h"

namespace culvert::io {

/// The headers that the program puts in front of one super-packet. The program reads this
/// structure, so its layout is fixed.
struct alignas(64) EncapsulatorSlot {
  static constexpr std::size_t kMaxHeaderBytes = 44;

  std::uint64_t socket_cookie = 0;  ///< SO_COOKIE of the packet socket that sends with this slot
  std::uint64_t flags = 0;          ///< flags of bpf_skb_adjust_room
  std::uint32_t header_bytes = 0;   ///< outer header and encapsulation, at most kMaxHeaderBytes
  std::array<std::byte, kMaxHeaderBytes> header{};
};
static_assert(sizeof(EncapsulatorSlot) == 64);

/// The slots of one worker. Slot `i` has the mark first_mark + i (SO_MARK).
struct EncapsulatorSlots {
  std::span<EncapsulatorSlot> slots;
  std::uint32_t first_mark = 0;
};

class EncapsulatorProgram {
 public:
  /// Loads the program, with `slots` slots for each of `workers` workers. Fails with EPERM where
  /// BPF is forbidden, with E2BIG for more than 65,536 slots in total.
  [[nodiscard]] static Result<EncapsulatorProgram> open(std::size_t workers, std::size_t slots);

  /// Attaches the program to an interface, before all other programs, unless it is attached there
  /// (another interface may have taken the index). Fails with EINVAL before Linux 6.6.
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

/// Writes headers into a slot. `header`: the outer IPv4 header and the encapsulation header behind
/// it, 20 to kMaxHeaderBytes bytes. `gso`: not none.
void fill(EncapsulatorSlot& slot, std::span<const std::byte> header, proto::KernelGso gso) noexcept;

}  // namespace culvert::io
