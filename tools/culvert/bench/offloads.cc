#include "tools/culvert/bench/offloads.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "io/fd.h"
#include "tools/culvert/bench/error.h"

namespace culvert::bench {
namespace {

/// One ethtool command: its structure, all zero, and the array behind it.
template <class Head, class Element>
class Command {
 public:
  Command(std::uint32_t command, std::size_t count)
      : words_((sizeof(Head) + count * sizeof(Element)) / sizeof(std::uint32_t) + 1) {
    head().cmd = command;
  }
  [[nodiscard]] Head& head() { return *reinterpret_cast<Head*>(words_.data()); }
  [[nodiscard]] Element* elements() { return reinterpret_cast<Element*>(&head() + 1); }

  [[nodiscard]] bool run(const io::Fd& socket, const std::string& device) {
    ifreq request{};
    device.copy(request.ifr_name, IFNAMSIZ - 1);
    request.ifr_data = reinterpret_cast<char*>(words_.data());
    return ::ioctl(socket.get(), SIOCETHTOOL, &request) >= 0;
  }

 private:
  std::vector<std::uint32_t> words_;
};

using Name = std::array<char, ETH_GSTRING_LEN>;

/// The names of all features, in the order of their bits. Empty: the device does not say.
std::vector<std::string> feature_names(const io::Fd& socket, const std::string& device) {
  Command<ethtool_sset_info, std::uint32_t> size(ETHTOOL_GSSET_INFO, 1);
  size.head().sset_mask = 1ULL << ETH_SS_FEATURES;
  if (!size.run(socket, device)) return {};
  const std::uint32_t count = *size.elements();
  Command<ethtool_gstrings, Name> strings(ETHTOOL_GSTRINGS, count);
  strings.head().string_set = ETH_SS_FEATURES;
  strings.head().len = count;
  if (!strings.run(socket, device)) return {};
  std::vector<std::string> names;
  for (std::uint32_t i = 0; i < count; ++i) {
    const Name& name = strings.elements()[i];
    names.emplace_back(name.data(), ::strnlen(name.data(), name.size()));
  }
  return names;
}

/// Segmentation, coalescing, checksums, and packets in pieces, by the kernel's names for them.
bool is_offload(std::string_view name) {
  for (const std::string_view part :
       {"segmentation", "gso", "gro", "lro", "checksum", "scatter-gather"}) {
    if (name.find(part) != std::string_view::npos) return true;
  }
  return false;
}

constexpr std::size_t kBlockBits = 32;

}  // namespace

Result<void> switch_off_offloads(const std::string& device) {
  const io::Fd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  if (!socket) return fail(errno, "open", "socket");
  const auto names = feature_names(socket, device);
  if (names.empty()) return fail(errno, "read", "features of " + device);
  const std::size_t blocks = (names.size() + kBlockBits - 1) / kBlockBits;
  Command<ethtool_sfeatures, ethtool_set_features_block> change(ETHTOOL_SFEATURES, blocks);
  Command<ethtool_gfeatures, ethtool_get_features_block> state(ETHTOOL_GFEATURES, blocks);
  change.head().size = state.head().size = static_cast<std::uint32_t>(blocks);
  if (!state.run(socket, device)) return fail(errno, "read", "features of " + device);
  for (std::size_t bit = 0; bit < names.size(); ++bit) {
    const std::uint32_t mask = 1U << bit % kBlockBits;
    const bool may_change = (state.elements()[bit / kBlockBits].available & mask) != 0;
    if (is_offload(names[bit]) && may_change) change.elements()[bit / kBlockBits].valid |= mask;
  }
  if (!change.run(socket, device)) return fail(errno, "switch off", "offloads of " + device);
  if (!state.run(socket, device)) return fail(errno, "read", "features of " + device);
  for (std::size_t bit = 0; bit < names.size(); ++bit) {
    const bool is_on = (state.elements()[bit / kBlockBits].active >> bit % kBlockBits & 1) != 0;
    if (is_on && is_offload(names[bit])) {
      return fail(0, "switch off", names[bit] + " of " + device,
                  "it stays on: figures would not be those of packets on a cable");
    }
  }
  return {};
}

}  // namespace culvert::bench
