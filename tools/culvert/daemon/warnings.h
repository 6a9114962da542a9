// Warnings: sentences about what keeps a device from working although everything is configured. `run`
// logs a sentence when it is new, and `show` prints it as long as it holds. One thread.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/config.h"

namespace culvert::program {

class Warnings {
 public:
  /// What a check has found now. `check`: its name; its earlier sentences no longer hold. Logs those
  /// that are new.
  void set(std::string_view check, std::vector<std::string> sentences, const Log& log);

  /// The sentences of all checks, in the order of their names.
  [[nodiscard]] std::vector<std::string> all() const;

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> by_check_;
};

}  // namespace culvert::program
