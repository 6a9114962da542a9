// Pages: owns anonymous memory that starts as zeros (mmap(2)). map(): set-up. The owner decides
// which threads use the memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "io/result.h"

namespace culvert::io {

class Pages {
 public:
  enum class Kind : std::uint8_t {
    on_demand,  ///< a page becomes resident when it is first written
    /// As on_demand, for memory that may stay unused: the kernel reserves nothing for it. It uses
    /// huge pages if the memory has at least kMinHugeBytes.
    sparse,
    /// As on_demand, and never with huge pages: for memory that is used in small parts far apart.
    scattered,
  };
  /// Huge pages save page-table walks. In less memory than this, one of 2 MiB would be a large part
  /// of all.
  static constexpr std::size_t kMinHugeBytes = std::size_t{16} << 20;

  /// Maps `bytes` bytes, aligned to a page. `purpose` ("flow table") and `advice` are for the error.
  /// Fails with the errno of mmap().
  [[nodiscard]] static Result<Pages> map(std::size_t bytes, Kind kind, const std::string& purpose,
                                         std::string advice = "");

  Pages() = default;  ///< no memory
  Pages(Pages&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  Pages& operator=(Pages&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  ~Pages();

  [[nodiscard]] explicit operator bool() const noexcept { return !bytes_.empty(); }
  [[nodiscard]] std::byte* data() const noexcept { return bytes_.data(); }
  [[nodiscard]] std::size_t size_bytes() const noexcept { return bytes_.size(); }

 private:
  std::span<std::byte> bytes_;
};

}  // namespace culvert::io
