// The flow table compared with a std::map that does the same the slow way, over millions of random
// operations. Also with several threads at once: every pin found must be one that was stored. Times
// and states are the model's own, from the RFCs and the text of flow_state.h.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <set>
#include <thread>
#include <tuple>

#include "tests/engine/flows/flow_rig.h"

namespace culvert {
namespace {

using namespace test;

/// One flow of the model, for UDP, ICMP echo and TCP with SYN, ACK and RST.
struct ModelFlow {
  std::uint16_t slot = 0;
  bool opened_inbound = false;
  bool seen_in = false, seen_out = false;
  enum { alive, refused, was_reset } end = alive;
  std::int64_t last_seconds = 0, first_seconds = 0;
  std::uint64_t packets = 0;

  [[nodiscard]] bool is_answered() const { return seen_in && seen_out && end == alive; }
  [[nodiscard]] std::int64_t limit_seconds(std::uint8_t protocol) const {
    if (protocol == kTcpProtocol) return is_answered() ? 7440 : 240;
    if (protocol == kUdpProtocol) return is_answered() ? 300 : 30;
    return 60;
  }
};

class Model {
 public:
  using Key = std::pair<std::uint32_t, std::uint8_t>;

  ModelFlow* find(const Key& key, std::int64_t now) {
    const auto found = flows_.find(key);
    if (found == flows_.end()) return nullptr;
    if (now - found->second.last_seconds > found->second.limit_seconds(key.second)) {
      flows_.erase(found);
      return nullptr;
    }
    return &found->second;
  }
  void packet(const Key& key, bool is_in, std::uint8_t flags, std::uint16_t slot,
              std::int64_t now) {
    ModelFlow* flow = find(key, now);
    if (flow == nullptr) {
      flow = &flows_[key];
      *flow = {.slot = slot, .opened_inbound = is_in, .first_seconds = now};
      (is_in ? flow->seen_in : flow->seen_out) = true;
    } else {
      step(*flow, key.second, is_in, flags);
      if (is_in && flow->opened_inbound) flow->slot = slot;
    }
    flow->last_seconds = now;
    ++flow->packets;
  }
  void forget(std::uint16_t slot) {
    std::erase_if(flows_, [&](const auto& flow) { return flow.second.slot == slot; });
  }
  [[nodiscard]] std::map<Key, ModelFlow>& flows() { return flows_; }

 private:
  static void step(ModelFlow& flow, std::uint8_t protocol, bool is_in, std::uint8_t flags) {
    const bool is_tcp = protocol == kTcpProtocol;
    if (is_tcp && flow.end != ModelFlow::alive && flags == kSyn) {
      flow.end = ModelFlow::alive;
      flow.opened_inbound = is_in;
      flow.seen_in = is_in;
      flow.seen_out = !is_in;
    } else if (is_tcp && (flags & kRst) != 0) {
      if (flow.end == ModelFlow::alive)
        flow.end = flow.seen_in && flow.seen_out ? ModelFlow::was_reset : ModelFlow::refused;
    } else if (flow.end != ModelFlow::refused) {
      flow.end = ModelFlow::alive;
      (is_in ? flow.seen_in : flow.seen_out) = true;
    }
  }

  std::map<Key, ModelFlow> flows_;
};

constexpr std::uint16_t kTunnels = 6;

/// The table and the model; each step is applied to both.
class SideBySide {
 public:
  SideBySide(unsigned seed, std::chrono::seconds start) : random_(seed) { rig_.now += start; }

  void step() {
    const std::uint32_t dice = random() % 100'000;
    if (dice < 20) return forget(static_cast<std::uint16_t>(random() % kTunnels));
    if (dice < 200) return wait();
    const Model::Key key{random() % kKeys, kProtocols[random() % 3]};
    const FlowKey flow_key = FlowRig::key(key.first, key.second);
    const auto slot = static_cast<std::uint16_t>(random() % kTunnels);
    const std::uint8_t flags = kFlags[random() % std::size(kFlags)];
    ModelFlow* expected = model_.find(key, seconds());
    const auto found = rig_.find(flow_key);
    ASSERT_EQ(found.has_value(), expected != nullptr);
    if (found) {
      ASSERT_EQ(found->slot, expected->slot);
    }
    if (dice % 3 == 0) return;
    if (dice % 3 == 1) {
      rig_.in(flow_key, slot, flags);
    } else {
      ASSERT_EQ(rig_.out(flow_key, slot, flags), expected != nullptr ? expected->slot : slot);
    }
    model_.packet(key, dice % 3 == 1, flags, slot, seconds());
  }

