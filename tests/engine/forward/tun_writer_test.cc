// Writes to TUN: their batches, their segments, and the counters of each result.
#include "engine/forward/tun_writer.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "tests/support/memory_queue.h"
#include "tests/support/packet_builder.h"
#include "tests/support/transport_packet.h"

namespace culvert::test {
namespace {

/// A writer with room for four writes.
class TunWriting : public ::testing::Test {
 protected:
  TunWriting() { EXPECT_TRUE(stats_.prepare(kSlot, 1)); }

  void write(PendingWrite pending) {
    pending.tunnel = kSlot;
    writer_.write({.head = packet_, .slices = {}, .offload = {}}, pending);
  }
  void write_segments(const TransportPacket& drawn, const io::Offload& offload,
                      std::uint32_t packets) {
    io::Packet& packet = queues_.put(io::Source::tunnel, draw(drawn, Checksum::partial), offload);
    writer_.write_segments(packet, classify(packet.bytes()),
                           {.tunnel = kSlot, .packets = packets, .bytes = 0});
  }
  [[nodiscard]] std::uint64_t drops(DropReason reason) const {
    return stats_.totals(kSlot).drops[static_cast<std::size_t>(reason)];
  }

  static constexpr std::uint32_t kSlot = 3;
  static constexpr std::size_t kBatchWrites = 4;
  const Bytes packet_ = ipv6("2001:db8::1", "2001:db8::2") / udp(1, 2) / payload(8);
  MemoryPacketIo queues_{8, kBatchWrites};
  TunnelStats stats_;
  FlowPinning flows_;
  TunWriter writer_{queues_, stats_, flows_, kBatchWrites, false};
};

TEST_F(TunWriting, CountsAfterTheKernelHasIt) {
  write({.packets = 3, .bytes = 300});
  EXPECT_FALSE(writer_.is_empty());
  EXPECT_EQ(stats_.totals(kSlot).in_packets, 0u);
  writer_.submit();
  EXPECT_TRUE(writer_.is_empty());
  EXPECT_EQ(stats_.totals(kSlot).in_packets, 3u);
  EXPECT_EQ(stats_.totals(kSlot).in_bytes, 300u);
}

TEST_F(TunWriting, CountsRefusedPacketsByTheirError) {
  for (const int error : {EAGAIN, ENOBUFS, ENOMEM, EIO}) {
    queues_.write_error = error;
    write({.packets = 2, .bytes = 200});
    writer_.submit();
  }
  EXPECT_EQ(drops(DropReason::tun_queue_full), 6u);
  EXPECT_EQ(drops(DropReason::tun_write_failed), 2u);
  EXPECT_EQ(stats_.totals(kSlot).in_packets, 0u);
}

TEST_F(TunWriting, CountsRelayedErrorsApart) {
  write({.packets = 1, .kind = PendingWrite::Kind::relayed_error});
  writer_.submit();
  queues_.write_error = EAGAIN;
  write({.packets = 1, .kind = PendingWrite::Kind::relayed_error});
  writer_.submit();
  EXPECT_EQ(stats_.totals(kSlot).errors_relayed, 1u);
  EXPECT_EQ(drops(DropReason::icmp_error_write_failed), 1u);
  EXPECT_EQ(stats_.totals(kSlot).in_packets, 0u);
}

TEST_F(TunWriting, DoesNotCountErrorsThatWeOriginate) {
  queues_.write_error = EIO;
  write({.packets = 0});
  writer_.submit();
  EXPECT_EQ(drops(DropReason::tun_write_failed), 0u);
}

TEST_F(TunWriting, SubmitsAFullBatch) {
  for (std::size_t i = 0; i < kBatchWrites; ++i) write({.packets = 1});
  EXPECT_EQ(queues_.submits, 0u);
  write({.packets = 1});
  EXPECT_EQ(queues_.submits, 1u);
  EXPECT_EQ(stats_.totals(kSlot).in_packets, kBatchWrites);
  writer_.submit();
  EXPECT_EQ(queues_.written.size(), kBatchWrites + 1);
}

TEST_F(TunWriting, ReturnsTheResultsOfTheSends) {
  queues_.send_error = ENETUNREACH;
  ASSERT_TRUE(queues_.send({.head = packet_, .tail = {}, .destination = {}}));
  const auto sends = writer_.submit();
  ASSERT_EQ(sends.size(), 1u);
  EXPECT_EQ(sends[0], ENETUNREACH);
}

TEST_F(TunWriting, WritesSegmentsAcrossBatches) {
  const TransportPacket drawn{.payload = pattern(6000)};
  const io::Offload offload = partial_offload(drawn, 1000);
  const auto segments = slow_segment(draw(drawn, Checksum::partial), offload);
  write_segments(drawn, offload, 6);
  writer_.submit();
  ASSERT_EQ(queues_.written.size(), 6u);
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(queues_.written[i].bytes, segments.at(i)) << i;
    EXPECT_EQ(queues_.written[i].offload, io::Offload{});
  }
  EXPECT_EQ(stats_.totals(kSlot).in_packets, 6u);
  EXPECT_EQ(stats_.totals(kSlot).in_bytes, 6u * 1060);
}

TEST_F(TunWriting, CompletesTheChecksumOfASinglePacket) {
  const TransportPacket drawn{.payload = pattern(100)};
  write_segments(drawn, partial_offload(drawn), 1);
  writer_.submit();
  ASSERT_EQ(queues_.written.size(), 1u);
  EXPECT_EQ(queues_.written[0].bytes, draw(drawn, Checksum::complete));
}

TEST_F(TunWriting, DropsSuperPacketsThatItCannotSegment) {
  const TransportPacket drawn{.payload = pattern(3000)};
  write_segments(drawn, partial_offload(drawn, 1000), 4);  // stands for three packets
  io::Offload beyond_the_end = partial_offload(drawn);
  beyond_the_end.checksum_start = 4000;
  write_segments(drawn, beyond_the_end, 1);
  EXPECT_TRUE(writer_.is_empty());
  EXPECT_EQ(drops(DropReason::tunnel_offload_malformed), 5u);
}

TEST_F(TunWriting, NeedsSegmentsWithoutVirtioHeader) {
  EXPECT_TRUE(writer_.needs_segments());
  EXPECT_FALSE(TunWriter(queues_, stats_, flows_, kBatchWrites, true).needs_segments());
}

}  // namespace
}  // namespace culvert::test
