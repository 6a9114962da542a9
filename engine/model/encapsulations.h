// The list of encapsulations, and dispatch over it: the one place that names them all.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <variant>

#include "proto/gre.h"
#include "proto/six_in_four.h"

namespace culvert {

/// Every encapsulation there is. A new one is added here and nowhere else in engine/.
using Encapsulations = std::tuple<proto::SixInFour, proto::Gre>;

/// The parameters of one of them; which one it holds says which encapsulation a tunnel uses.
using Parameters = std::variant<proto::SixInFour::Parameters, proto::Gre::Parameters>;

namespace detail {
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
/// Tries one encapsulation of the list after the other.
template <class E, class... Others>
proto::Parsed<proto::Payload> decapsulate_as(std::type_identity<std::tuple<E, Others...>>,
                                             std::uint8_t ip_protocol,
                                             std::span<const std::byte> datagram,
                                             proto::ChecksumCheck check) noexcept {
  if (E::kIpProtocol == ip_protocol) return E::decapsulate(datagram, check);
  if constexpr (sizeof...(Others) > 0)
    return decapsulate_as(std::type_identity<std::tuple<Others...>>{}, ip_protocol, datagram,
                          check);
  return Unexpected{proto::Malformed::unknown_protocol_type};
}

}  // namespace detail

/// Calls `function(Encapsulation{}, parameters)` with the encapsulation that the parameters are
/// for.
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

/// Calls `function(Encapsulation{})` for each; the order is that of the list.
template <class Function>
constexpr void for_each_encapsulation(Function&& function) {
  std::apply([&](auto... each) { (function(each), ...); }, Encapsulations{});
}

/// What lies behind an outer header of that protocol, `datagram`: by the encapsulation whose
/// protocol it is. Fails as that does, and with unknown_protocol_type if it is nobody's.
[[nodiscard]] inline proto::Parsed<proto::Payload> decapsulate(
    std::uint8_t ip_protocol, std::span<const std::byte> datagram,
    proto::ChecksumCheck check) noexcept {
  return detail::decapsulate_as(std::type_identity<Encapsulations>{}, ip_protocol, datagram, check);
}

/// The largest header between outer header and payload packet.
inline constexpr std::size_t kMaxOverheadBytes =
    std::apply([](auto... each) { return std::max({decltype(each)::kMaxOverheadBytes...}); },
               Encapsulations{});

/// The word for `mode`.
[[nodiscard]] inline std::string_view encapsulation_name(const Parameters& parameters) {
  return dispatch(parameters, [](auto encapsulation, const auto&) {
    return std::string_view{encapsulation.kName};
  });
}

}  // namespace culvert
