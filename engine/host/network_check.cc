#include "engine/host/network_check.h"

#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>
#include <numeric>

namespace culvert::host {
namespace {

/// The bytes of an address; null: it is of another family.
template <class Address>
const void* bytes_of(const sockaddr& address) {
  if (sizeof(Address) == sizeof(in_addr) && address.sa_family == AF_INET)
    return &reinterpret_cast<const sockaddr_in&>(address).sin_addr;
  if (sizeof(Address) == sizeof(in6_addr) && address.sa_family == AF_INET6)
    return &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
  return nullptr;
}

/// The address and prefix length of an entry; length 0: it is of another family, or has no mask.
template <class Prefix>
Prefix prefix_of(const ifaddrs& entry) {
  Prefix prefix;
  auto& bytes = prefix.address.bytes;
  using Address = decltype(prefix.address);
  if (entry.ifa_addr == nullptr || entry.ifa_netmask == nullptr) return prefix;
  const void* const address = bytes_of<Address>(*entry.ifa_addr);
  const void* const mask = bytes_of<Address>(*entry.ifa_netmask);
  if (address == nullptr || mask == nullptr) return prefix;
  std::memcpy(bytes.data(), mask, bytes.size());
  prefix.length_bits = std::accumulate(
      bytes.begin(), bytes.end(), std::uint8_t{0}, [](std::uint8_t sum, std::byte byte) {
        return static_cast<std::uint8_t>(sum + std::popcount(std::to_integer<unsigned>(byte)));
      });
  std::memcpy(bytes.data(), address, bytes.size());
  return prefix;
}

bool is_link_local(const proto::Ipv6Prefix& prefix) { return prefix.address.is_link_local(); }
bool is_link_local(const proto::Ipv4Prefix& prefix) {
  return prefix.address.host() >> 16 == 0xa9fe;  // 169.254.0.0/16, RFC 3927
}

/// `own`: addresses of the device. `entry`: an address of another interface.
template <class Prefix>
void find_shared(const std::string& device, const std::vector<Prefix>& own, const ifaddrs& entry,
                 std::vector<std::string>& warnings) {
  const auto other = prefix_of<Prefix>(entry);
  constexpr auto kFullLength = 8 * sizeof other.address.bytes;
  if (other.length_bits == 0 || other.length_bits == kFullLength || is_link_local(other)) return;
  for (const Prefix& address : own) {
    if (address.network() != other.network()) continue;
    warnings.push_back("address " + address.to_text() + " of " + device + ": " + entry.ifa_name +
                       " has " + other.to_text() + ", so packets to " + other.network().to_text() +
                       " may leave by " + entry.ifa_name + ": give " + device +
                       " another network, or write /" + std::to_string(kFullLength));
  }
}

}  // namespace

std::vector<std::string> network_warnings(const DeviceSettings& settings) {
  std::vector<std::string> warnings;
  const std::string& device = settings.config.device;
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return warnings;
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owned{first, &::freeifaddrs};
  for (const ifaddrs* each = first; each != nullptr; each = each->ifa_next) {
    if (each->ifa_name == device) continue;
    find_shared(device, settings.addresses6, *each, warnings);
    find_shared(device, settings.addresses4, *each, warnings);
  }
  return warnings;
}

}  // namespace culvert::host
