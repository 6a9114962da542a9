// Error sentences for arguments that CLI11 refuses. Only main.cc of each program includes this
// file, because CLI11 takes long to compile. One thread.
#pragma once

#include <CLI/CLI.hpp>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model/quoted.h"
#include "tools/culvert/cli/print.h"
#include "tools/culvert/config/option_table.h"

namespace culvert::program {

/// Prints an error about an unknown option or subcommand, with the most similar name. Returns the
/// exit status, kUsageError.
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

/// Prints what --help or --version asks for. Returns the exit status, kOk.
[[nodiscard]] inline int print_requested(const CLI::App& app, const CLI::Success& requested) {
  std::ostringstream text;
  const int status = app.exit(requested, text);
  print(text.str());
  return status;
}

/// Prints CLI11's error as a sentence like ours. Returns the exit status, kUsageError.
[[nodiscard]] inline int complain_parse(const CLI::App& app, const CLI::ParseError& error) {
  const std::string text = error.what();
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ArgumentMismatch)) {
    return complain("word " + culvert::quoted(text.substr(0, text.find(':'))) +
                        ": has no value, or more than one: see `" + app.get_name() + " --help`",
                    kUsageError);
  }
  return complain(text + ": see `" + app.get_name() + " --help`", kUsageError);
}

}  // namespace culvert::program
