// Gro on random traffic: every packet is output, unchanged, in the order of its flow.
#include <gtest/gtest.h>

#include <random>

#include "tests/support/gro_traffic.h"

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

}  // namespace
}  // namespace culvert
