#include "io/packet.h"

#include <gtest/gtest.h>

#include <array>

namespace culvert::io {
namespace {

class PacketTrim : public ::testing::Test {
 protected:
  std::array<std::byte, 200> buffer_{};
  Packet packet_{buffer_, 100, 60};
};

TEST_F(PacketTrim, MovesTheFront) {
  packet_.trim_front(24);
  EXPECT_EQ(packet_.bytes().data(), buffer_.data() + 124);
  EXPECT_EQ(packet_.size(), 36U);
  EXPECT_EQ(packet_.headroom_bytes(), 124U);
  packet_.grow_front(124);
  EXPECT_EQ(packet_.bytes().data(), buffer_.data());
  EXPECT_EQ(packet_.size(), 160U);
  EXPECT_EQ(packet_.headroom_bytes(), 0U);
}

TEST_F(PacketTrim, CutsTheEnd) {
  packet_.trim_to(10);
  EXPECT_EQ(packet_.bytes().data(), buffer_.data() + 100);
  EXPECT_EQ(packet_.size(), 10U);
}

TEST_F(PacketTrim, MovesTheOffloadWithTheFront) {
  const Offload before{.needs_checksum = true,
                       .checksum_start = 60,
                       .checksum_offset = 16,
                       .segmentation = Segmentation::tcp6,
                       .segment_bytes = 1400,
                       .header_bytes = 80};
  packet_.offload = before;
  packet_.trim_front(20);
  EXPECT_EQ(packet_.offload.checksum_start, 40);
  EXPECT_EQ(packet_.offload.header_bytes, 60);
  EXPECT_EQ(packet_.offload.checksum_offset, 16);
  EXPECT_EQ(packet_.offload.segment_bytes, 1400);
  packet_.grow_front(20);
  EXPECT_EQ(packet_.offload, before);
}

TEST_F(PacketTrim, LeavesNoOffloadAlone) {
  packet_.trim_front(20);
  EXPECT_EQ(packet_.offload, Offload{});
}

}  // namespace
}  // namespace culvert::io