  /// The table and the model contain the same flows with the same values.
  void compare() {
    std::size_t count = 0;
    for (const FlowRecord& record : rig_.all()) {
      const ModelFlow* flow = model_.find({record.key.word, record.key.protocol}, seconds());
      ASSERT_NE(flow, nullptr);
      EXPECT_EQ(record.pin.slot, flow->slot);
      EXPECT_EQ(record.packets, flow->packets);
      EXPECT_EQ(record.age.count(), seconds() - flow->first_seconds);
      EXPECT_EQ(record.idle.count(), seconds() - flow->last_seconds);
      EXPECT_EQ(record.tracked.opened == Direction::inbound, flow->opened_inbound);
      EXPECT_EQ(record.tracked.is_protected(), flow->is_answered());
      ++count;
    }
    std::erase_if(model_.flows(), [&](const auto& flow) {
      return seconds() - flow.second.last_seconds > flow.second.limit_seconds(flow.first.second);
    });
    EXPECT_EQ(count, model_.flows().size());
  }
  [[nodiscard]] FlowTable& table() { return rig_.table(); }

 private:
  static constexpr std::uint32_t kKeys = 2'000;
  static constexpr std::uint8_t kProtocols[] = {kTcpProtocol, kUdpProtocol, 58};
  static constexpr std::uint8_t kFlags[] = {kSyn, kAck, kAck, kAck, kRst};

