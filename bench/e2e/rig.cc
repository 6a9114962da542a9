#include "bench/e2e/rig.h"

#include <fstream>
#include <sstream>

#include "bench/e2e/links.h"
#include "bench/e2e/offloads.h"

namespace culvert::bench {
namespace {

struct Setting {
  const char* name;
  const char* value;
};
constexpr Setting kSettings[] = {{"ipv4/tcp_rmem", "4096 131072 6291456"},
                                 {"ipv4/tcp_wmem", "4096 16384 4194304"},
                                 {"ipv4/tcp_no_metrics_save", "1"},
                                 {"ipv4/ping_group_range", "0 2147483647"}};

Result<void> prepare_end(std::size_t end) {
  for (const Setting& setting : kSettings) {
    if (auto set = set_net_setting(setting.name, setting.value); !set) return set;
  }
  if (auto up = bring_up("lo"); !up) return up;
  if (auto off = switch_off_offloads(kWire); !off) return off;
  return bring_up(kWire, kWireMtuBytes, outer_address(end));
}

}  // namespace

proto::Ipv4Prefix outer_address(std::size_t end) {
  return *proto::Ipv4Prefix::from_text(end == 0 ? "192.0.2.1/24" : "192.0.2.2/24");
}

SentCount count_sent(const Namespace& where, const std::string& device) {
  const auto counted = where.inside([&]() -> Result<SentCount> {
    std::ifstream file{"/proc/thread-self/net/dev"};
    for (std::string line; std::getline(file, line);) {
      std::istringstream fields{line};
      std::string name;
      if (!(fields >> name) || name != device + ":") continue;
      std::uint64_t skipped = 0;
      for (int field = 0; field < 8; ++field) fields >> skipped;  // the RX counters
      SentCount count;
      fields >> count.bytes >> count.packets;
      return count;
    }
    return SentCount{};
  });
  return counted ? *counted : SentCount{};
}

Result<Rig> Rig::build() {
  auto a = Namespace::make();
  if (!a) return Unexpected{a.error()};
  auto b = Namespace::make();
  if (!b) return Unexpected{b.error()};
  Rig rig{{std::move(*a), std::move(*b)}};
  if (auto added = add_veth(kWire, rig.ends[0], rig.ends[1]); !added) {
    return Unexpected{added.error()};
  }
  for (std::size_t end = 0; end < kEnds; ++end) {
    auto prepared = rig.ends[end].inside([&] { return prepare_end(end); });
    if (!prepared) return Unexpected{prepared.error()};
  }
  return rig;
}

}  // namespace culvert::bench
