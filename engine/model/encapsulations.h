// The list of encapsulations and dispatch over it. No other file of engine/ names them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <variant>

#include "proto/any_ip.h"
#include "proto/gre.h"
#include "proto/ipip.h"
#include "proto/six_in_four.h"

namespace culvert {

/// All encapsulations. A new one is added here and nowhere else in engine/.
using Encapsulations = std::tuple<proto::SixInFour, proto::Ipip, proto::AnyIp, proto::Gre>;

namespace detail {
template <class List>
struct ParametersOf;
template <class... E>
struct ParametersOf<std::tuple<E...>> {
  using OfOne = std::variant<typename E::Parameters...>;
  using OfEach = std::tuple<typename E::Parameters...>;
};
template <class P, class List>
struct EncapsulationOf;
template <class P, class... E>
struct EncapsulationOf<P, std::tuple<E...>> {
  template <class Candidate>
  static constexpr bool matches = std::is_same_v<typename Candidate::Parameters, P>;
  using type =
      std::tuple_element_t<0, decltype(std::tuple_cat(std::conditional_t<matches<E>, std::tuple<E>,
                                                                         std::tuple<>>{}...))>;
};
/// Tries the encapsulations in the order of the list, and the rules of each.
template <class E, class... Others>
proto::Parsed<proto::Payload> decapsulate_as(std::type_identity<std::tuple<E, Others...>>,
                                             std::uint8_t ip_protocol,
                                             std::span<const std::byte> datagram,
                                             proto::ChecksumCheck check) noexcept {
  for (const proto::DemuxRule& rule : E::kDemux)
    if (rule.ip_protocol == ip_protocol) return E::decapsulate(datagram, check, rule);
  if constexpr (sizeof...(Others) > 0)
    return decapsulate_as(std::type_identity<std::tuple<Others...>>{}, ip_protocol, datagram,
                          check);
  return Unexpected{proto::Malformed::unknown_protocol_type};
}

}  // namespace detail

/// The parameters of one encapsulation; the alternative held is the encapsulation that a tunnel
/// uses.
using Parameters = detail::ParametersOf<Encapsulations>::OfOne;

/// The parameters of each encapsulation, for a tunnel whose encapsulation is not known yet.
using ParametersOfEach = detail::ParametersOf<Encapsulations>::OfEach;

/// Calls `function(Encapsulation{}, parameters)` with the encapsulation to which the parameters
/// belong.
template <class Function>
constexpr decltype(auto) dispatch(const Parameters& parameters, Function&& function) {
  return std::visit(
      [&](const auto& own) -> decltype(auto) {
        using E =
            typename detail::EncapsulationOf<std::decay_t<decltype(own)>, Encapsulations>::type;
        return function(E{}, own);
      },
      parameters);
}

/// Calls `function(Encapsulation{})` for each encapsulation, in the order of the list.
template <class Function>
constexpr void for_each_encapsulation(Function&& function) {
  std::apply([&](auto... each) { (function(each), ...); }, Encapsulations{});
}

/// Calls `function(rule)` with each DemuxRule of an encapsulation.
template <class Function>
constexpr void for_each_demux_rule(const Parameters& parameters, Function&& function) {
  dispatch(parameters, [&](auto encapsulation, const auto&) {
    for (const proto::DemuxRule& rule : encapsulation.kDemux) function(rule);
  });
}

/// Returns whether an encapsulation has this IP protocol.
[[nodiscard]] constexpr bool is_encapsulation_protocol(std::uint8_t ip_protocol) noexcept {
  bool is_known = false;
  for_each_encapsulation([&](auto encapsulation) {
    for (const proto::DemuxRule& rule : encapsulation.kDemux)
      is_known |= rule.ip_protocol == ip_protocol;
  });
  return is_known;
}

/// Removes the encapsulation header. `datagram`: the bytes behind the outer header; untrusted.
/// `ip_protocol`: the protocol of the outer header, which selects the encapsulation. Fails as that
/// encapsulation's decapsulate(), or with unknown_protocol_type if no encapsulation has this
/// protocol.
[[nodiscard]] inline proto::Parsed<proto::Payload> decapsulate(
    std::uint8_t ip_protocol, std::span<const std::byte> datagram,
    proto::ChecksumCheck check) noexcept {
  return detail::decapsulate_as(std::type_identity<Encapsulations>{}, ip_protocol, datagram, check);
}

/// Size in bytes of the largest encapsulation header (between outer header and payload packet).
inline constexpr std::size_t kMaxOverheadBytes =
    std::apply([](auto... each) { return std::max({decltype(each)::kMaxOverheadBytes...}); },
               Encapsulations{});

/// The largest number of IP protocols of one tunnel.
inline constexpr std::size_t kMaxDemuxRules =
    std::apply([](auto... each) { return std::max({each.kDemux.size()...}); }, Encapsulations{});

/// Returns whether the encapsulation carries packets of this protocol type (an EtherType).
[[nodiscard]] inline bool carries(const Parameters& parameters,
                                  std::uint16_t protocol_type) noexcept {
  return dispatch(parameters, [&](auto encapsulation, const auto&) {
    return encapsulation.carries(protocol_type);
  });
}

/// What the payload packets of the encapsulation begin with.
[[nodiscard]] inline proto::LinkType link_type(const Parameters& parameters) noexcept {
  return dispatch(parameters, [](auto encapsulation, const auto&) -> proto::LinkType {
    return encapsulation.kLinkType;
  });
}

/// The name of the encapsulation, as `mode` takes it.
[[nodiscard]] inline std::string_view encapsulation_name(const Parameters& parameters) {
  return dispatch(parameters, [](auto encapsulation, const auto&) {
    return std::string_view{encapsulation.kName};
  });
}

}  // namespace culvert
