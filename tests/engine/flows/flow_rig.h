// A flow table with the test's hash key and clock, and flows by number.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <vector>

#include "engine/flows/flow_table.h"

namespace culvert::test {

inline constexpr std::uint8_t kTcpProtocol = 6, kUdpProtocol = 17;
inline constexpr std::uint8_t kSyn = 0x02, kAck = 0x10, kRst = 0x04;

class FlowRig {
 public:
  explicit FlowRig(std::size_t flows = 1'024, Time start = Time{std::chrono::hours{1}})
      : now(start), epoch_(start) {
    auto opened = FlowTable::open(flows, SipKey{1, 2}, epoch_);
    EXPECT_TRUE(opened);
    table_ = std::move(*opened);
  }

  /// The flow with a number; TCP and UDP flows differ.
  [[nodiscard]] static FlowKey key(std::uint32_t number, std::uint8_t protocol = kUdpProtocol) {
    FlowKey key{.far = *proto::Ipv6Address::from_text("2001:db8:f::1"),
                .near = *proto::Ipv6Address::from_text("2001:db8:e::1"),
                .word = number,
                .protocol = protocol};
    return key;
  }
  [[nodiscard]] static FlowPin pin_of(std::uint16_t slot) {
    return {.slot = slot,
            .local = proto::Ipv4Address::from_host(0xc000'0200u + slot),
            .remote = proto::Ipv4Address::from_host(0xc633'6400u + slot),
            .interface_index = 100u + slot};
  }

  void in(const FlowKey& key, std::uint16_t slot, std::uint8_t flags = 0,
          std::uint32_t packets = 1) {
    table_->pin(key, table_->hash(key), step(Direction::inbound, flags, packets), pin_of(slot));
  }
  /// An outbound packet: follows its pin, or else `route`. Returns the slot.
  std::uint16_t out(const FlowKey& key, std::uint16_t route, std::uint8_t flags = 0) {
    const auto hash = table_->hash(key);
    const auto packet = step(Direction::outbound, flags, 1);
    if (const auto pin = table_->pinned(key, hash, packet)) return pin->slot;
    table_->place(key, hash, packet, {.slot = route});
    return route;
  }
  [[nodiscard]] std::optional<FlowPin> find(const FlowKey& key) {
    return table_->find(key, table_->hash(key), table_->tick(now));
  }
  [[nodiscard]] std::vector<FlowRecord> all() {
    std::vector<FlowRecord> stats;
    table_->for_each(table_->tick(now), [&](const FlowRecord& record) { stats.push_back(record); });
    return stats;
  }
  [[nodiscard]] FlowStep step(Direction direction, std::uint8_t flags,
                              std::uint32_t packets) const {
    return {
        .direction = direction, .tcp_flags = flags, .packets = packets, .now = table_->tick(now)};
  }
  [[nodiscard]] FlowTable& table() noexcept { return *table_; }

  Time now;

 private:
  Time epoch_;
  std::unique_ptr<FlowTable> table_;
};

}  // namespace culvert::test
