#include "bench/e2e/offloads.h"

#include <string_view>
#include <vector>

#include "bench/e2e/error.h"
#include "io/ethtool.h"

namespace culvert::bench {
namespace {

/// GSO, GRO, checksums and scatter-gather, by the kernel's names of the features.
bool is_offload(std::string_view name) {
  for (const std::string_view part :
       {"segmentation", "gso", "gro", "lro", "checksum", "scatter-gather"}) {
    if (name.find(part) != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace

Result<void> switch_off_offloads(const std::string& device) {
  std::vector<io::InterfaceFeature> features;
  const auto read = [&]() -> Result<void> {
    const int error = io::read_features(device, features);
    return error == 0 ? Result<void>{} : fail(error, "read", "features of " + device);
  };
  if (auto done = read(); !done) return done;
  std::vector<bool> off;
  for (const auto& feature : features)
    off.push_back(is_offload(feature.name) && feature.may_change);
  if (const int error = io::switch_off(device, features, off); error != 0)
    return fail(error, "switch off", "offloads of " + device);
  if (auto done = read(); !done) return done;
  for (const auto& feature : features) {
    if (feature.is_on && is_offload(feature.name)) {
      return fail(0, "switch off", feature.name + " of " + device,
                  "it stays on: figures would not be those of packets on a cable");
    }
  }
  return {};
}

}  // namespace culvert::bench
