// Result<T>: what set-up and requests return: a T, or an Error that a person can act on.
// The data path does not use it: there an error is an errno. Any thread.
#pragma once

#include <string>

#include "proto/expected.h"

namespace culvert {

/// What went wrong outside the packets' way: which operation, on which object, why, and what to do.
struct Error {
  int code = 0;           ///< errno, or 0 where no system call failed
  std::string operation;  ///< "open TUN", "bind packet socket", "read"
  std::string object;     ///< "tun0, queue 3", "/etc/culvert.toml, line 4, key 'remote'"
  std::string advice;     ///< what is wrong in words, and what to do; may be empty

  /// "open TUN tun0, queue 3: EPERM (needs CAP_NET_ADMIN)"
  [[nodiscard]] std::string message() const;
};

template <class T>
using Result = Expected<T, Error>;

}  // namespace culvert
