// Coalescer on random traffic: every packet comes out, unchanged, in the order of its flow.
#include <gtest/gtest.h>

#include <deque>
#include <map>

#include "tests/support/coalescing_round.h"
#include "tests/support/cut.h"
#include "tests/support/transport_packet.h"

namespace culvert {
namespace {

using test::Bytes;
using test::Checksum;
using test::CoalescingRound;
using test::pick;
using test::TransportPacket;

/// A packet as it went in, and what it is once its checksum is finished.
struct Input {
  Bytes bytes;
  io::Offload offload;
  Bytes complete;
  bool has_free_identification = false;  ///< IPv4 with DF set: RFC 6864 4.1
};

/// The addresses of a packet name its flow: each test flow has its own.
std::uint8_t flow_of(const Bytes& packet) { return std::to_integer<std::uint8_t>(packet[15]); }

/// What joining and cutting may change is set to 0.
Bytes without_identification(Bytes packet) {
  for (const std::size_t offset : {4, 5, 10, 11}) packet[offset] = std::byte{0};
  return packet;
}

/// A sender with moods: mostly a bulk transfer, now and then something that must not be joined.
class Sender {
 public:
  Sender(std::mt19937& random, std::uint8_t flow) : random_(random) {
    next_.flow = flow;
    next_.is_ipv6 = one_in(2);
    next_.is_tcp = !one_in(3);
    next_.dont_fragment = one_in(2);
    next_.sequence = static_cast<std::uint32_t>(random());
    if (one_in(2)) next_.tcp_options = test::random_bytes(random, 12);
    size_ = pick(random, 1, 1400);
  }

  /// The packets that the flow sends next.
  std::vector<Input> send() {
    change_mood();
    next_.payload = test::random_bytes(random_, one_in(20) ? pick(random_, 0, 1400) : size_);
    TransportPacket packet = next_;
    next_.sequence += static_cast<std::uint32_t>(packet.payload.size());
    next_.identification = static_cast<std::uint16_t>(next_.identification + (one_in(30) ? 2 : 1));
    if (one_in(30)) return {};  // lost
    if (one_in(30)) packet.payload.clear();
    if (one_in(20)) packet.flags |= 0x08;  // PSH
    if (one_in(60)) packet.flags |= static_cast<std::uint8_t>(1u << pick(random_, 0, 7));
    if (one_in(60)) packet.ttl = 1;
    if (one_in(60)) packet.ip_options = Bytes(4, std::byte{1});
    if (one_in(100)) return {super_packet(packet)};
    std::vector<Input> inputs = {single(packet)};
    if (one_in(50)) inputs.push_back(inputs.back());  // duplicated
    return inputs;
  }

 private:
  bool one_in(std::size_t count) { return test::one_in(random_, count); }

  /// Changes that last.
  void change_mood() {
    if (one_in(50)) ++next_.acknowledgment;
    if (one_in(50)) ++next_.window;
    if (one_in(80)) next_.tos ^= 3;
    if (one_in(80)) ++next_.flow_label;
    if (one_in(80)) next_.dont_fragment = !next_.dont_fragment;
    if (one_in(80)) next_.tcp_options = test::random_bytes(random_, pick(random_, 0, 10) * 4);
    if (one_in(80)) size_ = pick(random_, 1, 1400);
  }

  Input single(const TransportPacket& packet) {
    Input input{.bytes = test::draw(packet), .offload = {}, .complete = test::draw(packet)};
    input.has_free_identification = !packet.is_ipv6 && packet.dont_fragment;
    if (one_in(40)) {
      input.bytes = input.complete = test::draw(packet, Checksum::bad);
    } else if (one_in(20)) {
      input.bytes = test::draw(packet, Checksum::partial);
      input.offload = test::partial_offload(packet);
    } else if (one_in(3)) {
      input.offload.checksum_verified = true;
    } else if (!packet.is_tcp && one_in(20)) {  // no checksum: RFC 768
      const std::size_t field = packet.ip_header_bytes() + 6;
      input.bytes[field] = input.bytes[field + 1] = std::byte{0};
      input.complete = input.bytes;
    } else if (one_in(60)) {  // padded: not to be cut, only to be passed on
      input.bytes.resize(input.bytes.size() + pick(random_, 1, 20));
      input.complete = input.bytes;
    } else if (!packet.is_ipv6 && one_in(60)) {  // a fragment; its flow is not to be seen
      input.bytes[6] = std::byte{0x20};
      input.complete = input.bytes;
    }
    return input;
  }

  Input super_packet(TransportPacket packet) {
    packet.payload = test::random_bytes(random_, pick(random_, 1, 9000));
    next_.sequence += static_cast<std::uint32_t>(packet.payload.size() - next_.payload.size());
    const auto segment_bytes = static_cast<std::uint16_t>(pick(random_, 1, 1400));
    return {.bytes = test::draw(packet, Checksum::partial),
            .offload = test::partial_offload(packet, segment_bytes),
            .complete = {}};
  }

