#include "bench/e2e/stop.h"

#include <csignal>
#include <cstring>
#include <ctime>

#include "bench/e2e/error.h"

namespace culvert::bench {
namespace {

volatile std::sig_atomic_t stop_signal = 0;

extern "C" void note_signal(int number) {
  if (stop_signal == 0) stop_signal = number;
}

}  // namespace

void catch_stop_signals() noexcept {
  struct sigaction action {};
  action.sa_handler = note_signal;  // without SA_RESTART: a wait ends
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(number, &action, nullptr);
}

int stopped_by() noexcept { return stop_signal; }

Result<void> check_stopped() {
  if (stop_signal == 0) return {};
  return fail(0, "stopped by", std::string{"SIG"} + ::sigabbrev_np(stop_signal));
}

Result<void> pause(std::chrono::nanoseconds duration) {
  constexpr long kNanoseconds = 1'000'000'000;
  timespec end{};
  ::clock_gettime(CLOCK_MONOTONIC, &end);
  const long count = end.tv_nsec + static_cast<long>(duration.count());
  end.tv_sec += count / kNanoseconds;
  end.tv_nsec = count % kNanoseconds;
  // A signal between the check and the sleep is noticed after the sleep. Sleeps here are short.
  while (stop_signal == 0 &&
         ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, nullptr) != 0) {
  }
  return check_stopped();
}

}  // namespace culvert::bench
