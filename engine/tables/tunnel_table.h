// TunnelTable: hash table from IP protocol, outer addresses and key to tunnel. Immutable after
// construction: any thread reads it.
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
  /// `tunnels` stays with the caller, unchanged, and must outlive the table.
  explicit TunnelTable(const TunnelSlots& tunnels);

  /// Returns the tunnel to which a received outer packet belongs; null: none. `source` is matched
  /// with the remote endpoint, `destination` with the local endpoint, and `key` with the input key
  /// (no key and key 0 differ: RFC 2890 2.1). Order of preference: both endpoints configured,
  /// `local any`, `remote any`, both `any`. `local any` matches the addresses in `own` and the
  /// address that the tunnel sends from; packets that this host forwards to other hosts do not
  /// match.
  [[nodiscard]] const Tunnel* find(std::uint8_t ip_protocol, proto::Ipv4Address source,
                                   proto::Ipv4Address destination, const proto::OptionalWord& key,
                                   const OwnAddresses& own) const noexcept;

  /// Predicts the slot of the tunnel that find() will return, without reading any Tunnel. nullopt:
  /// no prediction.
  [[nodiscard]] std::optional<std::uint32_t> predict_slot(
      std::uint8_t ip_protocol, proto::Ipv4Address source, proto::Ipv4Address destination,
      const proto::OptionalWord& key) const noexcept;

  /// Returns the tunnel that sent the outer packet that an ICMP error quotes. `key`: nullopt if the
  /// quote ends before the key field; it then matches any key.
  [[nodiscard]] const Tunnel* find_sender(std::uint8_t ip_protocol, proto::Ipv4Address source,
                                          proto::Ipv4Address destination,
                                          std::optional<proto::OptionalWord> key,
                                          const OwnAddresses& own) const noexcept;

 private:
  /// A look-up key. 0.0.0.0 is `any`. With matches_any_key the tunnel's key is not compared.
  struct Endpoints {
    proto::Ipv4Address remote, local;
    std::uint8_t ip_protocol = 0;
    std::uint64_t key = 0;  ///< 2^32 + the key; 0: no key
    bool matches_any_key = false;
  };
  /// Which kinds of `any` occur among the tunnels: look-ups for other kinds are skipped.
  struct Wildcards {
    bool local_any = false, remote_any = false, both_any = false;
  };
  using KeyOf = std::uint64_t (*)(const Tunnel&) noexcept;

  void insert(std::uint32_t slot, std::uint8_t ip_protocol);
  /// Inline: read from memory, the two addresses would be one load right behind two stores.
  [[nodiscard]] static std::uint64_t hash_of(const Endpoints& endpoints) noexcept {
    return detail::spread({std::uint64_t{endpoints.remote.host()} << 32 | endpoints.local.host(),
                           endpoints.key << 8 | endpoints.ip_protocol});
  }
  [[nodiscard]] const Tunnel* look_up(const IndexTable& table, KeyOf key_of,
                                      const Endpoints& endpoints) const noexcept;
  [[nodiscard]] const Tunnel* look_up_with_any(const IndexTable& table, KeyOf key_of,
                                               const Endpoints& endpoints,
                                               const OwnAddresses& own) const noexcept;

  const TunnelSlots& tunnels_;
  Wildcards wildcards_;
  IndexTable by_key_in_;   ///< by input key, for received packets
  IndexTable by_key_out_;  ///< by output key, for quotes of sent packets
  /// Without key, for quotes that end before it; one tunnel per pair of endpoints.
  IndexTable by_endpoints_;
};

}  // namespace culvert
