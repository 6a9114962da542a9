// Workers share no cache line on the hot path. Two workers run over real queues, and all their
// memory is recorded. The lines that one worker writes while it forwards, found by comparing memory
// before and after, contain no byte of the other worker, and the other worker does not write them.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <new>
#include <set>
#include <string>
#include <vector>

#include "engine/forward/worker.h"
#include "io/bpf/encapsulator_program.h"
#include "io/poller.h"
#include "io/ring.h"
#include "tests/support/packet_builder.h"
#include "tests/support/packet_pair.h"
#include "tests/support/tunnel_rig.h"

namespace {

// ---- allocations by owner -----------------------------------------------------------------------

enum class Owner : std::uint8_t { nobody, both, first, second };
constexpr std::size_t kMaxBlocks = 1000;

struct Block {
  void* address = nullptr;
  std::size_t bytes = 0;
  Owner owner = Owner::nobody;
};
// Not a container, because containers allocate. Only one thread of the test allocates, so no lock
// is needed.
std::array<Block, kMaxBlocks> blocks;
std::size_t block_count = 0;
thread_local Owner recording = Owner::nobody;

void* try_to_allocate(std::size_t bytes, std::size_t alignment) noexcept {
  void* address =
      alignment <= alignof(std::max_align_t)
          ? std::malloc(bytes)
          : std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (address != nullptr && recording != Owner::nobody) {
    if (block_count == kMaxBlocks) std::abort();
    blocks[block_count++] = {address, bytes, recording};
  }
  return address;
}

void* allocate(std::size_t bytes, std::size_t alignment) {
  void* address = try_to_allocate(bytes, alignment);
  if (address == nullptr) throw std::bad_alloc{};
  return address;
}

void deallocate(void* address) noexcept {
  if (recording != Owner::nobody) {
    for (std::size_t i = 0; i < block_count; ++i) {
      if (blocks[i].address == address) blocks[i] = blocks[--block_count];
    }
  }
  std::free(address);
}

}  // namespace

void* operator new(std::size_t bytes) { return allocate(bytes, 1); }
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  return try_to_allocate(bytes, 1);
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* address) noexcept { deallocate(address); }
void operator delete(void* address, std::size_t) noexcept { deallocate(address); }
void operator delete(void* address, std::align_val_t) noexcept { deallocate(address); }
void operator delete(void* address, std::size_t, std::align_val_t) noexcept { deallocate(address); }

namespace culvert {
namespace {

using test::Bytes;

/// Records the allocations of this thread during its lifetime.
class For {
 public:
  explicit For(Owner owner) { recording = owner; }
  For(const For&) = delete;
  For& operator=(const For&) = delete;
  ~For() { recording = Owner::nobody; }
};

constexpr std::size_t kLineBytes = io::kCacheLineBytes;
// Members of one array, or objects from make_shared(). Packet buffers and TunnelStats are mapped,
// so they are whole pages.
static_assert(alignof(Worker) == kLineBytes && alignof(DeviceCounters) == kLineBytes);
static_assert(alignof(io::EncapsulatorSlot) == kLineBytes);

using Lines = std::set<std::uintptr_t>;

std::uintptr_t line_of(const void* address) {
  return reinterpret_cast<std::uintptr_t>(address) / kLineBytes;
}

/// All cache lines with a byte of an owner.
Lines lines_of(Owner owner) {
  Lines lines;
  for (std::size_t i = 0; i < block_count; ++i) {
    if (blocks[i].owner != owner) continue;
    const auto* begin = static_cast<const std::byte*>(blocks[i].address);
    for (auto line = line_of(begin); line <= line_of(begin + blocks[i].bytes - 1); ++line)
      lines.insert(line);
  }
  return lines;
}

/// A copy of all blocks.
class Image {
 public:
  Image() {
    for (std::size_t i = 0; i < block_count; ++i) {
      const auto* begin = static_cast<const std::byte*>(blocks[i].address);
      copies_.emplace_back(begin, begin + blocks[i].bytes);
    }
  }
  /// The lines that were written since the copy.
  [[nodiscard]] Lines changed() const {
    Lines lines;
    for (std::size_t i = 0; i < copies_.size(); ++i) {
      const auto* now = static_cast<const std::byte*>(blocks[i].address);
      for (std::size_t at = 0; at < copies_[i].size(); ++at) {
        if (now[at] != copies_[i][at]) lines.insert(line_of(now + at));
      }
    }
    return lines;
  }

