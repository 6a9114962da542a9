// Writes to TUN: their batches, their segments, and the counters of each result.
#include "engine/forward/tun_writer.h"

#include <gtest/gtest.h>

#include <array>
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

TEST_F(TunWriting, NeedsSegmentsWithoutOffloads) {
  EXPECT_TRUE(writer_.needs_segments());
  EXPECT_FALSE(TunWriter(queues_, stats_, flows_, kBatchWrites, true).needs_segments());
}

/// A writer whose kernel refuses every packet with an offload.
class TunWritingRefused : public TunWriting {
 protected:
  TunWritingRefused() { queues_.refuses_offloads = true; }

  TunWriter writer_{queues_, stats_, flows_, kBatchWrites, true};
};

TEST_F(TunWritingRefused, CutsASuperPacketOfSlicesAndWritesItAgain) {
  const TransportPacket drawn{.payload = pattern(6000)};
  const io::Offload offload = partial_offload(drawn, 1000);
  const Bytes whole = draw(drawn, Checksum::partial);
  const std::span bytes{whole};
  const std::array slices{bytes.subspan(1060, 4000), bytes.subspan(5060)};
  writer_.write({.head = bytes.first(1060), .slices = slices, .offload = offload},
                {.tunnel = kSlot, .packets = 6, .bytes = 6 * 1060});
  writer_.submit();
  EXPECT_EQ(stats_.totals(kSlot).in_packets, 0u);
  writer_.write_refused();
  const auto segments = slow_segment(whole, offload);
  ASSERT_EQ(queues_.written.size(), 6u);  // more than one batch
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(queues_.written[i].bytes, segments.at(i)) << i;
    EXPECT_EQ(queues_.written[i].offload, io::Offload{});
  }
  EXPECT_EQ(stats_.totals(kSlot).in_packets, 6u);
  EXPECT_EQ(stats_.totals(kSlot).in_bytes, 6u * 1060);
  EXPECT_EQ(drops(DropReason::tun_write_failed), 0u);
  EXPECT_FALSE(writer_.needs_segments());  // one refusal is no reason to stop
}

TEST_F(TunWritingRefused, CompletesARefusedChecksumAndKeepsTheOrderOfAFullBatch) {
  const TransportPacket drawn{.payload = pattern(100)};
  const Bytes partial = draw(drawn, Checksum::partial);
  for (std::size_t i = 0; i < kBatchWrites + 1; ++i) {
    writer_.write({.head = partial, .slices = {}, .offload = partial_offload(drawn)},
                  {.tunnel = kSlot, .packets = 1, .bytes = 160});
  }
  ASSERT_EQ(queues_.written.size(), kBatchWrites);  // by the write that found the batch full
  EXPECT_EQ(queues_.written[0].bytes, draw(drawn, Checksum::complete));
  writer_.submit();
  writer_.write_refused();
  EXPECT_EQ(stats_.totals(kSlot).in_packets, kBatchWrites + 1);
  EXPECT_TRUE(writer_.needs_segments());  // kMaxRefusedOffloads were refused
}

TEST_F(TunWritingRefused, CountsOtherErrorsOfSuperPackets) {
  queues_.refuses_offloads = false;
  queues_.write_error = EIO;
  const TransportPacket drawn{.payload = pattern(3000)};
  const Bytes whole = draw(drawn, Checksum::partial);
  writer_.write({.head = whole, .slices = {}, .offload = partial_offload(drawn, 1000)},
                {.tunnel = kSlot, .packets = 3, .bytes = 0});
  writer_.submit();
  writer_.write_refused();
  EXPECT_EQ(drops(DropReason::tun_write_failed), 3u);
}

}  // namespace
}  // namespace culvert::test
