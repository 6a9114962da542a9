// Gro on random traffic: every packet is output, unchanged, in the order of its flow.
#include <gtest/gtest.h>

#include <random>

#include "tests/support/gro_traffic.h"
#include "tests/support/link_header.h"

namespace culvert {
namespace {

TEST(GroProperty, KeepsEveryPacketInTheOrderOfItsFlow) {
  std::mt19937 random(4);
  std::size_t input_count = 0;
  std::size_t output_count = 0;
  for (int scene = 0; scene < 30; ++scene) {
    std::deque<test::Sender<std::mt19937>> senders;
    const std::size_t flows = test::pick(random, 1, 100);
    for (std::size_t i = 0; i < flows; ++i) {
      senders.emplace_back(random, static_cast<std::uint8_t>(i), 1400);
    }
    const std::size_t longest_run = test::one_in(random, 3) ? 3 : 40;
    test::GroRound round;
    for (int repeat = 0; repeat < 20; ++repeat) {
      test::Expected expected;
      const auto batch = test::batch_of(random, senders, test::pick(random, 1, 250), longest_run);
      for (const test::Input& input : batch) {
        expected.add(input);
        round.add(input.bytes, input.offload, test::flow_of(input.bytes) % 3,
                  !test::one_in(random, 50));
      }
      const auto outputs = round.finish();
      for (const auto& output : outputs) {
        ASSERT_EQ(output.tunnel, test::flow_of(output.bytes) % 3u);
        ASSERT_EQ(expected.remove(output), "") << "scene " << scene;
      }
      ASSERT_EQ(expected.end(), "") << "scene " << scene;
      input_count += batch.size();
      output_count += outputs.size();
    }
  }
  EXPECT_LT(output_count * 2, input_count) << "the traffic is such that much can be joined";
}

/// A round over packets and a round over the same packets behind link-layer headers. Each flow has a
/// link-layer header of its own.
struct RoundsBehindLinkHeader {
  std::size_t link_bytes;
  test::GroRound packets{}, frames{};

  void add(const test::Input& input, std::uint32_t tunnel, bool may_coalesce) {
    packets.add(input.bytes, input.offload, tunnel, may_coalesce);
    frames.add(test::with_link_header(input.bytes, link_bytes, test::flow_of(input.bytes)),
               test::behind_link_header(input.offload, link_bytes), tunnel, may_coalesce,
               link_bytes);
  }
  /// Returns the number of outputs.
  std::size_t expect_same() {
    const auto expected = packets.finish();
    const auto outputs = frames.finish();
    EXPECT_EQ(outputs.size(), expected.size());
    for (std::size_t i = 0; i < std::min(outputs.size(), expected.size()); ++i) {
      const auto& [bytes, offload, tunnel, count, byte_count, slices] = expected[i];
      EXPECT_EQ(outputs[i].bytes, test::with_link_header(bytes, link_bytes, test::flow_of(bytes)));
      EXPECT_EQ(outputs[i].offload, test::behind_link_header(offload, link_bytes));
      EXPECT_EQ(outputs[i].tunnel, tunnel);
      EXPECT_EQ(outputs[i].packets, count);
      EXPECT_EQ(outputs[i].byte_count, byte_count + count * link_bytes);
      EXPECT_EQ(outputs[i].slice_count, slices);
    }
    return outputs.size();
  }
};

TEST(GroProperty, JoinsFramesAsItJoinsPackets) {
  std::mt19937 random(6);
  std::size_t input_count = 0, output_count = 0;
  for (int scene = 0; scene < 20; ++scene) {
    std::deque<test::Sender<std::mt19937>> senders;
    const std::size_t flows = test::pick(random, 1, 60);
    for (std::size_t i = 0; i < flows; ++i)
      senders.emplace_back(random, static_cast<std::uint8_t>(i), 1400);
    RoundsBehindLinkHeader rounds{.link_bytes = test::kLinkHeaderSizes[scene % 2]};
    for (int repeat = 0; repeat < 10; ++repeat) {
      const auto batch = test::batch_of(random, senders, test::pick(random, 1, 250), 40);
      for (const test::Input& input : batch)
        rounds.add(input, test::flow_of(input.bytes) % 3, !test::one_in(random, 50));
      input_count += batch.size();
      output_count += rounds.expect_same();
      ASSERT_FALSE(HasFailure()) << "scene " << scene;
    }
  }
  EXPECT_LT(output_count * 2, input_count) << "the traffic is such that much can be joined";
}

}  // namespace
}  // namespace culvert
