#include "io/rx_buffers.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <net/if_arp.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "tests/support/packet_matchers.h"

namespace culvert::io {
namespace {

using namespace culvert::test;

constexpr std::size_t kSmallSlotBytes = 512;
const Bytes kEthernet = hex("02 00 00 00 00 01 02 00 00 00 00 02 0800");
const Bytes kTagged = hex("02 00 00 00 00 01 02 00 00 00 00 02 8100 0007 0800");
const Bytes kInner = hex("45 00 00 14 01 02 03 04");

Bytes joined(Bytes first, const Bytes& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

/// Plays the kernel: writes the bytes to a slot and appends the packet.
const Packet& append(RxBuffers& buffers, const Bytes& bytes, const RxMeta& meta = {}) {
  const std::size_t slot = buffers.packets().size();
  std::copy(bytes.begin(), bytes.end(), buffers.room(slot).begin());
  buffers.append(slot, bytes.size(), meta);
  return buffers.packets().back();
}

TEST(RxBuffers, PutAPacketBehindTheHeadroom) {
  auto buffers = *RxBuffers::open(2, kSmallSlotBytes, {});
  const Packet& packet = append(buffers, kInner, {.interface_index = 7});
  EXPECT_THAT(packet.bytes(), SameBytes(kInner));
  EXPECT_EQ(packet.headroom_bytes(), kFrameOffset);
  EXPECT_EQ(packet.interface_index, 7u);
  EXPECT_FALSE(packet.truncated || packet.has_bad_offload);
}

TEST(RxBuffers, RemoveTheLinkLayerHeaderThatTheInterfaceHas) {
  auto buffers = *RxBuffers::open(4, kSmallSlotBytes, {.link_layer_header = true});
  const RxMeta ethernet{.interface_index = 7, .hardware_type = ARPHRD_ETHER};
  EXPECT_THAT(append(buffers, joined(kEthernet, kInner), ethernet).bytes(), SameBytes(kInner));
  EXPECT_THAT(append(buffers, joined(kTagged, kInner), ethernet).bytes(), SameBytes(kInner));
  EXPECT_THAT(append(buffers, kInner, {.hardware_type = ARPHRD_PPP}).bytes(), SameBytes(kInner));
  EXPECT_TRUE(append(buffers, hex("02 00 00 00"), ethernet).truncated) << "less than a header";
  EXPECT_TRUE(buffers.is_full());
}

TEST(RxBuffers, ReadTheVirtioHeader) {
  auto buffers = *RxBuffers::open(4, kSmallSlotBytes, {.virtio_header = true});
  EXPECT_THAT(append(buffers, joined(Bytes(kVirtioHeaderBytes), kInner)).bytes(),
              SameBytes(kInner));
  EXPECT_FALSE(buffers.packets().back().has_bad_offload);
  // A GSO type that does not exist.
  EXPECT_TRUE(append(buffers, joined(hex("00 7f 0000 0000 0000 0000"), kInner)).has_bad_offload);
  EXPECT_TRUE(append(buffers, Bytes(kVirtioHeaderBytes - 1)).truncated);
}

TEST(RxBuffers, TellAPacketThatFillsItsSlot) {
  auto buffers = *RxBuffers::open(2, kSmallSlotBytes, {});
  const std::size_t room = kSmallSlotBytes - kFrameOffset;
  EXPECT_FALSE(append(buffers, Bytes(room - 1)).truncated);
  EXPECT_TRUE(append(buffers, Bytes(room)).truncated);
}

TEST(RxBuffers, AreEmptyForTheNextRound) {
  auto buffers = *RxBuffers::open(2, kSmallSlotBytes, {});
  append(buffers, kInner);
  append(buffers, kInner);
  EXPECT_TRUE(buffers.is_full());
  EXPECT_EQ(buffers.slots()[1], 1);
  buffers.clear();
  EXPECT_TRUE(buffers.packets().empty() && buffers.slots().empty());
  append(buffers, kInner);
  EXPECT_EQ(buffers.slots()[0], 0);
}

TEST(RxBuffers, ReadAsManyPacketsAsThereAreSlots) {
  auto buffers = *RxBuffers::open(2, kSmallSlotBytes, {});
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_NONBLOCK | O_CLOEXEC | O_DIRECT), 0);  // a packet a read
  const Fd from{ends[0]}, to{ends[1]};
  EXPECT_EQ(buffers.read_from(from.get()), 0);
  EXPECT_TRUE(buffers.packets().empty());
  for (int i = 0; i < 3; ++i)
    ASSERT_EQ(::write(to.get(), kInner.data(), kInner.size()), ssize_t(kInner.size()));
  EXPECT_EQ(buffers.read_from(from.get()), 0);
  EXPECT_EQ(buffers.packets().size(), 2u);
  buffers.clear();
  EXPECT_EQ(buffers.read_from(from.get()), 0);
  ASSERT_EQ(buffers.packets().size(), 1u);
  EXPECT_THAT(buffers.packets()[0].bytes(), SameBytes(kInner));
  EXPECT_EQ(buffers.read_from(-1), EBADF);
}

}  // namespace
}  // namespace culvert::io