 private:
  std::vector<Bytes> copies_;
};

Lines common(const Lines& a, const Lines& b) {
  Lines lines;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::inserter(lines, lines.end()));
  return lines;
}

// ---- two workers --------------------------------------------------------------------------------

TunnelConfig config() {
  TunnelConfig config = test::sit_config();
  config.pmtudisc = false;  // so that the worker writes the tunnel's next identification
  return config;
}

constexpr io::NextHop kNextHop{.interface_index = 1, .source = {}, .destination = {}};

struct Way {
  bool is_ring;
  bool is_by_link;  ///< packet sockets send to the next hop
};

/// A worker and its memory, recorded for one owner.
class Core {
 public:
  Core(Owner owner, std::size_t index, const Way& way, Snapshot<Tables>& tables)
      : sent_(way.is_by_link ? packet_send_.b : send_.b) {
    io::WorkerDescriptors descriptors;
    descriptors.receive_kind = io::ReceiveKind::raw;
    descriptors.tun = std::move(tun_.a);
    descriptors.send = std::move(send_.a);
    descriptors.packet_send = std::move(packet_send_.a);
    descriptors.icmp = std::move(icmp_.a);
    const For recorded(owner);
    descriptors.receive.push_back(std::move(receive_.a));
    const io::QueueSizes sizes{.tun_packets = 8, .tunnel_packets = 8, .icmp_packets = 4};
    auto queues = way.is_ring ? io::open_ring(std::move(descriptors), sizes, {}, "memory")
                              : io::open_poller(std::move(descriptors), sizes, {}, "memory");
    if (!queues) return;
    worker_ = std::make_unique<Worker>(
        std::move(*queues), tables,
        WorkerOptions{.index = index, .sizes = sizes, .receive = io::ReceiveKind::raw});
    EXPECT_TRUE(worker_->prepare(0));
  }

  [[nodiscard]] bool is_open() const { return worker_ != nullptr; }

  /// Packets in both directions, one by one and several per round; two that are too big, and an
  /// ICMP error about one of our packets.
  void forward(std::uint8_t seed) {
    const auto inner = [&](std::size_t bytes) {
      return test::ipv6("2001:db8::1", "2001:db8:1::2") / test::udp(seed, 2) /
             test::payload(test::pattern(bytes, seed));
    };
    for (std::size_t round = 0; round < 6; ++round) {
      for (std::size_t i = 0; i <= round; ++i) {
        put_to_tun(inner(100 + i));
        test::put(receive_.b, test::ipv4("198.51.100.1", "192.0.2.1") / inner(200 + i));
      }
      put_to_tun(inner(1470));
      test::put(icmp_.b,
                test::ipv4("198.51.100.9", "192.0.2.1") / test::payload(test::pattern(60, seed)));
      EXPECT_TRUE(worker_->round(std::chrono::milliseconds{0}, now_ += std::chrono::seconds{2}));
      EXPECT_TRUE(worker_->round(std::chrono::milliseconds{0}, now_));
      EXPECT_GT(count(sent_), round);
      EXPECT_GT(count(tun_.b), round);
    }
  }

 private:
  void put_to_tun(const Bytes& packet) const {
    Bytes bytes(10);  // an empty virtio header
    bytes.insert(bytes.end(), packet.begin(), packet.end());
    test::put(tun_.b, bytes);
  }
  static std::size_t count(const io::Fd& end) {
    std::size_t packets = 0;
    while (!test::receive(end).empty()) ++packets;
    return packets;
  }

  test::PacketPair tun_, receive_, send_, packet_send_, icmp_;
  const io::Fd& sent_;  ///< receives the sent packets
  std::unique_ptr<Worker> worker_;
  Time now_{std::chrono::hours{1}};
};

class CacheLines : public ::testing::TestWithParam<Way> {
 protected:
  void SetUp() override {
    if (GetParam().is_ring && !io::probe_ring()) GTEST_SKIP() << "io_uring is refused here";
    block_count = 0;
  }
};

TEST_P(CacheLines, AreNotSharedByWorkers) {
  std::unique_ptr<Snapshot<Tables>> tables;
  {
    const For recorded(Owner::both);
    const Tunnel tunnel = test::make_tunnel(config(), 1480, 1500);
    if (GetParam().is_by_link) tunnel.path->next_hop.store(kNextHop);
    tables = std::make_unique<Snapshot<Tables>>(std::make_unique<Tables>(std::vector{tunnel}), 2);
  }
  Core first(Owner::first, 0, GetParam(), *tables);
  Core second(Owner::second, 1, GetParam(), *tables);
  ASSERT_TRUE(first.is_open() && second.is_open());
  const Lines firsts = lines_of(Owner::first), seconds = lines_of(Owner::second);
  first.forward(1);  // one-time writes of the first round do not count
  second.forward(2);

  const Image before_first;
  first.forward(3);
  const Lines first_writes = before_first.changed();
  const Image before_second;
  second.forward(4);
  const Lines second_writes = before_second.changed();

  EXPECT_GT(first_writes.size(), 10u);
  EXPECT_GT(second_writes.size(), 10u);
  EXPECT_EQ(common(first_writes, second_writes), Lines{});
  EXPECT_EQ(common(first_writes, seconds), Lines{});
  EXPECT_EQ(common(second_writes, firsts), Lines{});
  // Nobody writes memory that both read, except the element in which a reader records the snapshot
  // that it uses; here it keeps the same value.
  const Lines shared = lines_of(Owner::both);
  EXPECT_EQ(common(first_writes, shared), Lines{});
  EXPECT_EQ(common(second_writes, shared), Lines{});
}

INSTANTIATE_TEST_SUITE_P(PacketIo, CacheLines,
                         ::testing::Values(Way{false, false}, Way{false, true}, Way{true, false},
                                           Way{true, true}),
                         [](const auto& test) {
                           return std::string(test.param.is_ring ? "Ring" : "Poller") +
                                  (test.param.is_by_link ? "ByLink" : "ByRoute");
                         });

}  // namespace
}  // namespace culvert
