#include "io/bpf/steering.h"

#include <linux/if_tun.h>
#include <netinet/in.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <random>

#include "proto/ipv4.h"
#include "proto/ipv6.h"
#include "proto/tcp_fields.h"

namespace culvert::io {
namespace {

constexpr int kContext = BPF_REG_6;  // where loads from the packet expect it
constexpr int kHash = BPF_REG_7;
constexpr int kPortsOffset = BPF_REG_8;
constexpr int kMultiplier = BPF_REG_9;
constexpr int kLoaded = BPF_REG_0;

constexpr std::uint64_t kGoldenRatio = 0x9e37'79b9'7f4a'7c15;
constexpr int kMoreFragmentsAndOffset = proto::kIpv4MoreFragments | proto::kIpv4OffsetMask;

/// Instructions one after the other, with jumps forward to where land() is called.
class Builder {
 public:
  void add(const bpf_insn& instruction) { instructions_.push_back(instruction); }
  /// The two instructions of a 64-bit constant.
  void set(int destination, std::uint64_t value) {
    add(bpf::instruction(BPF_LD | BPF_DW | BPF_IMM, destination, 0, 0,
                         static_cast<std::int32_t>(value)));
    add(bpf::instruction(0, 0, 0, 0, static_cast<std::int32_t>(value >> 32)));
  }
  /// kLoaded = what lies in the packet, in host byte order. Ends the program with 0 if it is
  /// shorter.
  void load(int width, std::size_t offset) {
    add(bpf::instruction(BPF_LD | BPF_ABS | width, 0, 0, 0, static_cast<std::int32_t>(offset)));
  }
  void load_word_behind(int offset_register) {
    add(bpf::instruction(BPF_LD | BPF_IND | BPF_W, 0, offset_register, 0, 0));
  }
  /// Puts kLoaded into the hash: multiplied, and the high half, which all bits have reached, folded
  /// into the low one, of which the kernel takes the remainder.
  void mix() {
    add(bpf::compute_with(BPF_ADD, kHash, kLoaded));
    add(bpf::compute_with(BPF_MUL, kHash, kMultiplier));
    add(bpf::compute_with(BPF_MOV, BPF_REG_1, kHash));
    add(bpf::compute(BPF_RSH, BPF_REG_1, 32));
    add(bpf::compute_with(BPF_XOR, kHash, BPF_REG_1));
  }
  void mix_words(std::size_t first_offset, std::size_t end_offset) {
    for (std::size_t offset = first_offset; offset < end_offset; offset += 4) {
      load(BPF_W, offset);
      mix();
    }
  }
  using Jump = std::size_t;
  [[nodiscard]] Jump jump_if(int comparison, int value) {
    add(bpf::jump_if(comparison, kLoaded, value, 0));
    return instructions_.size() - 1;
  }
  [[nodiscard]] Jump jump() {
    add(bpf::jump(0));
    return instructions_.size() - 1;
  }
  void land(Jump jump) {
    instructions_[jump].off = static_cast<std::int16_t>(instructions_.size() - jump - 1);
  }
  [[nodiscard]] std::vector<bpf_insn> take() && { return std::move(instructions_); }

 private:
  std::vector<bpf_insn> instructions_;
};

}  // namespace

// IP version > addresses > not a fragment, no options > TCP or UDP > ports
std::vector<bpf_insn> steering_program(std::uint64_t seed) {
  Builder to;
  to.add(bpf::compute_with(BPF_MOV, kContext, BPF_REG_1));
  to.set(kHash, seed);
  to.set(kMultiplier, kGoldenRatio);
  to.load(BPF_B, proto::kIpVersionOffset);
  to.add(bpf::compute(BPF_AND, kLoaded, 0xf0));
  const auto is_ipv6 = to.jump_if(BPF_JEQ, 0x60);
  const auto is_neither = to.jump_if(BPF_JNE, 0x40);

  to.mix_words(proto::kIpv4SourceOffset, proto::kIpv4HeaderBytes);
  to.load(BPF_H, proto::kIpv4FragmentOffset);
  to.add(bpf::compute(BPF_AND, kLoaded, kMoreFragmentsAndOffset));
  const auto is_fragment = to.jump_if(BPF_JNE, 0);
  to.load(BPF_B, proto::kIpVersionOffset);
  const auto has_options = to.jump_if(BPF_JNE, proto::kIpv4VersionAndMinimumIhl);
  to.add(bpf::compute(BPF_MOV, kPortsOffset, int{proto::kIpv4HeaderBytes}));
  to.load(BPF_B, proto::kIpv4ProtocolOffset);
  const auto ipv4_is_read = to.jump();

  to.land(is_ipv6);
  to.mix_words(proto::kIpv6SourceOffset, proto::kIpv6HeaderBytes);
  to.add(bpf::compute(BPF_MOV, kPortsOffset, int{proto::kIpv6HeaderBytes}));
  to.load(BPF_B, proto::kIpv6NextHeaderOffset);

  to.land(ipv4_is_read);
  const auto is_tcp = to.jump_if(BPF_JEQ, IPPROTO_TCP);
  const auto has_no_ports = to.jump_if(BPF_JNE, IPPROTO_UDP);
  to.land(is_tcp);
  to.load_word_behind(kPortsOffset);
  to.mix();

  for (const auto jump : {is_neither, is_fragment, has_options, has_no_ports}) to.land(jump);
  to.add(bpf::compute_with(BPF_MOV, BPF_REG_0, kHash));
  to.add(bpf::exit());
  return std::move(to).take();
}

Result<void> steer_by_flow(const Tun& tun) {
  std::random_device random;
  const auto seed = std::uint64_t{random()} << 32 | random();
  const auto program =
      load_program(BPF_PROG_TYPE_SOCKET_FILTER, steering_program(seed), "culvert_steer");
  if (!program) return Unexpected{program.error()};
  const int fd = program->get();  // the device holds the program from here on
  if (::ioctl(tun.queues.front().get(), TUNSETSTEERINGEBPF, &fd) == 0) return {};
  return Unexpected{Error{.code = errno,
                          .operation = "steer by flow",
                          .object = tun.name,
                          .advice = errno == EINVAL ? "this needs Linux 4.16" : ""}};
}

}  // namespace culvert::io
