#include "io/route_lookup.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>

#include "io/sort_unique.h"
#include "proto/byte_order.h"

namespace culvert::io {
namespace {

sockaddr_in socket_address(proto::Ipv4Address address, std::uint16_t port) noexcept {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_port = proto::swap_if_little(port);
  std::memcpy(&result.sin_addr, address.bytes.data(), sizeof result.sin_addr);
  return result;
}

bool connect_to(const Fd& socket, const sockaddr_in& address) noexcept {
  return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

bool RouteLookup::open(const std::string& device,
                       std::optional<proto::Ipv4Address> source) noexcept {
  socket_ = Fd{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  is_bound_to_device_ = !device.empty();
  source_ = source;
  if (!socket_) return false;
  if (is_bound_to_device_ && ::setsockopt(socket_.get(), SOL_SOCKET, SO_BINDTODEVICE, device.data(),
                                          static_cast<socklen_t>(device.size())) != 0)
    return false;
  if (!source) return true;
  const auto address = socket_address(*source, 0);
  return ::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

std::optional<RouteFacts> RouteLookup::look_up(const std::string& device, proto::Ipv4Address remote,
                                               std::optional<proto::Ipv4Address> source) noexcept {
  sockaddr_in address{};  // connecting to AF_UNSPEC makes the socket forget its last route
  // The name may belong to another interface now, so a socket that is bound to one is not reused.
  const bool is_reusable = socket_ && device.empty() && !is_bound_to_device_ && source_ == source;
  if (!(is_reusable && connect_to(socket_, address)) && !open(device, source)) {
    socket_.reset();
    return std::nullopt;
  }
  constexpr std::uint16_t kDiscardPort = 9;  // any port: nothing is sent
  address = socket_address(remote, kDiscardPort);
  if (!connect_to(socket_, address)) return std::nullopt;
  socklen_t size = sizeof address;
  if (::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    return std::nullopt;
  int mtu = 0;
  size = sizeof mtu;
  if (::getsockopt(socket_.get(), IPPROTO_IP, IP_MTU, &mtu, &size) != 0) return std::nullopt;
  RouteFacts facts;
  facts.mtu_bytes = static_cast<std::uint16_t>(std::min(mtu, 0xffff));
  std::memcpy(facts.source.bytes.data(), &address.sin_addr, sizeof address.sin_addr);
  return facts;
}

std::uint32_t interface_index(const std::string& name) noexcept {
  return ::if_nametoindex(name.c_str());
}

namespace {

/// `address`: a sockaddr_in.
proto::Ipv4Address to_ipv4(const sockaddr& address) noexcept {
  sockaddr_in copy;
  std::memcpy(&copy, &address, sizeof copy);
  proto::Ipv4Address result;
  std::memcpy(result.bytes.data(), &copy.sin_addr, sizeof copy.sin_addr);
  return result;
}

}  // namespace

std::uint16_t min_path_mtu_bytes() {
  constexpr int kDefault = 552, kSmallest = 68;
  std::ifstream file{"/proc/sys/net/ipv4/route/min_pmtu"};
  int bytes = 0;
  if (!(file >> bytes)) bytes = kDefault;
  return static_cast<std::uint16_t>(std::clamp(bytes, kSmallest, 0xffff));
}

Result<std::vector<proto::Ipv4Prefix>> own_ipv4_subnets() {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) {
    return Unexpected{Error{
        .code = errno, .operation = "read", .object = "addresses of this host", .advice = ""}};
  }
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owned{first, &::freeifaddrs};
  std::vector<proto::Ipv4Prefix> subnets;
  for (const ifaddrs* each = first; each != nullptr; each = each->ifa_next) {
    if (each->ifa_addr == nullptr || each->ifa_addr->sa_family != AF_INET) continue;
    subnets.push_back({.address = to_ipv4(*each->ifa_addr), .length_bits = 32});
    if (each->ifa_netmask == nullptr) continue;
    subnets.back().length_bits =
        static_cast<std::uint8_t>(std::popcount(to_ipv4(*each->ifa_netmask).host()));
  }
  return subnets;
}

Result<std::vector<proto::Ipv4Address>> own_ipv4_addresses() {
  const auto subnets = own_ipv4_subnets();
  if (!subnets) return Unexpected{subnets.error()};
  std::vector<proto::Ipv4Address> addresses;
  addresses.reserve(subnets->size());
  for (const proto::Ipv4Prefix& subnet : *subnets) addresses.push_back(subnet.address);
  sort_unique(addresses);
  return addresses;
}

}  // namespace culvert::io
