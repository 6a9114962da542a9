#include "io/bpf/encapsulator_program.h"

#include <linux/if_ether.h>
#include <sys/mman.h>

#include <cassert>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>
#include <utility>

#include "io/bpf/bpf.h"
#include "proto/byte_order.h"
#include "proto/ipv4.h"
#include "proto/tcp_fields.h"

namespace culvert::io {
namespace {

// The upper half of our marks; the lower half is the slot. The socket cookie distinguishes our
// packets from others that have such a mark.
constexpr std::uint32_t kMark = 0x4516;
constexpr std::size_t kMaxSlots = 0x1'0000;

constexpr int kNext = -1, kDrop = 2;  // TCX_NEXT and TCX_DROP, newer than the headers of Debian 12
constexpr int kMarkOffset = offsetof(__sk_buff, mark);

constexpr int kPacket = BPF_REG_6, kSlot = BPF_REG_7, kHeaderBytes = BPF_REG_8;

/// Finds the slot of one of our packets. Passes every other packet on unchanged.
void find_slot(bpf::Text& text, int map) {
  using namespace bpf;
  text.add(compute_with(BPF_MOV, kPacket, BPF_REG_1));
  text.add(load(BPF_W, BPF_REG_3, kPacket, kMarkOffset));
  text.add(compute_with(BPF_MOV, BPF_REG_2, BPF_REG_3));
  text.add(compute(BPF_RSH, BPF_REG_2, 16));
  text.leave_unless(jump_if(BPF_JEQ, BPF_REG_2, kMark, 2), kNext);
  text.add(compute(BPF_AND, BPF_REG_3, 0xffff));
  text.add(store(BPF_W, BPF_REG_10, -4, BPF_REG_3));
  text.add(compute_with(BPF_MOV, BPF_REG_2, BPF_REG_10));
  text.add(compute(BPF_ADD, BPF_REG_2, -4));
  text.add(load_map(BPF_REG_1, map));
  text.add(load_map_end());
  text.add(call(BPF_FUNC_map_lookup_elem));
  text.leave_unless(jump_if(BPF_JNE, BPF_REG_0, 0, 2), kNext);
  text.add(compute_with(BPF_MOV, kSlot, BPF_REG_0));
  text.add(compute_with(BPF_MOV, BPF_REG_1, kPacket));
  text.add(call(BPF_FUNC_get_socket_cookie));
  text.leave_unless(jump_if(BPF_JNE, BPF_REG_0, 0, 2), kNext);  // forwarded: no socket
  text.add(load(BPF_DW, BPF_REG_1, kSlot, offsetof(EncapsulatorSlot, socket_cookie)));
  text.leave_unless(jump_if_with(BPF_JEQ, BPF_REG_0, BPF_REG_1, 2), kNext);
  text.add(compute(BPF_MOV, BPF_REG_1, 0));  // clear the mark: later programs must not see it
  text.add(store(BPF_W, kPacket, kMarkOffset, BPF_REG_1));
}

/// Inserts the slot's headers between the Ethernet header and the inner header.
void put_headers(bpf::Text& text) {
  using namespace bpf;
  text.add(load(BPF_W, kHeaderBytes, kSlot, offsetof(EncapsulatorSlot, header_bytes)));
  text.leave_unless(jump_if(BPF_JGE, kHeaderBytes, proto::kIpv4HeaderBytes, 2), kDrop);
  text.leave_unless(jump_if(BPF_JLE, kHeaderBytes, EncapsulatorSlot::kMaxHeaderBytes, 2), kDrop);
  text.add(compute_with(BPF_MOV, BPF_REG_1, kPacket));
  text.add(compute_with(BPF_MOV, BPF_REG_2, kHeaderBytes));
  text.add(compute(BPF_MOV, BPF_REG_3, BPF_ADJ_ROOM_MAC));
  text.add(load(BPF_DW, BPF_REG_4, kSlot, offsetof(EncapsulatorSlot, flags)));
  text.add(call(BPF_FUNC_skb_adjust_room));
  text.leave_unless(jump_if(BPF_JEQ, BPF_REG_0, 0, 2), kDrop);
  text.add(compute_with(BPF_MOV, BPF_REG_1, kPacket));
  text.add(compute(BPF_MOV, BPF_REG_2, ETH_HLEN));
  text.add(compute_with(BPF_MOV, BPF_REG_3, kSlot));
  text.add(compute(BPF_ADD, BPF_REG_3, offsetof(EncapsulatorSlot, header)));
  text.add(compute_with(BPF_MOV, BPF_REG_4, kHeaderBytes));
  text.add(compute(BPF_MOV, BPF_REG_5, 0));
  text.add(call(BPF_FUNC_skb_store_bytes));
  text.leave_unless(jump_if(BPF_JEQ, BPF_REG_0, 0, 2), kDrop);
  text.add(compute(BPF_MOV, BPF_REG_0, kNext));
  text.add(exit());
}

}  // namespace

void EncapsulatorProgram::Unmap::operator()(EncapsulatorSlot* slots) const noexcept {
  ::munmap(slots, bytes);
}

Result<EncapsulatorProgram> EncapsulatorProgram::open(std::size_t workers, std::size_t slots) {
  const std::size_t count = workers * slots;
  const auto fail = [&](int code, const char* advice) {
    return Unexpected{Error{.code = code,
                            .operation = "open slots of",
                            .object = "the encapsulator program",
                            .advice = advice}};
  };
  if (count > kMaxSlots) return fail(E2BIG, "more workers than a mark can tell apart");
  EncapsulatorProgram program;
  program.slots_per_worker_ = slots;
  auto map = create_array_map(sizeof(EncapsulatorSlot), static_cast<std::uint32_t>(count),
                              "culvert_slots", BPF_F_MMAPABLE);
  if (!map) return Unexpected{map.error()};
  program.map_ = std::move(*map);
  const std::size_t bytes = count * sizeof(EncapsulatorSlot);
  void* const memory =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, program.map_.get(), 0);
  if (memory == MAP_FAILED) return fail(errno, "");
  program.slots_ = {static_cast<EncapsulatorSlot*>(memory), Unmap{bytes}};
  bpf::Text text;
  find_slot(text, program.map_.get());
  put_headers(text);
  auto loaded = load_program(BPF_PROG_TYPE_SCHED_CLS, text.instructions(), "culvert_encap");
  if (!loaded) return Unexpected{loaded.error()};
  program.program_ = std::move(*loaded);
  return program;
}

Result<void> EncapsulatorProgram::attach(unsigned interface_index) {
  return links_.attach(program_, interface_index);
}

EncapsulatorSlots EncapsulatorProgram::slots_of(std::size_t worker) noexcept {
  const std::size_t first = worker * slots_per_worker_;
  return {.slots = {slots_.get() + first, slots_per_worker_},
          .first_mark = kMark << 16 | static_cast<std::uint32_t>(first)};
}

void fill(EncapsulatorSlot& slot, std::span<const std::byte> header,
          proto::KernelGso gso) noexcept {
  assert(gso != proto::KernelGso::none && header.size() >= proto::kIpv4HeaderBytes &&
         header.size() <= EncapsulatorSlot::kMaxHeaderBytes);
  // The segment size already leaves space for our headers: the kernel must not reduce it.
  slot.flags = BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_ENCAP_L3_IPV4;
  if (gso == proto::KernelGso::gre) slot.flags |= BPF_F_ADJ_ROOM_ENCAP_L4_GRE;
  slot.header_bytes = static_cast<std::uint32_t>(header.size());
  std::memcpy(slot.header.data(), header.data(), header.size());
}

}  // namespace culvert::io