  std::mt19937& random_;
  TransportPacket next_;
  std::size_t size_;
};

/// The inputs of a round, by flow, and what may be compared with what comes out.
class Expected {
 public:
  void add(const Input& input, std::uint32_t packets, std::uint32_t bytes) {
    flows_[flow_of(input.bytes)].push_back(input);
    packets_ += packets;
    bytes_ += bytes;
  }

  /// Takes from its flow's queue what an output stands for.
  void take(const CoalescingRound::Output& output) {
    packets_ -= output.packets;
    bytes_ -= output.byte_count;
    ASSERT_LE(output.slice_count, io::kMaxSlices);
    ASSERT_LE(output.bytes.size(), 65535u);
    auto& queue = flows_[flow_of(output.bytes)];
    if (output.slice_count == 0) {
      ASSERT_FALSE(queue.empty());
      ASSERT_EQ(output.bytes, queue.front().bytes);
      ASSERT_EQ(output.offload, queue.front().offload);
      queue.pop_front();
      return;
    }
    const auto segments = test::slow_segment(output.bytes, output.offload);
    ASSERT_EQ(segments.size(), output.packets);
    for (const Bytes& segment : segments) {
      ASSERT_FALSE(queue.empty());
      const Input& input = queue.front();
      if (input.has_free_identification) {
        ASSERT_EQ(without_identification(segment), without_identification(input.complete));
      } else {
        ASSERT_EQ(segment, input.complete);
      }
      queue.pop_front();
    }
    ASSERT_EQ(test::cut(output.bytes, output.offload), segments);
  }

  void expect_nothing_left() const {
    for (const auto& [flow, queue] : flows_) EXPECT_TRUE(queue.empty()) << "flow " << int{flow};
    EXPECT_EQ(packets_, 0);
    EXPECT_EQ(bytes_, 0);
  }

 private:
  std::map<std::uint8_t, std::deque<Input>> flows_;
  std::int64_t packets_ = 0, bytes_ = 0;
};

std::uint32_t count_packets(const Input& input) {
  if (!input.offload.is_super_packet()) return 1;
  return static_cast<std::uint32_t>(test::slow_segment(input.bytes, input.offload).size());
}
std::uint32_t count_bytes(const Input& input) {
  if (!input.offload.is_super_packet()) return static_cast<std::uint32_t>(input.bytes.size());
  std::size_t bytes = 0;
  for (const auto& segment : test::slow_segment(input.bytes, input.offload))
    bytes += segment.size();
  return static_cast<std::uint32_t>(bytes);
}

/// One batch of what the senders send, a flow's packets often in a row.
std::vector<Input> batch_of(std::mt19937& random, std::deque<Sender>& senders,
                            std::size_t longest_run) {
  std::vector<Input> batch;
  const std::size_t size = pick(random, 1, 250);
  while (batch.size() < size) {
    Sender& sender = senders[pick(random, 0, senders.size() - 1)];
    for (std::size_t run = pick(random, 1, longest_run); run > 0 && batch.size() < size; --run) {
      for (Input& input : sender.send()) batch.push_back(std::move(input));
    }
  }
  for (std::size_t i = 1; i < batch.size(); ++i) {
    if (test::one_in(random, 50)) std::swap(batch[i - 1], batch[i]);  // reordered on the way
  }
  return batch;
}

TEST(CoalescerProperty, GivesEveryPacketBackInTheOrderOfItsFlow) {
  std::mt19937 random(4);
  std::size_t inputs = 0;
  std::size_t outputs = 0;
  for (int scene = 0; scene < 30; ++scene) {
    std::deque<Sender> senders;
    const std::size_t flows = pick(random, 1, 100);
    for (std::size_t i = 0; i < flows; ++i) {
      senders.emplace_back(random, static_cast<std::uint8_t>(i));
    }
    const std::size_t longest_run = test::one_in(random, 3) ? 3 : 40;
    CoalescingRound round;
    for (int repeat = 0; repeat < 20; ++repeat) {
      Expected expected;
      for (Input& input : batch_of(random, senders, longest_run)) {
        expected.add(input, count_packets(input), count_bytes(input));
        round.add(input.bytes, input.offload, flow_of(input.bytes) % 3, !test::one_in(random, 50));
        ++inputs;
      }
      for (const auto& output : round.finish()) {
        ASSERT_EQ(output.tunnel, flow_of(output.bytes) % 3u);
        ASSERT_NO_FATAL_FAILURE(expected.take(output)) << "scene " << scene;
        ++outputs;
      }
      ASSERT_NO_FATAL_FAILURE(expected.expect_nothing_left());
    }
  }
  EXPECT_LT(outputs * 2, inputs) << "the traffic is such that much can be joined";
}

}  // namespace
}  // namespace culvert
