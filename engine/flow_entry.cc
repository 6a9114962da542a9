#include "engine/flow_entry.h"

#include <cstring>

#include "proto/byte_order.h"

namespace culvert {
namespace {

constexpr int kReadAttempts = 64;
constexpr std::uint32_t kMaxInterfaceIndex = 0xff'ffff;
constexpr int kInterfaceShift = 16;

template <class To, class From>
To bits_of(const From& from) noexcept {
  static_assert(sizeof(To) == sizeof(From));
  return std::bit_cast<To>(from);
}

}  // namespace

FlowImage FlowImage::of(const FlowKey& key, const FlowPin& pin, FlowPulse pulse,
                        FlowTick created) noexcept {
  FlowImage image;
  std::memcpy(&image.words[0], key.far.bytes.data(), sizeof key.far);
  std::memcpy(&image.words[2], key.near.bytes.data(), sizeof key.near);
  image.words[4] = std::uint64_t{key.word} << 32 | std::uint64_t{created.value()} << kCreatedShift |
                   key.protocol;
  image.words[5] = std::uint64_t{pin.local.host()} << 32 | pin.remote.host();
  const std::uint64_t interface =
      pin.interface_index <= kMaxInterfaceIndex ? pin.interface_index : 0;
  image.words[6] = interface << kInterfaceShift | pin.slot;
  image.words[7] = pulse.word();
  return image;
}

/// The acquire of word 6 pairs with the release in give_back(): what was written before is seen.
/// The acquires of the others keep the second look at word 6 behind them, and pair with the
/// releases of who writes them: if one is of a later writer, so is word 6 then.
bool FlowImage::read(FlowEntry& entry) noexcept {
  const auto pin_word = entry.word(FlowEntry::kPinWord);
  for (int attempt = 0; attempt < kReadAttempts; ++attempt) {
    words[6] = pin_word.load(std::memory_order_acquire);
    if (FlowEntry::is_taken(words[6])) continue;
    for (const std::size_t i : {0, 1, 2, 3, 4, 5, 7})
      words[i] = entry.word(i).load(std::memory_order_acquire);
    if (pin_word.load(std::memory_order_relaxed) == words[6]) return true;
  }
  return false;
}

FlowKey FlowImage::key() const noexcept {
  FlowKey key;
  std::memcpy(key.far.bytes.data(), &words[0], sizeof key.far);
  std::memcpy(key.near.bytes.data(), &words[2], sizeof key.near);
  key.word = static_cast<std::uint32_t>(words[4] >> 32);
  key.protocol = protocol();
  return key;
}

FlowPin FlowImage::pin() const noexcept {
  return {.slot = static_cast<std::uint16_t>(words[6]),
          .local = proto::Ipv4Address::from_host(static_cast<std::uint32_t>(words[5] >> 32)),
          .remote = proto::Ipv4Address::from_host(static_cast<std::uint32_t>(words[5])),
          .interface_index =
              static_cast<std::uint32_t>(words[6] >> kInterfaceShift) & kMaxInterfaceIndex};
}

}  // namespace culvert
