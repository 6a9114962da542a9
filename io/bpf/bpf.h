// Loads and attaches BPF programs with the bpf() system call. The programs are written by hand, as
// instructions. Descriptors alone keep them alive: the kernel removes a program with its last
// descriptor. Any thread.
//
// Most containers forbid bpf(). Then these functions fail with EPERM, and each caller has a way to
// work without BPF.
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

/// Loads a program. `name`: at most 15 bytes; bpftool shows it. If the verifier refuses the
/// program, the advice of the error is the last line of the verifier's log. The program's license
/// is MIT, so it cannot call helpers that are reserved for GPL programs.
[[nodiscard]] Result<Fd> load_program(bpf_prog_type type, std::span<const bpf_insn> instructions,
                                      std::string_view name);

/// Creates an array map of `entries` values of `value_bytes` bytes each, all zero. Its keys are the
/// indices. `flags`: BPF_F_MMAPABLE if the caller will map the values and write them as memory.
[[nodiscard]] Result<Fd> create_array_map(std::uint32_t value_bytes, std::uint32_t entries,
                                          std::string_view name, std::uint32_t flags = 0);

/// Creates a hash map whose values are one byte and mean nothing: a set of keys.
[[nodiscard]] Result<Fd> create_set(std::uint32_t key_bytes, std::uint32_t entries,
                                    std::string_view name);
/// Creates a longest-prefix-match trie whose values are one byte. A key is the length of a prefix in
/// bits, 32 bits wide in host byte order, and the prefix; `key_bytes`: both.
[[nodiscard]] Result<Fd> create_prefix_map(std::uint32_t key_bytes, std::uint32_t entries,
                                           std::string_view name);
/// Adds a key to a set or a prefix map, or replaces its value.
[[nodiscard]] Result<void> add_key(const Fd& map, std::span<const std::byte> key,
                                   std::byte value = std::byte{1});
/// Removes a key from a set or a prefix map, if it has the key.
void remove_key(const Fd& map, std::span<const std::byte> key) noexcept;

/// Replaces the value at `index`. `value`: exactly the bytes of one value of the map.
[[nodiscard]] Result<void> update_element(const Fd& map, std::uint32_t index,
                                          std::span<const std::byte> value);

/// Attaches a BPF_PROG_TYPE_SCHED_CLS program to an interface's tcx hook (Linux 6.6). At ingress it
/// runs after the programs that are attached already, at egress before them, so that the other
/// programs see packets as they are on the wire. Closing the returned link detaches the program.
enum class TcxHook : std::uint32_t { ingress = 46, egress = 47 };  // BPF_TCX_INGRESS, _EGRESS
[[nodiscard]] Result<Fd> attach(const Fd& program, TcxHook hook, unsigned interface_index);
/// Whether the link is still attached to this interface. It is not if the interface was deleted or
/// moved to another namespace, or if the program was detached by hand. Another interface may have
/// taken the index since.
[[nodiscard]] bool is_attached(const Fd& link, unsigned interface_index) noexcept;

/// The links of one program, by interface. The destructor detaches the program everywhere.
class TcxLinks {
 public:
  explicit TcxLinks(TcxHook hook) noexcept : hook_(hook) {}
  /// Attaches the program to an interface, unless it is attached there.
  [[nodiscard]] Result<void> attach(const Fd& program, unsigned interface_index);

 private:
  TcxHook hook_;
  std::map<unsigned, Fd> links_;
};

/// Functions that make one instruction each. Registers are BPF_REG_0 to BPF_REG_10. `width` is
/// BPF_B, BPF_H, BPF_W or BPF_DW. `offset` of a jump is the number of instructions to skip.
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

/// `operation`: BPF_MOV, BPF_ADD, BPF_AND and so on. 64 bits wide.
constexpr bpf_insn compute(int operation, int destination, std::int32_t immediate) noexcept {
  return instruction(BPF_ALU64 | BPF_K | operation, destination, 0, 0, immediate);
}
constexpr bpf_insn compute_with(int operation, int destination, int source) noexcept {
  return instruction(BPF_ALU64 | BPF_X | operation, destination, source, 0, 0);
}
/// 32 bits wide: the upper half of the result is 0.
constexpr bpf_insn compute_32(int operation, int destination, std::int32_t immediate) noexcept {
  return instruction(BPF_ALU | BPF_K | operation, destination, 0, 0, immediate);
}
/// destination = *(source + offset)
constexpr bpf_insn load(int width, int destination, int source, int offset) noexcept {
  return instruction(BPF_LDX | BPF_MEM | width, destination, source, offset, 0);
}
/// *(destination + offset) = source
constexpr bpf_insn store(int width, int destination, int offset, int source) noexcept {
  return instruction(BPF_STX | BPF_MEM | width, destination, source, offset, 0);
}
/// Jumps if the comparison (BPF_JEQ, BPF_JNE, BPF_JGT and so on) of `destination` with the
/// immediate holds.
constexpr bpf_insn jump_if(int comparison, int destination, std::int32_t immediate,
                           int offset) noexcept {
  return instruction(BPF_JMP | BPF_K | comparison, destination, 0, offset, immediate);
}
/// Compares the lower 32 bits. The jump is for Text::add_jump().
constexpr bpf_insn jump_if_32(int comparison, int destination, std::int32_t immediate) noexcept {
  return instruction(BPF_JMP32 | BPF_K | comparison, destination, 0, 0, immediate);
}
constexpr bpf_insn jump_if_with(int comparison, int destination, int source, int offset) noexcept {
  return instruction(BPF_JMP | BPF_X | comparison, destination, source, offset, 0);
}
constexpr bpf_insn jump(int offset) noexcept {
  return instruction(BPF_JMP | BPF_JA, 0, 0, offset, 0);
}
/// Calls a helper (BPF_FUNC_*). Its arguments are in registers 1 to 5, which it overwrites; its
/// result is in register 0.
constexpr bpf_insn call(bpf_func_id helper) noexcept {
  return instruction(BPF_JMP | BPF_CALL, 0, 0, 0, static_cast<std::int32_t>(helper));
}
constexpr bpf_insn exit() noexcept { return instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0); }

/// Loads the address of a map into `destination`: the first of two instructions. The second is
/// load_map_end().
constexpr bpf_insn load_map(int destination, int map_fd) noexcept {
  return instruction(BPF_LD | BPF_DW | BPF_IMM, destination, BPF_PSEUDO_MAP_FD, 0, map_fd);
}
constexpr bpf_insn load_map_end() noexcept { return instruction(0, 0, 0, 0, 0); }

/// The text of a program. All its jumps go forward.
class Text {
 public:
  void add(const bpf_insn& instruction) { instructions_.push_back(instruction); }
  /// Adds a jump, whose own offset is ignored, and returns it for land().
  using Jump = std::size_t;
  [[nodiscard]] Jump add_jump(const bpf_insn& jump) {
    add(jump);
    return instructions_.size() - 1;
  }
  /// The jump goes to the instruction that is added next.
  void land(Jump jump) {
    instructions_[jump].off = static_cast<std::int16_t>(instructions_.size() - jump - 1);
  }
  /// Ends the program with `verdict` unless the comparison holds. `comparison`: a jump over two
  /// instructions.
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
