// PathTable: the paths in use, by PathKey. Tunnels with the same key share one Path: its route is
// looked up once, and a path MTU that one of them learns holds for all (RFC 1191 3: it belongs to the
// destination, not to a flow). One thread.
#pragma once

#include <map>
#include <memory>

#include "engine/tables/tunnel_table.h"

namespace culvert {

class PathTable {
 public:
  /// The paths of `tunnels`.
  explicit PathTable(const TunnelSlots& tunnels);

  struct Entry {
    std::shared_ptr<Path> path;
    bool is_new = false;  ///< has initial values; the caller looks up the route
  };
  /// The path of a tunnel with this configuration; a new one if no tunnel has used it yet.
  [[nodiscard]] Entry find_or_make(const TunnelConfig& config);

 private:
  std::map<PathKey, std::shared_ptr<Path>> paths_;
};

}  // namespace culvert
