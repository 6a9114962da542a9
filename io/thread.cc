#include "io/thread.h"

#include <pthread.h>
#include <sched.h>

namespace culvert::io {

void set_thread_name(const std::string& name) noexcept {
  constexpr std::size_t kMaxNameBytes = 15;
  ::pthread_setname_np(::pthread_self(), name.substr(0, kMaxNameBytes).c_str());
}

Result<void> pin_to_cpu(std::size_t index) {
  const auto failed = [](int code) {
    return Unexpected{
        Error{.code = code, .operation = "pin thread", .object = "", .advice = "it runs unpinned"}};
  };
  cpu_set_t allowed;
  if (const int code = ::pthread_getaffinity_np(::pthread_self(), sizeof allowed, &allowed);
      code != 0)
    return failed(code);
  std::size_t skip = index % static_cast<std::size_t>(CPU_COUNT(&allowed));
  for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed) || skip-- != 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    if (const int code = ::pthread_setaffinity_np(::pthread_self(), sizeof one, &one); code != 0)
      return failed(code);
    return {};
  }
  return {};
}

}  // namespace culvert::io
