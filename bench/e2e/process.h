// Child processes in a namespace of the rig. A child dies with us, whatever ends us; it has a
// session of its own (Ctrl-C comes to us alone) and writes what it has to say into memory. One
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

/// A program, and what it finds when it starts.
struct Program {
  struct File {
    std::string name;
    std::string text;
  };
  std::vector<std::string> command;  ///< the program is looked for in PATH
  std::vector<File> files{};         ///< in its /run, which has nothing else
  std::optional<std::size_t> cpu{};  ///< the one that it may use, counted around; nothing: all
};

class Process {
 public:
  /// What a child does; its error is what it has to say. Runs in a copy of this process: no
  /// destructor of the copy runs.
  using Body = std::function<Result<void>()>;
  /// `name`: for people: "socat at end a".
  [[nodiscard]] static Result<Process> start(const Namespace& where, std::string name,
                                             const Body& body);
  [[nodiscard]] static Result<Process> start(const Namespace& where, std::string name,
                                             const Program& program);

  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  ~Process() { (void)stop(); }

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

  /// Fails, with the last line that it wrote, if it has ended.
  [[nodiscard]] Result<void> check_running();
  [[nodiscard]] bool has_ended() noexcept;
  /// All that it has written so far.
  [[nodiscard]] std::string output() const;
  /// In memory now, to the page; 0: it has ended.
  [[nodiscard]] std::uint64_t resident_kib() const;
  /// SIGTERM if it still runs, and SIGKILL if that does not help soon. Fails, with the last line
  /// that it wrote, if it had ended before and its exit status is not 0.
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

/// Where PATH has a program of this name; empty: nowhere.
[[nodiscard]] std::string find_program(const std::string& name);

}  // namespace culvert::bench
