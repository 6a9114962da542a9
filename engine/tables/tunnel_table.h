// Outer addresses and key to tunnel, by hash. Immutable after construction: any thread reads it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/tables/index_table.h"
#include "engine/tables/tunnel.h"

namespace culvert {

/// Tunnels by slot (Tunnel::index); null where a slot is free.
using TunnelSlots = std::vector<std::shared_ptr<const Tunnel>>;

/// IPv4 addresses of this host, sorted.
using OwnAddresses = std::vector<proto::Ipv4Address>;
[[nodiscard]] bool contains(const OwnAddresses& own, proto::Ipv4Address address) noexcept;

class TunnelTable {
 public:
  /// The tunnels are the caller's and must outlive the table, in their place.
  explicit TunnelTable(const TunnelSlots& tunnels);

  /// The tunnel that an outer packet belongs to: its protocol, its source as the remote endpoint,
  /// its key (no key and key 0 differ: RFC 2890 2.1), and its destination as the local endpoint.
  /// Those that say both are asked first, then `local any`, then `remote any`, then both. `local
  /// any` is every address of `own`, and the one that the tunnel sends from: what is forwarded
  /// through this host to another is none of ours. Null: none.
  [[nodiscard]] const Tunnel* find(std::uint8_t ip_protocol, proto::Ipv4Address source,
                                   proto::Ipv4Address destination, const proto::OptionalWord& key,
                                   const OwnAddresses& own) const noexcept;

  /// The slot of what find() will most likely find, without a look at any tunnel; nothing: no
  /// guess.
  [[nodiscard]] std::optional<std::uint32_t> predict_slot(
      std::uint8_t ip_protocol, proto::Ipv4Address source, proto::Ipv4Address destination,
      const proto::OptionalWord& key) const noexcept;

  /// The tunnel that sent an outer packet which an ICMP error quotes. `key`: nothing if the quote
  /// does not reach that far, which matches any.
  [[nodiscard]] const Tunnel* find_sender(std::uint8_t ip_protocol, proto::Ipv4Address source,
                                          proto::Ipv4Address destination,
                                          std::optional<proto::OptionalWord> key,
                                          const OwnAddresses& own) const noexcept;

 private:
  /// What is looked up: 0.0.0.0 is `any`. Without `key` the tunnel's is not looked at.
  struct Ends {
    proto::Ipv4Address remote, local;
    std::uint8_t ip_protocol = 0;
    std::uint64_t key = 0;  ///< 2^32 + the key; 0: none
    bool matches_any_key = false;
  };
  /// Which tunnels have their ends by themselves, which by `any`: kinds that nobody has are not
  /// asked for.
  struct Kinds {
    bool local_any = false, remote_any = false, both_any = false;
  };
  using KeyOf = std::uint64_t (*)(const Tunnel&) noexcept;

  [[nodiscard]] static std::uint64_t hash_of(const Ends& ends) noexcept;
  [[nodiscard]] const Tunnel* look_up(const IndexTable& table, KeyOf key_of,
                                      const Ends& ends) const noexcept;
  [[nodiscard]] const Tunnel* look_up_each(const IndexTable& table, KeyOf key_of, const Ends& ends,
                                           const OwnAddresses& own) const noexcept;

  const TunnelSlots& tunnels_;
  Kinds kinds_;
  IndexTable by_key_in_;   ///< of what is received
  IndexTable by_key_out_;  ///< of what was sent
  IndexTable by_ends_;     ///< of what was sent, where the quote does not reach the key: one each
};

}  // namespace culvert
