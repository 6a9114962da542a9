// One device that is still being described: takes words one by one, from the command line or from a
// file, and in the end checks what only all of them together can tell. One thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/control/words.h"

namespace culvert::control {

/// What is wrong with which word. Where it was written is added by who read it.
struct Complaint {
  std::string word;   ///< empty: the tunnel as a whole
  std::string value;  ///< as written; empty: the word is missing
  unsigned line = 0;
  std::string text;  ///< what is wrong and what to do, as the end of a sentence
};

class Draft {
 public:
  explicit Draft(std::string_view device);

  /// Sets one word. Refuses one that was set already, unless it is a list.
  [[nodiscard]] Expected<void, Complaint> set(const Word& word, Given given);

  /// The settings, if all words make sense together.
  [[nodiscard]] Expected<DeviceSettings, Complaint> finish() &&;

 private:
  struct Seen {
    const Word* word;
    Given given;
  };
  const Seen* find(std::string_view word) const;
  Complaint complain(std::string_view word, std::string text) const;
  Expected<void, Complaint> check_words() const;
  Expected<void, Complaint> check_payload() const;

  DeviceSettings device_;
  TunnelDraft tunnel_;
  std::vector<Seen> seen_;
};

}  // namespace culvert::control
