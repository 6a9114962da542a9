// Expected<T, E>: a value or the reason why there is none; our subset of C++23's std::expected,
// which g++ 12 does not offer in C++20 mode. Any thread; no state but the value.
#pragma once

#include <cassert>
#include <utility>
#include <variant>

namespace culvert {

/// Wraps an error so that it converts to any Expected<T, E>: `return
/// Unexpected{Malformed::truncated};`
template <class E>
struct Unexpected {
  E error;
};
template <class E>
Unexpected(E) -> Unexpected<E>;

/// Either a T or an E. Reading the wrong one is our own mistake, and asserted.
template <class T, class E>
class [[nodiscard]] Expected {
 public:
  using Value = T;
  using Error = E;

  constexpr Expected(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  template <class F>
  constexpr Expected(Unexpected<F> unexpected)
      : state_(std::in_place_index<1>, std::move(unexpected.error)) {}

  [[nodiscard]] constexpr bool has_value() const noexcept { return state_.index() == 0; }
  constexpr explicit operator bool() const noexcept { return has_value(); }

  constexpr T& operator*() & noexcept { return *value_pointer(); }
  constexpr const T& operator*() const& noexcept { return *value_pointer(); }
  constexpr T&& operator*() && noexcept { return std::move(*value_pointer()); }
  constexpr T* operator->() noexcept { return value_pointer(); }
  constexpr const T* operator->() const noexcept { return value_pointer(); }

  [[nodiscard]] constexpr const E& error() const& noexcept {
    assert(!has_value());
    return *std::get_if<1>(&state_);
  }
  [[nodiscard]] constexpr E&& error() && noexcept {
    assert(!has_value());
    return std::move(*std::get_if<1>(&state_));
  }

 private:
  constexpr T* value_pointer() noexcept {
    assert(has_value());
    return std::get_if<0>(&state_);
  }
  constexpr const T* value_pointer() const noexcept {
    assert(has_value());
    return std::get_if<0>(&state_);
  }

  std::variant<T, E> state_;
};

/// Success without a value, or an E.
template <class E>
class [[nodiscard]] Expected<void, E> {
 public:
  using Value = void;
  using Error = E;

  constexpr Expected() = default;
  template <class F>
  constexpr Expected(Unexpected<F> unexpected)
      : state_(std::in_place_index<1>, std::move(unexpected.error)) {}

  [[nodiscard]] constexpr bool has_value() const noexcept { return state_.index() == 0; }
  constexpr explicit operator bool() const noexcept { return has_value(); }

  [[nodiscard]] constexpr const E& error() const noexcept {
    assert(!has_value());
    return *std::get_if<1>(&state_);
  }

 private:
  std::variant<std::monostate, E> state_;
};

}  // namespace culvert
