// The base chains of nftables, by nfnetlink. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace culvert::host {

struct BaseChain {
  std::uint8_t family = 0;  ///< NFPROTO_*
  std::string table, name;
  std::uint32_t hook = 0;        ///< NF_INET_* or, for NFPROTO_NETDEV, NF_NETDEV_*
  bool drops_by_policy = false;  ///< `policy drop`
};

/// Appends the base chains of all families. Returns 0 or an errno.
[[nodiscard]] int read_base_chains(std::vector<BaseChain>& chains);

}  // namespace culvert::host
