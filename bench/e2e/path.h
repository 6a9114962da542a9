// Path: the path of the load. It has two endpoints, each with a namespace and an address. One
// thread.
#pragma once

#include <cstddef>
#include <string>

#include "bench/e2e/inner_network.h"
#include "bench/e2e/namespace.h"
#include "io/result.h"

namespace culvert::bench {

class Path {
 public:
  virtual ~Path() = default;

  /// The name in reports.
  [[nodiscard]] virtual const std::string& name() const noexcept = 0;
  /// The namespace of an endpoint. `index`: 0 or 1.
  [[nodiscard]] virtual const Namespace& end(std::size_t index) const noexcept = 0;
  /// The address of endpoint `end`, as the other endpoint uses it.
  [[nodiscard]] virtual InnerAddress address(std::size_t end) const = 0;
  [[nodiscard]] virtual Result<void> check_running() = 0;

 protected:
  Path() = default;
  Path(const Path&) = default;
  Path& operator=(const Path&) = default;
};

}  // namespace culvert::bench
