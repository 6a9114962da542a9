#include "engine/model/encapsulation_names.h"

#include <algorithm>

#include "engine/model/encapsulations.h"

namespace culvert {
namespace {

/// The names of the encapsulations for which `is_wanted(Encapsulation{})` is true.
template <class Predicate>
std::vector<std::string_view> names_if(Predicate is_wanted) {
  std::vector<std::string_view> names;
  for_each_encapsulation([&](auto encapsulation) {
    if (is_wanted(encapsulation)) names.push_back(encapsulation.kName);
  });
  return names;
}

}  // namespace

std::vector<std::string_view> encapsulation_names() {
  return names_if([](auto) { return true; });
}

std::vector<std::string_view> encapsulations_that_carry(std::uint16_t protocol_type) {
  return names_if([&](auto encapsulation) { return encapsulation.carries(protocol_type); });
}

std::vector<std::string_view> encapsulations_with_option(std::string_view option) {
  return names_if([&](auto encapsulation) {
    const auto& options = encapsulation.kOptions;
    return std::any_of(options.begin(), options.end(),
                       [&](const auto& each) { return each.name == option; });
  });
}

std::string_view ip_version_name(std::uint16_t protocol_type) {
  return protocol_type == proto::kProtocolTypeIpv4 ? "IPv4" : "IPv6";
}

}  // namespace culvert
