// The next hop of outer packets that leave by a plain Ethernet interface: what a packet socket
// needs that sends them without asking for a route each time.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "proto/ethernet.h"

namespace culvert::io {

using proto::EthernetAddress;

/// Nothing is known, and packets go by the kernel's route, while `interface_index` is 0.
struct NextHop {
  std::uint32_t interface_index = 0;
  bool kernel_gso = false;  ///< super-packets are encapsulated and cut there (EncapsulatorProgram)
  EthernetAddress source;   ///< the interface's own
  EthernetAddress destination;  ///< of the gateway, or of the remote endpoint on the same link

  [[nodiscard]] explicit operator bool() const noexcept { return interface_index != 0; }
  friend bool operator==(const NextHop&, const NextHop&) = default;
};

/// A NextHop that one thread stores and any thread loads or clears, without a lock. It lies in
/// three words, each with the number of the store() it is from: words of different stores are never
/// put together. Relaxed throughout: a word says by itself which store it belongs to.
class AtomicNextHop {
 public:
  /// Nothing while a store() is under way: the packet goes by the kernel's route.
  [[nodiscard]] NextHop load() const noexcept {
    const Words words{words_[0].load(std::memory_order_relaxed),
                      words_[1].load(std::memory_order_relaxed),
                      words_[2].load(std::memory_order_relaxed)};
    const std::uint64_t number = words[0] & kNumberMask;
    if (number == 0 || (words[1] & kNumberMask) != number || (words[2] & kNumberMask) != number)
      return {};
    NextHop hop;
    hop.interface_index = static_cast<std::uint32_t>(words[0] >> 32);
    hop.kernel_gso = (words[0] & kKernelGso) != 0;
    hop.source = address_of(words[1]);
    hop.destination = address_of(words[2]);
    return hop;
  }

  /// One thread at a time.
  void store(const NextHop& hop) noexcept {
    if (!hop) return clear();
    if (++number_ > kNumberMask) number_ = 1;
    words_[0].store(
        std::uint64_t{hop.interface_index} << 32 | (hop.kernel_gso ? kKernelGso : 0) | number_,
        std::memory_order_relaxed);
    words_[1].store(word_of(hop.source) | number_, std::memory_order_relaxed);
    words_[2].store(word_of(hop.destination) | number_, std::memory_order_relaxed);
  }

  /// Any thread: what follows goes by the kernel's route.
  void clear() noexcept { words_[0].store(0, std::memory_order_relaxed); }
  /// The same, unless another one has been stored since `hop` was loaded.
  void clear(const NextHop& hop) noexcept {
    std::uint64_t first = words_[0].load(std::memory_order_relaxed);
    if (load() == hop) words_[0].compare_exchange_strong(first, 0, std::memory_order_relaxed);
  }

 private:
  using Words = std::array<std::uint64_t, 3>;
  static constexpr std::uint64_t kNumberMask = 0xffff;
  static constexpr std::uint64_t kKernelGso = 0x1'0000;

  static std::uint64_t word_of(const EthernetAddress& address) noexcept {
    std::uint64_t word = 0;
    for (const std::uint8_t byte : address.bytes) word = word << 8 | byte;
    return word << 16;
  }
  static EthernetAddress address_of(std::uint64_t word) noexcept {
    EthernetAddress address;
    for (std::size_t i = 0; i < address.bytes.size(); ++i)
      address.bytes[i] = static_cast<std::uint8_t>(word >> (56 - 8 * i));
    return address;
  }

  std::array<std::atomic<std::uint64_t>, 3> words_{};
  std::uint64_t number_ = 0;  ///< of the last store(); only its thread looks at it
};

}  // namespace culvert::io
