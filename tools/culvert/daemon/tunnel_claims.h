// The outer packets that the tunnels of a process receive, as one process tells them to another: two
// that receive the same packets deliver both of them. Pure functions; any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/config.h"
#include "engine/model/outer_claim.h"

namespace culvert::program {

struct TunnelClaim {
  OuterClaim outer;
  std::string dev;  ///< the outer interface; empty: any
  std::string device, tunnel;
};

/// The claims of all tunnels but those with `remote any`: these share packets by inner source.
[[nodiscard]] std::vector<TunnelClaim> tunnel_claims(const Config& config);

/// One line: {"claims":[[41,null,"198.51.100.1","any","eth0","tun1","alice"],…]} with IP protocol, key,
/// remote, local, dev, device and tunnel.
[[nodiscard]] std::string claims_json(std::span<const TunnelClaim> claims);
/// Reads it. Leaves out what is no claim: another version of culvert may answer.
[[nodiscard]] std::vector<TunnelClaim> read_claims(std::string_view answer);

/// The pairs of one of `own` and one of `others` that receive the same packets. Here `any` and an
/// address overlap, unlike within a device. Takes n log n steps for n claims.
using SharedClaim = std::pair<const TunnelClaim*, const TunnelClaim*>;
[[nodiscard]] std::vector<SharedClaim> find_shared(std::span<const TunnelClaim> own,
                                                   std::span<const TunnelClaim> others);

}  // namespace culvert::program
