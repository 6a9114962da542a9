#include "engine/tables/tunnel_selector.h"

namespace culvert {

TunnelSelector::TunnelSelector(const TunnelSlots& tunnels) : routes_(tunnels) {
  const Tunnel* only = nullptr;
  for (const auto& tunnel : tunnels) {
    if (!tunnel) continue;
    if (only != nullptr) return;
    only = tunnel.get();
  }
  if (only == nullptr || !only->config.is_catch_all()) return;
  rule_ = Rule::only_tunnel;
  only_ = TunnelChoice::slot(only->index);
}

}  // namespace culvert
