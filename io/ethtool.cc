#include "io/ethtool.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "io/fd.h"

namespace culvert::io {
namespace {

constexpr std::size_t kBlockBits = 32;

using Name = std::array<char, ETH_GSTRING_LEN>;

std::size_t blocks_of(std::size_t features) { return (features + kBlockBits - 1) / kBlockBits; }

class Ethtool {
 public:
  explicit Ethtool(const std::string& interface)
      : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    interface.copy(request_.ifr_name, IFNAMSIZ - 1);
  }
  /// Runs one command. Returns 0 or an errno.
  int run(void* command) noexcept {
    request_.ifr_data = static_cast<char*>(command);
    return ::ioctl(socket_.get(), SIOCETHTOOL, &request_) >= 0 ? 0 : errno;
  }

 private:
  Fd socket_;
  ifreq request_{};
};

/// One ethtool command: its structure and the array behind it, all zero.
template <class Head, class Element>
class Command {
 public:
  Command(std::uint32_t command, std::size_t count)
      : words_((sizeof(Head) + count * sizeof(Element)) / sizeof(std::uint32_t) + 1) {
    head().cmd = command;
  }
  [[nodiscard]] Head& head() { return *reinterpret_cast<Head*>(words_.data()); }
  [[nodiscard]] Element* elements() { return reinterpret_cast<Element*>(&head() + 1); }
  int run(Ethtool& ethtool) noexcept { return ethtool.run(words_.data()); }

 private:
  std::vector<std::uint32_t> words_;
};

}  // namespace

int read_features(const std::string& interface, std::vector<InterfaceFeature>& features) {
  Ethtool ethtool{interface};
  Command<ethtool_sset_info, std::uint32_t> size(ETHTOOL_GSSET_INFO, 1);
  size.head().sset_mask = std::uint64_t{1} << ETH_SS_FEATURES;
  if (const int error = size.run(ethtool); error != 0) return error;
  const std::uint32_t count = *size.elements();
  Command<ethtool_gstrings, Name> names(ETHTOOL_GSTRINGS, count);
  names.head().string_set = ETH_SS_FEATURES;
  names.head().len = count;
  if (const int error = names.run(ethtool); error != 0) return error;
  Command<ethtool_gfeatures, ethtool_get_features_block> state(ETHTOOL_GFEATURES, blocks_of(count));
  state.head().size = static_cast<std::uint32_t>(blocks_of(count));
  if (const int error = state.run(ethtool); error != 0) return error;
  features.clear();
  for (std::uint32_t bit = 0; bit < count; ++bit) {
    const Name& name = names.elements()[bit];
    const auto& block = state.elements()[bit / kBlockBits];
    features.push_back({.name = {name.data(), ::strnlen(name.data(), name.size())},
                        .is_on = (block.active >> bit % kBlockBits & 1) != 0,
                        .may_change = (block.available >> bit % kBlockBits & 1) != 0});
  }
  return 0;
}

int switch_off(const std::string& interface, const std::vector<InterfaceFeature>& features,
               const std::vector<bool>& off) {
  Ethtool ethtool{interface};
  const std::size_t blocks = blocks_of(features.size());
  Command<ethtool_sfeatures, ethtool_set_features_block> change(ETHTOOL_SFEATURES, blocks);
  change.head().size = static_cast<std::uint32_t>(blocks);
  for (std::size_t bit = 0; bit < features.size(); ++bit) {
    if (off[bit]) change.elements()[bit / kBlockBits].valid |= 1U << bit % kBlockBits;
  }
  return change.run(ethtool);
}

}  // namespace culvert::io
