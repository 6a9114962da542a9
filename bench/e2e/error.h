// Helpers to create an Error.
#pragma once

#include <string>
#include <utility>

#include "io/result.h"

namespace culvert::bench {

/// `code`: errno, or 0 where no system call failed.
[[nodiscard]] inline Unexpected<Error> fail(int code, std::string operation,
                                            std::string object = {}, std::string advice = {}) {
  return Unexpected{Error{.code = code,
                          .operation = std::move(operation),
                          .object = std::move(object),
                          .advice = std::move(advice)}};
}

}  // namespace culvert::bench
