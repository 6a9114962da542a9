// Result<T>: a T, or an Error that an operator can act on. Functions for set-up and requests return
// it. The hot path does not: there an error is an errno. Any thread.
#pragma once

#include <string>

#include "proto/expected.h"

namespace culvert {

/// A failure outside the hot path: the operation, its object, the reason, and advice.
struct Error {
  int code = 0;           ///< errno, or 0 where no system call failed
  std::string operation;  ///< "open TUN", "bind packet socket", "read"
  std::string object;     ///< "tun0, queue 3", "/etc/culvert.toml, line 4, key 'remote'"
  std::string advice;     ///< the reason in words, and how to fix it; may be empty

  /// One line: "open TUN tun0, queue 3: EPERM (needs CAP_NET_ADMIN)".
  [[nodiscard]] std::string message() const;
};

template <class T>
using Result = Expected<T, Error>;

}  // namespace culvert
