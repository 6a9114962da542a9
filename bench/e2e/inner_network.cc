#include "bench/e2e/inner_network.h"

#include "proto/ipv4.h"

namespace culvert::bench {

std::uint8_t InnerNetwork::ip_protocol() const noexcept {
  return protocol_type_ == proto::kProtocolTypeIpv4 ? proto::kProtocolIpv4 : proto::kProtocolIpv6;
}

InnerPrefix InnerNetwork::prefix(std::size_t end) const {
  if (protocol_type_ == proto::kProtocolTypeIpv4)
    return *proto::Ipv4Prefix::from_text(end == 0 ? "10.0.0.1/24" : "10.0.0.2/24");
  return *proto::Ipv6Prefix::from_text(end == 0 ? "fd00:c::1/64" : "fd00:c::2/64");
}

InnerAddress InnerNetwork::address(std::size_t end) const {
  return std::visit([](const auto& with_length) { return InnerAddress{with_length.address}; },
                    prefix(end));
}

std::string to_text(const InnerPrefix& prefix) {
  return std::visit([](const auto& with_length) { return with_length.to_text(); }, prefix);
}

}  // namespace culvert::bench
