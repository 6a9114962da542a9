// What a packet is looked up in: immutable, handed to the workers as one snapshot.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "engine/tunnel.h"
#include "engine/tunnel_table.h"

namespace culvert {

struct InnerPacket;

class Tables {
 public:
  explicit Tables(std::vector<Tunnel> tunnels)
      : tunnels_(std::move(tunnels)), by_outer_(tunnels_) {}
  Tables(const Tables&) = delete;  // the table points into the vector
  Tables& operator=(const Tables&) = delete;

  [[nodiscard]] const std::vector<Tunnel>& tunnels() const noexcept { return tunnels_; }
  [[nodiscard]] const TunnelTable& by_outer() const noexcept { return by_outer_; }

  /// The tunnel that an inner packet from TUN takes. A device has one tunnel, so it is that one; a
  /// table of inner prefixes has its place here.
  [[nodiscard]] const Tunnel* route(const InnerPacket&) const noexcept {
    return tunnels_.empty() ? nullptr : &tunnels_.front();
  }

 private:
  std::vector<Tunnel> tunnels_;
  TunnelTable by_outer_;
};

}  // namespace culvert
