#include "io/offload.h"

#include <gtest/gtest.h>

#include <array>

#include "tests/support/packet_matchers.h"

namespace culvert::io {
namespace {

using Header = std::array<std::byte, kVirtioHeaderBytes>;

Header written(const Offload& offload) {
  Header header;
  header.fill(std::byte{0xee});
  write_virtio_header(header, offload);
  return header;
}

const Offload kTcp6{.needs_checksum = true,
                    .checksum_start = 40,
                    .checksum_offset = 16,
                    .segmentation = Segmentation::tcp6,
                    .tcp_ecn = true,
                    .segment_bytes = 1400,
                    .header_bytes = 72};

// struct virtio_net_hdr, VIRTIO 1.2 5.1.6, by hand; little endian as this machine.
TEST(VirtioHeader, WritesWhatTheSpecificationSays) {
  EXPECT_THAT(written({}), test::SameBytes(test::hex("00 00 0000 0000 0000 0000")));
  EXPECT_THAT(written(kTcp6), test::SameBytes(test::hex("01 84 4800 7805 2800 1000")));
  EXPECT_THAT(written({.checksum_verified = true}),
              test::SameBytes(test::hex("02 00 0000 0000 0000 0000")));
  EXPECT_THAT(
      written(
          {.segmentation = Segmentation::tcp4, .segment_bytes = 0x0102, .header_bytes = 0x0304}),
      test::SameBytes(test::hex("00 01 0403 0201 0000 0000")));
  EXPECT_THAT(written({.needs_checksum = true,
                       .checksum_start = 20,
                       .checksum_offset = 6,
                       .segmentation = Segmentation::udp,
                       .segment_bytes = 100,
                       .header_bytes = 28}),
              test::SameBytes(test::hex("01 05 1c00 6400 1400 0600")));
}

TEST(VirtioHeader, ReadsWhatItWrites) {
  for (const Segmentation segmentation :
       {Segmentation::none, Segmentation::tcp4, Segmentation::tcp6, Segmentation::udp}) {
    for (const bool needs_checksum : {false, true}) {
      const bool is_super_packet = segmentation != Segmentation::none;
      const Offload offload{.needs_checksum = needs_checksum,
                            .checksum_verified = !needs_checksum,
                            .checksum_start = static_cast<std::uint16_t>(needs_checksum ? 54 : 0),
                            .checksum_offset = static_cast<std::uint16_t>(needs_checksum ? 16 : 0),
                            .segmentation = segmentation,
                            .tcp_ecn = is_super_packet,
                            .segment_bytes = static_cast<std::uint16_t>(is_super_packet ? 1300 : 0),
                            .header_bytes = static_cast<std::uint16_t>(is_super_packet ? 74 : 0)};
      EXPECT_EQ(read_virtio_header(written(offload)), offload);
    }
  }
}

TEST(VirtioHeader, RefusesWhatWasNotAskedFor) {
  Header header = written(kTcp6);
  for (const int type : {2, 3, 6, 0x83, 0x24, 0x44, 0x7f}) {  // 3: UFO; 0x20, 0x40: tunnels
    header[1] = static_cast<std::byte>(type);
    EXPECT_FALSE(read_virtio_header(header)) << type;
  }
}

TEST(VirtioHeader, RefusesASuperPacketWithoutASegmentSize) {
  Offload offload = kTcp6;
  offload.segment_bytes = 0;
  EXPECT_FALSE(read_virtio_header(written(offload)));
}

}  // namespace
}  // namespace culvert::io
