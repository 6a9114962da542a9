// ParameterOption: one option of an encapsulation as plain data: its name, its help, and the members
// of the encapsulation's Parameters that it sets. A program builds the words of its command line and
// of its files from these tables, so it knows no encapsulation by name. Constants; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>
#include <variant>

namespace culvert::proto {

/// The members of P that an option sets: one, or the two of both directions.
template <class P, class T>
struct Members {
  T P::*first;
  T P::*second = nullptr;  ///< null: there is one member

  constexpr void set(P& parameters, const T& value) const {
    parameters.*first = value;
    if (second != nullptr) parameters.*second = value;
  }
  /// Whether all members of `other` are among these.
  [[nodiscard]] constexpr bool include(const Members& other) const noexcept {
    return has(other.first) && (other.second == nullptr || has(other.second));
  }

 private:
  [[nodiscard]] constexpr bool has(T P::*member) const noexcept {
    return member == first || member == second;
  }
};

/// One option of an encapsulation whose parameters are a P. Options of several encapsulations may
/// have the same name; then all of them are of the same kind.
template <class P>
struct ParameterOption {
  /// A switch without an argument.
  using Flag = Members<P, bool>;
  /// A number of 32 bits, or the same as a dotted quad.
  using Key = Members<P, std::optional<std::uint32_t>>;

  std::string_view name;            ///< as in iproute2: "ikey"
  std::string_view argument;        ///< its argument in a help text, like "K"; empty for a flag
  std::string_view help;            ///< one sentence without a full stop
  std::variant<Flag, Key> members;  ///< the alternative held is the kind of the option

  [[nodiscard]] constexpr bool is_flag() const noexcept {
    return std::holds_alternative<Flag>(members);
  }
  /// Whether this option sets all members that `other` sets, as `key` does for `ikey`.
  [[nodiscard]] constexpr bool includes(const ParameterOption& other) const {
    return std::visit(
        [&](const auto& own) {
          const auto* others = std::get_if<std::decay_t<decltype(own)>>(&other.members);
          return others != nullptr && own.include(*others);
        },
        members);
  }
};

}  // namespace culvert::proto
