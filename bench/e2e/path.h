// What load goes through: a tunnel, with a namespace and an address at either end. One thread.
#pragma once

#include <cstddef>
#include <string>

#include "bench/e2e/namespace.h"
#include "io/result.h"
#include "proto/address.h"

namespace culvert::bench {

class Path {
 public:
  virtual ~Path() = default;

  /// For people.
  [[nodiscard]] virtual const std::string& name() const noexcept = 0;
  /// 0 or 1.
  [[nodiscard]] virtual const Namespace& end(std::size_t index) const noexcept = 0;
  /// Where the other end finds this one.
  [[nodiscard]] virtual proto::Ipv6Address address(std::size_t end) const noexcept = 0;
  [[nodiscard]] virtual Result<void> check_running() = 0;

 protected:
  Path() = default;
  Path(const Path&) = default;
  Path& operator=(const Path&) = default;
};

}  // namespace culvert::bench
