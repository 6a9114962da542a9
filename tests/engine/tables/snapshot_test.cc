#include "engine/tables/snapshot.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace culvert {
namespace {

/// A table whose two halves must agree, and which reports when it is freed.
struct Pair {
  explicit Pair(int value, std::atomic<int>& alive) : a(value), b(value), alive_(alive) {
    ++alive_;
  }
  ~Pair() {
    a = -1;
    b = -2;
    --alive_;
  }
  int a, b;
  std::atomic<int>& alive_;
};

TEST(Snapshot, GivesTheNewestValue) {
  std::atomic<int> alive{0};
  Snapshot<Pair> snapshot(std::make_unique<Pair>(1, alive), 1);
  EXPECT_EQ(snapshot.read(0).a, 1);
  snapshot.deactivate(0);
  snapshot.publish(std::make_unique<Pair>(2, alive), [] {});
  EXPECT_EQ(snapshot.read(0).a, 2);
  EXPECT_EQ(snapshot.current().a, 2);
  EXPECT_EQ(alive, 1);
}

TEST(Snapshot, FreesNothingThatAReaderUses) {
  std::atomic<int> alive{0};
  Snapshot<Pair> snapshot(std::make_unique<Pair>(0, alive), 2);
  std::atomic<bool> stop{false};
  std::atomic<int> torn{0};
  std::vector<std::thread> readers;
  for (std::size_t n = 0; n < 2; ++n) {
    snapshot.activate(n);
    readers.emplace_back([&, n] {
      while (!stop) {
        const Pair& pair = snapshot.read(n);
        for (int i = 0; i < 100; ++i) torn += pair.a != pair.b;
      }
    });
  }
  for (int value = 1; value <= 500; ++value)
    snapshot.publish(std::make_unique<Pair>(value, alive), [] {});
  stop = true;
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(torn, 0);
  EXPECT_EQ(alive, 1);
}

TEST(Snapshot, WaitsForAReaderInItsRound) {
  std::atomic<int> alive{0};
  Snapshot<Pair> snapshot(std::make_unique<Pair>(1, alive), 1);
  snapshot.activate(0);
  const Pair& in_use = snapshot.read(0);
  std::atomic<bool> published{false};
  std::atomic<bool> woken{false};
  std::thread writer([&] {
    snapshot.publish(std::make_unique<Pair>(2, alive), [&] { woken = true; });
    published = true;
  });
  while (!woken) std::this_thread::yield();
  EXPECT_EQ(in_use.a, 1);  // the round goes on with what it began with
  EXPECT_FALSE(published);
  EXPECT_EQ(snapshot.read(0).a, 2);
  writer.join();
  EXPECT_TRUE(published);
}

}  // namespace
}  // namespace culvert
