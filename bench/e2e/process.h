// Process: a child process in a namespace of the rig. A child dies with this process, however it
// ends. It has its own session, so it does not receive Ctrl-C, and its stderr is in memory. One
// thread.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bench/e2e/namespace.h"
#include "io/fd.h"
#include "io/result.h"

namespace culvert::bench {

/// A program to start, and the files that it needs.
struct Program {
  struct File {
    std::string name;
    std::string text;
  };
  std::vector<std::string> command;  ///< program (searched in PATH) and arguments
  std::vector<File> files{};         ///< the only contents of its /run
  std::optional<std::size_t> cpu{};  ///< its only CPU, modulo the number of CPUs; empty: all
};

class Process {
 public:
  /// The code of a child. The child prints an error to its stderr. It runs in a copy of this
  /// process whose destructors never run.
  using Body = std::function<Result<void>()>;
  /// Starts a child. `name`: its name in messages, "socat at end a".
  [[nodiscard]] static Result<Process> start(const Namespace& where, std::string name,
                                             const Body& body);
  [[nodiscard]] static Result<Process> start(const Namespace& where, std::string name,
                                             const Program& program);

  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  ~Process() { (void)stop(); }

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

  /// Fails if the child has ended, with the last line of its output.
  [[nodiscard]] Result<void> check_running();
  [[nodiscard]] bool has_ended() noexcept;
  /// The child's stderr so far.
  [[nodiscard]] std::string output() const;
  /// Its resident memory (RSS) now; 0 if it has ended.
  [[nodiscard]] std::uint64_t resident_kib() const;
  /// Ends the child with SIGTERM, and with SIGKILL after a while. Fails, with the last line of its
  /// output, if the child had ended before with an exit status other than 0.
  Result<void> stop();

 private:
  Process(pid_t pid, std::string name, io::Fd output) noexcept
      : pid_(pid), name_(std::move(name)), output_(std::move(output)) {}
  [[nodiscard]] Error explain() const;

  pid_t pid_ = -1;
  bool has_ended_ = false;
  int status_ = 0;
  std::string name_;
  io::Fd output_;
};

/// The path of a program in PATH; empty if there is none.
[[nodiscard]] std::string find_program(const std::string& name);

}  // namespace culvert::bench
