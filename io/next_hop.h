// The next hop of outer packets that leave by an ordinary Ethernet interface: the interface and the
// two Ethernet addresses. A packet socket sends with it and needs no route look-up per packet.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "proto/ethernet.h"

namespace culvert::io {

using proto::EthernetAddress;

/// If `interface_index` is 0, the next hop is unknown and packets follow the kernel's route.
struct NextHop {
  std::uint32_t interface_index = 0;
  bool kernel_gso = false;  ///< the kernel encapsulates and segments there (EncapsulatorProgram)
  EthernetAddress source;   ///< of the interface
  EthernetAddress destination;  ///< of the gateway, or of the remote endpoint on the same link

  [[nodiscard]] explicit operator bool() const noexcept { return interface_index != 0; }
  friend bool operator==(const NextHop&, const NextHop&) = default;
};

/// A NextHop that one thread stores and any thread loads or clears, without a lock. It consists of
/// three words. Each word holds the number of its store(), so load() never combines words of
/// different stores. All orders are relaxed: a word by itself identifies its store.
class AtomicNextHop {
 public:
  /// The last stored next hop. During a store() the result is empty: that packet follows the
  /// kernel's route.
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

  /// Replaces the next hop. One thread at a time.
  void store(const NextHop& hop) noexcept {
    if (!hop) return clear();
    if (++number_ > kNumberMask) number_ = 1;
    const std::uint64_t flags = hop.kernel_gso ? kKernelGso : 0;
    words_[0].store(std::uint64_t{hop.interface_index} << 32 | flags | number_,
                    std::memory_order_relaxed);
    words_[1].store(word_of(hop.source) | number_, std::memory_order_relaxed);
    words_[2].store(word_of(hop.destination) | number_, std::memory_order_relaxed);
  }

  /// Makes the next packets follow the kernel's route. Any thread.
  void clear() noexcept { words_[0].store(0, std::memory_order_relaxed); }
  /// The same, unless another next hop has been stored since `hop` was loaded.
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
  std::uint64_t number_ = 0;  ///< of the last store(); only the storing thread uses it
};

}  // namespace culvert::io
