// Expected<T, E>: a value, or the error why there is none. A subset of C++23's std::expected, which
// g++ 12 does not have in C++20 mode. Plain values; any thread.
#pragma once

#include <cassert>
#include <type_traits>
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

namespace detail {

/// Stores value and error side by side: for the small plain values that the hot path returns. A
/// union would be smaller, but g++ 12 copies it through memory in words wider than the last stores,
/// and the processor stalls: 20 ns per packet.
template <class T, class E>
class SideBySide {
 public:
  constexpr explicit SideBySide(T value) noexcept : value_(value), has_value_(true) {}
  constexpr SideBySide(std::in_place_t, E error) noexcept : error_(error) {}
  [[nodiscard]] constexpr bool has_value() const noexcept { return has_value_; }
  [[nodiscard]] constexpr T& value() noexcept { return value_; }
  [[nodiscard]] constexpr const T& value() const noexcept { return value_; }
  [[nodiscard]] constexpr E& error() noexcept { return error_; }
  [[nodiscard]] constexpr const E& error() const noexcept { return error_; }

 private:
  T value_{};
  E error_{};
  bool has_value_ = false;
};

/// Stores either the value or the error: for all other types.
template <class T, class E>
class OneOf {
 public:
  constexpr explicit OneOf(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  constexpr OneOf(std::in_place_t, E error) : state_(std::in_place_index<1>, std::move(error)) {}
  [[nodiscard]] constexpr bool has_value() const noexcept { return state_.index() == 0; }
  [[nodiscard]] constexpr T& value() noexcept { return *std::get_if<0>(&state_); }
  [[nodiscard]] constexpr const T& value() const noexcept { return *std::get_if<0>(&state_); }
  [[nodiscard]] constexpr E& error() noexcept { return *std::get_if<1>(&state_); }
  [[nodiscard]] constexpr const E& error() const noexcept { return *std::get_if<1>(&state_); }

 private:
  std::variant<T, E> state_;
};

template <class T, class E>
using ExpectedStorage =
    std::conditional_t<std::is_trivially_copyable_v<T> && std::is_default_constructible_v<T> &&
                           std::is_trivially_copyable_v<E>,
                       SideBySide<T, E>, OneOf<T, E>>;

}  // namespace detail

/// Either a T or an E. Reading the wrong one is a programming error, which assert() reports.
template <class T, class E>
class [[nodiscard]] Expected {
 public:
  using Value = T;
  using Error = E;

  constexpr Expected(T value) : state_(std::move(value)) {}
  template <class F>
  constexpr Expected(Unexpected<F> unexpected)
      : state_(std::in_place, E{std::move(unexpected.error)}) {}

  [[nodiscard]] constexpr bool has_value() const noexcept { return state_.has_value(); }
  constexpr explicit operator bool() const noexcept { return has_value(); }

  constexpr T& operator*() & noexcept { return checked().value(); }
  constexpr const T& operator*() const& noexcept { return checked().value(); }
  constexpr T&& operator*() && noexcept { return std::move(checked().value()); }
  constexpr T* operator->() noexcept { return &checked().value(); }
  constexpr const T* operator->() const noexcept { return &checked().value(); }

  [[nodiscard]] constexpr const E& error() const& noexcept {
    assert(!has_value());
    return state_.error();
  }
  [[nodiscard]] constexpr E&& error() && noexcept {
    assert(!has_value());
    return std::move(state_.error());
  }

 private:
  using Storage = detail::ExpectedStorage<T, E>;

  constexpr Storage& checked() noexcept {
    assert(has_value());
    return state_;
  }
  constexpr const Storage& checked() const noexcept {
    assert(has_value());
    return state_;
  }

  Storage state_;
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
