#include "engine/model/quoted.h"

#include <algorithm>

namespace culvert {

std::string printable(std::string_view text, std::size_t longest_bytes) {
  std::string result{text.substr(0, longest_bytes)};
  for (char& c : result) {
    if ((c >= 0 && c < ' ') || c == 127) c = '?';
  }
  if (text.size() > longest_bytes) result += "...";
  return result;
}

std::string quoted(std::string_view text) {
  std::string result{"'"};
  return result.append(printable(text)).append("'");
}

std::string alternatives(std::span<const std::string_view> words) {
  std::string result;
  for (std::size_t i = 0; i < words.size(); ++i) {
    result += (i == 0 ? "" : i + 1 == words.size() ? " or " : ", ") + std::string{words[i]};
  }
  return result;
}

std::string shortened(std::span<const std::string> words, std::size_t most) {
  std::string result;
  for (const std::string& word : words.first(std::min(words.size(), most)))
    result += (result.empty() ? "" : ", ") + word;
  if (words.size() > most) result += " and " + std::to_string(words.size() - most) + " more";
  return result;
}

}  // namespace culvert
