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

constexpr int kContext = BPF_REG_6;  // BPF_LD | BPF_ABS expects the context in this register
constexpr int kHash = BPF_REG_7;
constexpr int kPortsOffset = BPF_REG_8;
constexpr int kMultiplier = BPF_REG_9;
constexpr int kLoaded = BPF_REG_0;

constexpr std::uint64_t kGoldenRatio = 0x9e37'79b9'7f4a'7c15;
constexpr int kMoreFragmentsAndOffset = proto::kIpv4MoreFragments | proto::kIpv4OffsetMask;

/// A program that hashes fields of a packet behind a link-layer header. Offsets count from the IP
/// header.
class Builder : public bpf::Text {
 public:
  explicit Builder(std::size_t link_bytes) : link_bytes_(link_bytes) {}

  /// The two instructions of a 64-bit constant.
  void set(int destination, std::uint64_t value) {
    add(bpf::instruction(BPF_LD | BPF_DW | BPF_IMM, destination, 0, 0,
                         static_cast<std::int32_t>(value)));
    add(bpf::instruction(0, 0, 0, 0, static_cast<std::int32_t>(value >> 32)));
  }
  /// kLoaded = the packet's bytes at `offset`, in host byte order. If the packet is shorter, the
  /// program ends with 0.
  void load(int width, std::size_t offset) {
    add(bpf::instruction(BPF_LD | BPF_ABS | width, 0, 0, 0, position(offset)));
  }
  /// The same for the word at the offset that a register holds.
  void load_word_at(int offset_register) {
    add(bpf::instruction(BPF_LD | BPF_IND | BPF_W, 0, offset_register, 0, position(0)));
  }
  /// Adds kLoaded to the hash and multiplies it. All bits affect the high half of the product, so
  /// the high half is folded into the low half, whose remainder selects the queue.
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
  [[nodiscard]] Jump jump_if(int comparison, int value) {
    return add_jump(bpf::jump_if(comparison, kLoaded, value, 0));
  }
  [[nodiscard]] Jump jump() { return add_jump(bpf::jump(0)); }

 private:
  [[nodiscard]] std::int32_t position(std::size_t offset) const {
    return static_cast<std::int32_t>(link_bytes_ + offset);
  }

  std::size_t link_bytes_;
};

}  // namespace

// IP version > addresses > not a fragment, no options > TCP or UDP > ports
std::vector<bpf_insn> steering_program(std::uint64_t seed, proto::LinkType link_type) {
  Builder builder(proto::link_header_bytes(link_type));
  builder.add(bpf::compute_with(BPF_MOV, kContext, BPF_REG_1));
  builder.set(kHash, seed);
  builder.set(kMultiplier, kGoldenRatio);
  builder.load(BPF_B, proto::kIpVersionOffset);
  builder.add(bpf::compute(BPF_AND, kLoaded, 0xf0));
  const auto is_ipv6 = builder.jump_if(BPF_JEQ, 0x60);
  const auto is_neither = builder.jump_if(BPF_JNE, 0x40);

  builder.mix_words(proto::kIpv4SourceOffset, proto::kIpv4HeaderBytes);
  builder.load(BPF_H, proto::kIpv4FragmentOffset);
  builder.add(bpf::compute(BPF_AND, kLoaded, kMoreFragmentsAndOffset));
  const auto is_fragment = builder.jump_if(BPF_JNE, 0);
  builder.load(BPF_B, proto::kIpVersionOffset);
  const auto has_options = builder.jump_if(BPF_JNE, proto::kIpv4VersionAndMinimumIhl);
  builder.add(bpf::compute(BPF_MOV, kPortsOffset, int{proto::kIpv4HeaderBytes}));
  builder.load(BPF_B, proto::kIpv4ProtocolOffset);
  const auto ipv4_is_read = builder.jump();

  builder.land(is_ipv6);
  builder.mix_words(proto::kIpv6SourceOffset, proto::kIpv6HeaderBytes);
  builder.add(bpf::compute(BPF_MOV, kPortsOffset, int{proto::kIpv6HeaderBytes}));
  builder.load(BPF_B, proto::kIpv6NextHeaderOffset);

  builder.land(ipv4_is_read);
  const auto is_tcp = builder.jump_if(BPF_JEQ, IPPROTO_TCP);
  const auto has_no_ports = builder.jump_if(BPF_JNE, IPPROTO_UDP);
  builder.land(is_tcp);
  builder.load_word_at(kPortsOffset);
  builder.mix();

  for (const auto jump : {is_neither, is_fragment, has_options, has_no_ports}) builder.land(jump);
  builder.add(bpf::compute_with(BPF_MOV, BPF_REG_0, kHash));
  builder.add(bpf::exit());
  return builder.instructions();
}

Result<void> steer_by_flow(const Tun& tun) {
  std::random_device random;
  const auto seed = std::uint64_t{random()} << 32 | random();
  const auto program = load_program(BPF_PROG_TYPE_SOCKET_FILTER,
                                    steering_program(seed, tun.link_type), "culvert_steer");
  if (!program) return Unexpected{program.error()};
  const int fd = program->get();  // the device keeps a reference to the program
  if (::ioctl(tun.queues.front().get(), TUNSETSTEERINGEBPF, &fd) == 0) return {};
  return Unexpected{Error{.code = errno,
                          .operation = "steer by flow",
                          .object = tun.name,
                          .advice = errno == EINVAL ? "this needs Linux 4.16" : ""}};
}

}  // namespace culvert::io
