// Network namespaces without a name: a descriptor, and the processes in them, keep them alive. One
// thread: the one that leads the process.
#pragma once

#include <string>
#include <type_traits>
#include <utility>

#include "io/fd.h"
#include "io/result.h"

namespace culvert::bench {

class Namespace {
 public:
  /// A new one, with loopback down. Needs CAP_SYS_ADMIN.
  [[nodiscard]] static Result<Namespace> make();

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

  /// Moves the calling thread into it for good: for a child process.
  [[nodiscard]] Result<void> enter() const;

  /// What `body` returns when it is run inside. Sockets stay where they were opened. The body must
  /// not throw.
  template <class Body>
  auto inside(Body body) const -> std::invoke_result_t<Body> {
    const io::Fd home = current();
    if (auto entered = enter(); !entered) return Unexpected{entered.error()};
    auto result = body();
    return_to(home);
    return result;
  }

 private:
  explicit Namespace(io::Fd fd) noexcept : fd_(std::move(fd)) {}
  static io::Fd current();
  static void return_to(const io::Fd& home) noexcept;

  io::Fd fd_;
};

/// Writes a setting of the calling thread's namespace: name "ipv4/tcp_rmem", below net.
[[nodiscard]] Result<void> set_net_setting(const std::string& name, const std::string& value);

}  // namespace culvert::bench
