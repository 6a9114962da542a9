// Namespace: a network namespace without a name. Its descriptor and the processes in it keep it
// alive. One thread: the main thread of the process.
#pragma once

#include <string>
#include <type_traits>
#include <utility>

#include "io/fd.h"
#include "io/result.h"

namespace culvert::bench {

class Namespace {
 public:
  /// Creates a namespace. Its loopback device is down. Needs CAP_SYS_ADMIN.
  [[nodiscard]] static Result<Namespace> make();

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

  /// Moves the calling thread into the namespace permanently. For a child process.
  [[nodiscard]] Result<void> enter() const;

  /// Runs `body` inside the namespace and returns its result. A socket stays in the namespace in
  /// which it was opened. `body` must not throw.
  template <class Body>
  auto inside(Body body) const -> std::invoke_result_t<Body> {
    const io::Fd previous = current();
    if (auto entered = enter(); !entered) return Unexpected{entered.error()};
    auto result = body();
    return_to(previous);
    return result;
  }

 private:
  explicit Namespace(io::Fd fd) noexcept : fd_(std::move(fd)) {}
  static io::Fd current();
  static void return_to(const io::Fd& previous) noexcept;

  io::Fd fd_;
};

/// Sets a sysctl of the calling thread's namespace. `name`: a path below net, "ipv4/tcp_rmem".
[[nodiscard]] Result<void> set_net_setting(const std::string& name, const std::string& value);

}  // namespace culvert::bench
