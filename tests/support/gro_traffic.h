// Random traffic for a Gro, and the expected output: every packet, unchanged, in the order of its
// flow. `Random` is any uniform random bit generator: a generator of numbers, or the bytes of a
// fuzzer.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/cut.h"
#include "tests/support/gro_round.h"
#include "tests/support/transport_packet.h"

namespace culvert::test {

/// An input packet, and the same packet with a completed checksum.
struct Input {
  Bytes bytes;
  io::Offload offload{};
  Bytes complete{};
  bool has_free_identification = false;  ///< IPv4 with DF set: RFC 6864 4.1

  [[nodiscard]] std::vector<Bytes> packets() const {
    if (!offload.is_super_packet()) return {bytes};
    return slow_segment(bytes, offload);
  }
};

/// The flow of a packet, by its addresses: each sender has its own.
[[nodiscard]] inline std::uint8_t flow_of(const Bytes& packet) {
  return std::to_integer<std::uint8_t>(packet[15]);
}

/// A sender: mostly a bulk transfer, now and then a packet that must not be joined.
template <class Random>
class Sender {
 public:
  Sender(Random& random, std::uint8_t flow, std::size_t largest_payload)
      : random_(random), largest_payload_(largest_payload) {
    next_.flow = flow;
    next_.is_ipv6 = one_in(2);
    next_.is_tcp = !one_in(3);
    next_.dont_fragment = one_in(2);
    next_.sequence = 0xffff'0000u + flow;
    if (one_in(2)) next_.tcp_options = fill(12);
    size_ = pick(random_, 1, largest_payload_);
  }

  /// The packets that the flow sends next.
  std::vector<Input> send() {
    change_mood();
    next_.payload = fill(one_in(20) ? pick(random_, 0, largest_payload_) : size_);
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

  /// Bytes that differ from the previous packet's.
  Bytes fill(std::size_t size) {
    Bytes bytes(size);
    for (std::byte& byte : bytes) {
      filling_ = filling_ * 1664525 + 1013904223;
      byte = std::byte(filling_ >> 24);
    }
    return bytes;
  }

  /// Lasting changes.
  void change_mood() {
    if (one_in(50)) ++next_.acknowledgment;
    if (one_in(50)) ++next_.window;
    if (one_in(80)) next_.tos ^= 3;
    if (one_in(80)) ++next_.flow_label;
    if (one_in(80)) next_.dont_fragment = !next_.dont_fragment;
    if (one_in(80)) next_.tcp_options = fill(pick(random_, 0, 10) * 4);
    if (one_in(80)) size_ = pick(random_, 1, largest_payload_);
  }

  Input single(const TransportPacket& packet) {
    Input input{.bytes = draw(packet), .complete = draw(packet)};
    input.has_free_identification = !packet.is_ipv6 && packet.dont_fragment;
    if (one_in(40)) {
      input.bytes = input.complete = draw(packet, Checksum::bad);
    } else if (one_in(20)) {
      input.bytes = draw(packet, Checksum::partial);
      input.offload = partial_offload(packet);
    } else if (one_in(3)) {
      input.offload.checksum_verified = true;
    } else if (!packet.is_tcp && one_in(20)) {  // no checksum: RFC 768
      const std::size_t field = packet.ip_header_bytes() + 6;
      input.bytes[field] = input.bytes[field + 1] = std::byte{0};
      input.complete = input.bytes;
    } else if (one_in(60)) {  // padded: must be passed on as it is
      input.bytes.resize(input.bytes.size() + pick(random_, 1, 20));
      input.complete = input.bytes;
    } else if (!packet.is_ipv6 && one_in(60)) {  // a fragment, whose flow is hidden
      input.bytes[6] = std::byte{0x20};
      input.complete = input.bytes;
    }
    return input;
  }

  Input super_packet(TransportPacket packet) {
    packet.payload = fill(pick(random_, 1, 6 * largest_payload_));
    next_.sequence += static_cast<std::uint32_t>(packet.payload.size() - next_.payload.size());
    const auto segment_bytes =
        static_cast<std::uint16_t>(pick(random_, 1 + largest_payload_ / 20, largest_payload_));
    return {.bytes = draw(packet, Checksum::partial),
            .offload = partial_offload(packet, segment_bytes)};
  }

  Random& random_;
  std::size_t largest_payload_;
  TransportPacket next_;
  std::size_t size_;
  std::uint32_t filling_ = 1;
};

/// One batch of the senders' packets; packets of one flow are often adjacent.
template <class Random>
[[nodiscard]] std::vector<Input> batch_of(Random& random, std::deque<Sender<Random>>& senders,
                                          std::size_t packets, std::size_t longest_run) {
  std::vector<Input> batch;
  while (batch.size() < packets) {
    auto& sender = senders[pick(random, 0, senders.size() - 1)];
    for (std::size_t run = pick(random, 1, longest_run); run > 0 && batch.size() < packets; --run) {
      for (Input& input : sender.send()) batch.push_back(std::move(input));
    }
  }
  for (std::size_t i = 1; i < batch.size(); ++i) {
    if (one_in(random, 50)) std::swap(batch[i - 1], batch[i]);  // reordered on the way
  }
  return batch;
}

/// The input of a round, by flow. The functions return an error text, empty if all is right.
class Expected {
 public:
  void add(const Input& input) {
    const auto packets = input.packets();
    packets_ += static_cast<std::int64_t>(packets.size());
    for (const Bytes& packet : packets) bytes_ += static_cast<std::int64_t>(packet.size());
    flows_[flow_of(input.bytes)].push_back(input);
  }

  /// Removes from its flow the packets that an output stands for.
  [[nodiscard]] std::string remove(const GroRound::Output& output) {
    packets_ -= output.packets;
    bytes_ -= output.byte_count;
    if (output.slice_count > io::kMaxSlices) return "too many slices";
    if (output.bytes.size() > 65535 && output.slice_count != 0) return "too many bytes";
    auto& queue = flows_[flow_of(output.bytes)];
    if (output.slice_count == 0) {
      if (queue.empty()) return "a packet more than went in";
      if (output.bytes != queue.front().bytes) return "a packet was changed, or overtaken";
      if (output.offload != queue.front().offload) return "an offload was changed";
      queue.pop_front();
      return "";
    }
    const auto segments = slow_segment(output.bytes, output.offload);
    if (segments.size() != output.packets) return "cut into another number of packets";
    for (const Bytes& segment : segments) {
      if (queue.empty()) return "a segment more than packets went in";
      const bool is_free = queue.front().has_free_identification;
      const Bytes& before = queue.front().complete;
      if (is_free ? without_identification(segment) != without_identification(before)
                  : segment != before) {
        return "a segment is not the packet that went in";
      }
      queue.pop_front();
    }
    return cut(output.bytes, output.offload) == segments ? "" : "cut in another way";
  }

  [[nodiscard]] std::string end() const {
    for (const auto& [flow, queue] : flows_) {
      if (!queue.empty()) return "a packet did not come out";
    }
    return packets_ == 0 && bytes_ == 0 ? "" : "packets or bytes were miscounted";
  }

 private:
  /// Sets the fields to 0 that GRO and GSO may change.
  static Bytes without_identification(Bytes packet) {
    for (const std::size_t offset : {4u, 5u, 10u, 11u}) packet[offset] = std::byte{0};
    return packet;
  }

  std::map<std::uint8_t, std::deque<Input>> flows_;
  std::int64_t packets_ = 0, bytes_ = 0;
};

}  // namespace culvert::test
