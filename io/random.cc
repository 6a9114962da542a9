#include "io/random.h"

#include <sys/random.h>

#include <cassert>
#include <cerrno>

namespace culvert::io {

Result<void> fill_random(std::span<std::byte> bytes, const std::string& object) {
  assert(bytes.size() <= 256);  // then getrandom() returns either all bytes or an error
  if (::getrandom(bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size())) return {};
  return Unexpected{
      Error{.code = errno, .operation = "get random bytes for", .object = object, .advice = ""}};
}

}  // namespace culvert::io
