#include "tools/culvert/config/option_table.h"

#include <algorithm>
#include <numeric>

#include "tools/culvert/config/option_lists.h"

namespace culvert::program {
namespace {

/// The number of insertions, deletions, substitutions and swaps of adjacent characters that turn
/// `a` into `b`.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  std::iota(above.begin(), above.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1])});
      const bool is_swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (is_swap) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, above);
    std::swap(above, row);
  }
  return above[b.size()];
}

}  // namespace

std::span<const Option> options() {
  static const std::vector<Option> all = [] {
    std::vector<Option> table(tunnel_words().begin(), tunnel_words().end());
    table.insert(table.end(), device_words().begin(), device_words().end());
    return table;
  }();
  return all;
}

const Option* find_option(std::string_view name) {
  if (name.empty()) return nullptr;
  const auto all = options();
  const auto word = std::find_if(all.begin(), all.end(), [&](const Option& candidate) {
    return candidate.name == name || candidate.alias == name;
  });
  return word == all.end() ? nullptr : &*word;
}

std::string negated(const Option& word) {
  return word.name == "up" ? "down" : "no" + std::string{word.name};
}

std::string option_name(std::string_view word) {
  std::string name = "--" + std::string{word};
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

std::string_view nearest(std::string_view name, std::span<const std::string_view> candidates) {
  constexpr std::size_t kLongestBytes = 32;  // a longer name is not a misspelling
  if (name.size() > kLongestBytes) return {};
  std::string_view best;
  std::size_t best_distance = name.size() < 4 ? 2 : 3;  // at most one edit, at most two
  for (const std::string_view candidate : candidates) {
    const std::size_t distance = edit_distance(name, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace culvert::program
