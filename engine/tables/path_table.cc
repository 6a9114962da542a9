#include "engine/tables/path_table.h"

namespace culvert {

PathTable::PathTable(const TunnelSlots& tunnels) {
  for (const auto& tunnel : tunnels)
    if (tunnel) paths_.try_emplace(path_key(tunnel->config), tunnel->path);
}

PathTable::Entry PathTable::find_or_make(const TunnelConfig& config) {
  auto [entry, is_new] = paths_.try_emplace(path_key(config));
  if (is_new) entry->second = std::make_shared<Path>();
  return {entry->second, is_new};
}

}  // namespace culvert
