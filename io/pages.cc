#include "io/pages.h"

#include <sys/mman.h>

#include <cerrno>

namespace culvert::io {
namespace {

int flags_of(Pages::Kind kind) noexcept {
  constexpr int kAnonymous = MAP_PRIVATE | MAP_ANONYMOUS;
  switch (kind) {
    case Pages::Kind::on_demand:
    case Pages::Kind::scattered:
      return kAnonymous;
    case Pages::Kind::sparse:
      return kAnonymous | MAP_NORESERVE;
  }
  return kAnonymous;
}

}  // namespace

Result<Pages> Pages::map(std::size_t bytes, Kind kind, const std::string& purpose,
                         std::string advice) {
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags_of(kind), -1, 0);
  if (memory == MAP_FAILED) {
    return Unexpected{Error{.code = errno,
                            .operation = "map " + purpose,
                            .object = std::to_string(bytes) + " bytes",
                            .advice = std::move(advice)}};
  }
  // Without huge pages the memory is only slower.
  if (kind == Kind::sparse && bytes >= kMinHugeBytes) ::madvise(memory, bytes, MADV_HUGEPAGE);
  if (kind == Kind::scattered) ::madvise(memory, bytes, MADV_NOHUGEPAGE);
  Pages pages;
  pages.bytes_ = {static_cast<std::byte*>(memory), bytes};
  return pages;
}

Pages::~Pages() {
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
}

}  // namespace culvert::io
