#include "tools/culvert/config/text_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "io/fd.h"

namespace culvert::program {
namespace {

constexpr std::size_t kLargestFileBytes =
    16 << 20;  // a file of 10,000 tunnels with many words has 4 MiB

}  // namespace

Result<std::string> read_text_file(const std::string& path, std::string advice) {
  const auto fail = [&](int code) {
    return Unexpected{
        Error{.code = code, .operation = "read", .object = path, .advice = std::move(advice)}};
  };
  const io::Fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!file) return fail(errno);
  std::string text;
  std::array<char, 4096> block;
  while (true) {
    const ssize_t size = ::read(file.get(), block.data(), block.size());
    if (size < 0) return fail(errno);
    if (size == 0) return text;
    text.append(block.data(), static_cast<std::size_t>(size));
    if (text.size() > kLargestFileBytes) return fail(EFBIG);
  }
}

}  // namespace culvert::program
