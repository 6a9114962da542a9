// BPF programs and their maps by the bpf() system call: load what is written by hand in
// instructions, which leaves no trace but the descriptors: a program goes with the last of them.
// Any thread. Where bpf() is refused (containers, mostly) the error says so, with EPERM; whoever
// asks has a way without it.
#pragma once

#include <linux/bpf.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string_view>
#include <vector>

#include "io/fd.h"
#include "io/result.h"

namespace culvert::io {

/// Loads a program. `name`: at most 15 bytes, what bpftool shows. What the verifier has against it
/// is in the advice of the error: its last line. It is under the MIT license, as all of this, so
/// helpers for GPL programs alone are not for it.
[[nodiscard]] Result<Fd> load_program(bpf_prog_type type, std::span<const bpf_insn> instructions,
                                      std::string_view name);

/// Creates an array of `entries` values, all zero, the keys of which are their indices. `flags`:
/// BPF_F_MMAPABLE, if the values are to be written as memory.
[[nodiscard]] Result<Fd> create_array_map(std::uint32_t value_bytes, std::uint32_t entries,
                                          std::string_view name, std::uint32_t flags = 0);

/// Creates a hash table without values but one byte: a set of keys.
[[nodiscard]] Result<Fd> create_set(std::uint32_t key_bytes, std::uint32_t entries,
                                    std::string_view name);
/// Adds a key to a set, or does nothing if it is there.
[[nodiscard]] Result<void> add_key(const Fd& set, std::span<const std::byte> key);
/// Removes a key from a set, if it is there.
void remove_key(const Fd& set, std::span<const std::byte> key) noexcept;

/// Replaces the value at `index`. `value`: as many bytes as the map's values have.
[[nodiscard]] Result<void> update_element(const Fd& map, std::uint32_t index,
                                          std::span<const std::byte> value);

/// Attaches a BPF_PROG_TYPE_SCHED_CLS program to what enters or leaves an interface (tcx,
/// Linux 6.6): on the way in behind the programs that are there, on the way out in front of them,
/// so that others see packets as they are on the wire. It is detached when the link that is
/// returned is closed.
enum class TcxHook : std::uint32_t { ingress = 46, egress = 47 };  // BPF_TCX_INGRESS, _EGRESS
[[nodiscard]] Result<Fd> attach(const Fd& program, TcxHook hook, unsigned interface_index);
/// Whether such a link holds still. It does not once the interface has gone, or has moved to
/// another namespace, or somebody has detached it; another interface may have the index since.
[[nodiscard]] bool is_attached(const Fd& link, unsigned interface_index) noexcept;

/// The links of one program, by interface. They hold as long as this lives.
class TcxLinks {
 public:
  explicit TcxLinks(TcxHook hook) noexcept : hook_(hook) {}
  /// Attaches the program, if it is not there yet or no longer.
  [[nodiscard]] Result<void> attach(const Fd& program, unsigned interface_index);

 private:
  TcxHook hook_;
  std::map<unsigned, Fd> links_;
};

/// Instructions, by what they do. Registers are BPF_REG_0 to BPF_REG_10; `width` is BPF_B, BPF_H,
/// BPF_W or BPF_DW; `offset` of a jump counts the instructions that are jumped over.
namespace bpf {

constexpr bpf_insn instruction(int code, int destination, int source, int offset,
                               std::int32_t immediate) noexcept {
  bpf_insn made{};
  made.code = static_cast<std::uint8_t>(code);
  made.dst_reg = static_cast<std::uint8_t>(destination) & 0xf;
  made.src_reg = static_cast<std::uint8_t>(source) & 0xf;
  made.off = static_cast<std::int16_t>(offset);
  made.imm = immediate;
  return made;
}

/// `operation`: BPF_MOV, BPF_ADD, BPF_AND ... on 64 bits.
constexpr bpf_insn compute(int operation, int destination, std::int32_t immediate) noexcept {
  return instruction(BPF_ALU64 | BPF_K | operation, destination, 0, 0, immediate);
}
constexpr bpf_insn compute_with(int operation, int destination, int source) noexcept {
  return instruction(BPF_ALU64 | BPF_X | operation, destination, source, 0, 0);
}
/// destination = *(source + offset)
constexpr bpf_insn load(int width, int destination, int source, int offset) noexcept {
  return instruction(BPF_LDX | BPF_MEM | width, destination, source, offset, 0);
}
/// *(destination + offset) = source
constexpr bpf_insn store(int width, int destination, int offset, int source) noexcept {
  return instruction(BPF_STX | BPF_MEM | width, destination, source, offset, 0);
}
/// Jumps if `destination` compares so (BPF_JEQ, BPF_JNE, BPF_JGT ...) with the immediate.
constexpr bpf_insn jump_if(int comparison, int destination, std::int32_t immediate,
                           int offset) noexcept {
  return instruction(BPF_JMP | BPF_K | comparison, destination, 0, offset, immediate);
}
constexpr bpf_insn jump_if_with(int comparison, int destination, int source, int offset) noexcept {
  return instruction(BPF_JMP | BPF_X | comparison, destination, source, offset, 0);
}
constexpr bpf_insn jump(int offset) noexcept {
  return instruction(BPF_JMP | BPF_JA, 0, 0, offset, 0);
}
/// Calls a helper (BPF_FUNC_*): arguments in registers 1 to 5, which are lost; result in 0.
constexpr bpf_insn call(bpf_func_id helper) noexcept {
  return instruction(BPF_JMP | BPF_CALL, 0, 0, 0, static_cast<std::int32_t>(helper));
}
constexpr bpf_insn exit() noexcept { return instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0); }

/// A map as an argument: the first of the two instructions that this takes. The second is
/// load_map_end().
constexpr bpf_insn load_map(int destination, int map_fd) noexcept {
  return instruction(BPF_LD | BPF_DW | BPF_IMM, destination, BPF_PSEUDO_MAP_FD, 0, map_fd);
}
constexpr bpf_insn load_map_end() noexcept { return instruction(0, 0, 0, 0, 0); }

/// A program whose jumps all lead over what ends it.
class Text {
 public:
  void add(const bpf_insn& instruction) { instructions_.push_back(instruction); }
  /// Ends the program with `verdict` unless the comparison, a jump over two instructions, holds.
  void leave_unless(const bpf_insn& comparison, int verdict) {
    add(comparison);
    add(compute(BPF_MOV, BPF_REG_0, verdict));
    add(exit());
  }
  [[nodiscard]] const std::vector<bpf_insn>& instructions() const { return instructions_; }

 private:
  std::vector<bpf_insn> instructions_;
};

}  // namespace bpf
}  // namespace culvert::io