  void forget(std::uint16_t slot) {
    rig_.table().forget(slot);
    model_.forget(slot);
  }
  void wait() {
    const unsigned kind = random() % 20;
    rig_.now += std::chrono::seconds{kind == 0 ? random() % 8'000 : random() % 20};
  }
  [[nodiscard]] std::int64_t seconds() const {
    return std::chrono::duration_cast<std::chrono::seconds>(rig_.now.time_since_epoch()).count();
  }

  [[nodiscard]] std::uint32_t random() { return static_cast<std::uint32_t>(random_()); }

  std::mt19937 random_;
  FlowRig rig_{16'384};  // large enough that nothing is evicted
  Model model_;
};

void run(unsigned seed, std::chrono::seconds start) {
  SideBySide both(seed, start);
  for (int i = 0; i < 1'000'000; ++i) {
    ASSERT_NO_FATAL_FAILURE(both.step()) << "seed " << seed << ", step " << i;
    if (i % 50'000 == 0) both.compare();
  }
  both.compare();
  EXPECT_EQ(both.table().counts().displaced, 0u);
}

TEST(FlowTableModel, AgreesOverAMillionSteps) { run(1, std::chrono::seconds{0}); }
TEST(FlowTableModel, AgreesOverAMillionOtherSteps) { run(2, std::chrono::seconds{0}); }
// The ticks wrap around during the test.
TEST(FlowTableModel, AgreesWhereTheTicksBeginAnew) { run(3, std::chrono::seconds{0xff'fff0}); }

// A full table may have evicted a flow, but its contents are correct: no flow has a pin that it
// never had, none has two entries, and there are never more than the capacity.
TEST(FlowTableModel, SaysNothingWrongWhenItIsFull) {
  FlowRig rig(1'024);
  std::map<std::uint32_t, std::uint16_t> last_slot;
  std::mt19937 random{4};
  for (int i = 0; i < 1'000'000; ++i) {
    if (random() % 1'000 == 0) rig.now += std::chrono::seconds{random() % 3};
    const auto number = static_cast<std::uint32_t>(random() % 4'096);
    const FlowKey key = FlowRig::key(number);
    if (random() % 2 == 0) {
      const auto slot = static_cast<std::uint16_t>(random() % kTunnels);
      rig.in(key, slot);
      last_slot[number] = slot;
    } else if (const auto found = rig.find(key)) {
      ASSERT_EQ(found, FlowRig::pin_of(last_slot[number]));
      if (random() % 4 == 0) rig.out(key, 0);
    }
  }
  std::set<std::uint32_t> numbers;
  for (const FlowRecord& flow : rig.all()) EXPECT_TRUE(numbers.insert(flow.key.word).second);
  EXPECT_LE(numbers.size(), rig.table().capacity());
  EXPECT_GT(numbers.size(), rig.table().capacity() * 9 / 10);
}

// ---- threads ------------------------------------------------------------------------------------

/// A pin that identifies its flow in each field.
FlowPin identifying_pin(std::uint32_t number, std::uint16_t slot) {
  return {.slot = slot,
          .local = proto::Ipv4Address::from_host(number * 64 + slot),
          .remote = proto::Ipv4Address::from_host(~(number * 64 + slot)),
          .interface_index = number * 64 + slot};
}

TEST(FlowTableThreads, FindNothingThatIsMixed) {
  constexpr std::uint32_t kNumbers = 600;  // in a table for 256: entries are reused all the time
  constexpr int kSteps = 200'000;
  FlowRig rig(256);
  FlowTable& table = rig.table();
  std::atomic<int> wrong{0};
  std::atomic<bool> stop{false};
  const auto work = [&](unsigned seed) {
    std::mt19937 random{seed};
    for (int i = 0; i < kSteps; ++i) {
      const auto number = static_cast<std::uint32_t>(random() % kNumbers);
      const FlowKey key = FlowRig::key(number);
      const auto hash = table.hash(key);
      const FlowStep step{.direction = Direction::inbound, .now = FlowTick{unsigned(i) / 1'000}};
      const auto slot = static_cast<std::uint16_t>(random() % kTunnels);
      if (random() % 2 == 0) {
        table.pin(key, hash, step, identifying_pin(number, slot));
      } else if (const auto pin = table.find(key, hash, step.now)) {
        wrong += *pin != identifying_pin(number, pin->slot);
      }
    }
  };
  std::thread owner([&] {
    while (!stop) {
      table.forget(3);
      table.for_each(FlowTick{}, [&](const FlowRecord& flow) {
        wrong += flow.pin != identifying_pin(flow.key.word, flow.pin.slot);
      });
      std::this_thread::yield();
    }
  });
  std::vector<std::thread> workers;
  for (unsigned seed = 1; seed <= 3; ++seed) workers.emplace_back(work, seed);
  for (auto& worker : workers) worker.join();
  stop = true;
  owner.join();
  EXPECT_EQ(wrong, 0);
  table.forget(3);
  table.for_each(FlowTick{200},
                 [](const FlowRecord& flow) { EXPECT_NE(flow.pin.slot, std::uint16_t{3}); });
}

// Two workers, one per direction: each packet is counted, and the flow keeps its entry.
TEST(FlowTableThreads, CountEachPacketOfAFlow) {
  constexpr std::uint32_t kPackets = 200'000;
  FlowRig rig;
  const FlowKey key = FlowRig::key(7);
  rig.in(key, 1);
  const auto work = [&](Direction direction) {
    const auto hash = rig.table().hash(key);
    for (std::uint32_t i = 0; i < kPackets; ++i) {
      const FlowStep step{.direction = direction, .now = FlowTick{i / 10'000}};
      if (direction == Direction::inbound) {
        rig.table().pin(key, hash, step, FlowRig::pin_of(1));
      } else {
        ASSERT_EQ(rig.table().pinned(key, hash, step), FlowRig::pin_of(1));
      }
    }
  };
  std::thread in([&] { work(Direction::inbound); });
  std::thread out([&] { work(Direction::outbound); });
  in.join();
  out.join();
  ASSERT_EQ(rig.all().size(), 1u);
  EXPECT_EQ(rig.all().front().packets, 2 * kPackets + 1);
}

}  // namespace
}  // namespace culvert
