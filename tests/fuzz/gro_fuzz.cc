// Gro: the first byte selects the meaning of the others.
//
// A stream of packets (two bytes of size, one of offload, the bytes): a single output packet equals
// its input packet, GSO can segment a super-packet again, and the counts add up.
// The choices of TCP and UDP senders: every packet leaves GRO unchanged, in the order of its flow.
#include <algorithm>

#include "tests/fuzz/fuzz.h"
#include "tests/support/gro_traffic.h"

namespace {

using namespace culvert;
using namespace culvert::fuzz;

/// The fuzzer's bytes as a random bit generator. It returns 0 after the last byte.
class Choices {
 public:
  using result_type = std::uint8_t;
  explicit Choices(std::span<const std::byte> bytes) : bytes_(bytes) {}
  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return 255; }
  result_type operator()() {
    return used_ < bytes_.size() ? std::to_integer<std::uint8_t>(bytes_[used_++]) : 0;
  }
  [[nodiscard]] bool are_left() const { return used_ < bytes_.size(); }

 private:
  std::span<const std::byte> bytes_;
  std::size_t used_ = 0;
};

void try_traffic(std::span<const std::byte> bytes) {
  Choices choices(bytes);
  std::deque<test::Sender<Choices>> senders;
  const std::size_t flows = test::pick(choices, 1, 20);
  for (std::size_t i = 0; i < flows; ++i) {
    senders.emplace_back(choices, static_cast<std::uint8_t>(i), 40);
  }
  test::GroRound round;
  for (int repeat = 0; repeat < 3 && choices.are_left(); ++repeat) {
    test::Expected expected;
    for (const auto& input : test::batch_of(choices, senders, test::pick(choices, 1, 80), 20)) {
      expected.add(input);
      round.add(input.bytes, input.offload, 0, !test::one_in(choices, 50));
    }
    for (const auto& output : round.finish()) {
      const std::string wrong = expected.remove(output);
      require(wrong.empty(), wrong.c_str());
    }
    const std::string wrong = expected.end();
    require(wrong.empty(), wrong.c_str());
  }
}

/// `kind`: the kernel's statement about the packet's checksum, and whether GRO must not join it.
io::Offload offload_of(unsigned kind, std::span<const std::byte> packet) {
  io::Offload offload{.checksum_verified = (kind & 1) != 0};
  if ((kind & 2) == 0 || packet.empty()) return offload;
  offload.needs_checksum = true;
  offload.checksum_start = std::to_integer<unsigned>(packet[0]) >> 4 == 6 ? 40 : 20;
  offload.checksum_offset = (kind & 4) != 0 ? 16 : 6;
  if ((kind & 8) == 0) return offload;
  offload.segmentation = static_cast<io::Segmentation>(1 + kind / 16 % 3);
  offload.segment_bytes = 100;
  return offload;
}

void try_stream(std::span<const std::byte> bytes) {
  test::GroRound round;
  std::vector<std::vector<std::byte>> inputs;
  std::uint64_t size_sum = 0;
  while (bytes.size() > 3 && inputs.size() < test::GroRound::kCapacityPackets) {
    const std::size_t size =
        std::to_integer<std::size_t>(bytes[0]) * 16 + std::to_integer<std::size_t>(bytes[1]) % 16;
    const unsigned kind = std::to_integer<unsigned>(bytes[2]);
    inputs.push_back(copy_of(bytes.subspan(3, std::min(size, bytes.size() - 3))));
    bytes = bytes.subspan(3 + inputs.back().size());
    const auto offload = offload_of(kind, inputs.back());
    round.add(inputs.back(), offload, 0, kind < 200);
    io::Packet packet(inputs.back(), 0, inputs.back().size());
    packet.offload = offload;
    size_sum += packet_bytes(packet);
  }
  for (const auto& output : round.finish()) {
    size_sum -= output.byte_count;
    if (output.slice_count == 0) {
      require(std::ranges::find(inputs, output.bytes) != inputs.end(), "what went in comes out");
    } else {
      require(test::cut(output.bytes, output.offload).size() == output.packets,
              "what is joined can be cut again");
    }
  }
  require(size_sum == 0, "the bytes add up");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto bytes = bytes_of(data, size);
  bytes[0] == std::byte{0} ? try_stream(bytes.subspan(1)) : try_traffic(bytes.subspan(1));
  return 0;
}
