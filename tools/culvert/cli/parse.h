// Error sentences for the words that CLI11 refuses. Included by each program's main.cc alone: CLI11
// takes long to compile.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model/quoted.h"
#include "tools/culvert/cli/print.h"
#include "tools/culvert/config/option_table.h"

namespace culvert::program {

/// A sentence about the first option or subcommand that does not exist.
[[nodiscard]] inline int complain_unknown(const CLI::App& command, const std::string& unknown) {
  std::vector<std::string> names{"--help"};
  for (const CLI::Option* option : command.get_options()) {
    if (option->nonpositional()) names.push_back(option->get_name());
  }
  for (const CLI::App* sub : command.get_subcommands({})) names.push_back(sub->get_name());
  const std::vector<std::string_view> views(names.begin(), names.end());
  const std::string_view near = nearest(unknown.substr(0, unknown.find('=')), views);
  const std::string parent = command.get_parent() ? command.get_parent()->get_name() + " " : "";
  const std::string help = "`" + parent + command.get_name() + " --help`";
  return complain(culvert::quoted(unknown) + " is unknown: " +
                      (near.empty() ? "see " + help : "is " + culvert::quoted(near) + " meant?"),
                  kUsageError);
}

/// What CLI11 has found wrong, as a sentence like ours.
[[nodiscard]] inline int complain_parse(const CLI::App& app, const CLI::ParseError& error) {
  const std::string what = error.what();
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ArgumentMismatch)) {
    return complain("word " + culvert::quoted(what.substr(0, what.find(':'))) +
                        ": has no value, or more than one: see `" + app.get_name() + " --help`",
                    kUsageError);
  }
  return complain(what + ": see `" + app.get_name() + " --help`", kUsageError);
}

}  // namespace culvert::program
