// Helpers for the setters of the option tables: store a parsed value in a member. Any thread.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "tools/culvert/config/option_table.h"
#include "tools/culvert/config/parse_value.h"

namespace culvert::program {

/// Stores a parsed value in `member`, or returns the parser's error.
template <class T, class Member>
Check store(Value<T> value, Member& member) {
  if (!value) return Unexpected{value.error()};
  member = std::move(*value);
  return {};
}

/// Appends to a list. Fails if the list has the value already.
template <class List, class T>
Check append(List& list, const T& value) {
  if (std::find(list.begin(), list.end(), value) != list.end()) {
    return Unexpected{std::string{"is given twice: remove one of them"}};
  }
  list.push_back(value);
  return {};
}

/// Stores the value of the choice that `given` names. Error: "must be a, b or c".
template <class T, std::size_t kCount>
Check choose(const RawValue& given, const std::pair<std::string_view, T> (&choices)[kCount],
             T& member) {
  std::array<std::string_view, kCount> names;
  for (std::size_t i = 0; i < kCount; ++i) {
    if (given.text == choices[i].first) return member = choices[i].second, Check{};
    names[i] = choices[i].first;
  }
  return Unexpected{"must be " + alternatives(names)};
}

}  // namespace culvert::program
