#include "tools/culvert/daemon/warnings.h"

#include <algorithm>
#include <utility>

namespace culvert::program {

void Warnings::set(std::string_view check, std::vector<std::string> sentences, const Log& log) {
  auto known = by_check_.find(check);
  if (known == by_check_.end()) known = by_check_.emplace(check, std::vector<std::string>{}).first;
  for (const std::string& sentence : sentences) {
    const auto& before = known->second;
    if (log && std::find(before.begin(), before.end(), sentence) == before.end())
      log(LogLevel::warning, sentence);
  }
  if (sentences.empty()) {
    by_check_.erase(known);
  } else {
    known->second = std::move(sentences);
  }
}

std::vector<std::string> Warnings::all() const {
  std::vector<std::string> all;
  for (const auto& [check, sentences] : by_check_)
    all.insert(all.end(), sentences.begin(), sentences.end());
  return all;
}

}  // namespace culvert::program
