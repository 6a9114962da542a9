#include "bench/e2e/machine.h"

#include <sys/utsname.h>

#include <cstdlib>

#include "bench/e2e/cpu.h"
#include "bench/e2e/text.h"

namespace culvert::bench {

Machine Machine::look() {
  Machine machine;
  utsname names{};
  if (::uname(&names) == 0) machine.kernel = std::string{names.sysname} + " " + names.release;
  machine.cpus = cpu_count();
  (void)::getloadavg(&machine.load_average, 1);
  return machine;
}

bool Machine::was_busy() const {
  constexpr double kBusyShare = 0.2;
  return load_average > kBusyShare * static_cast<double>(cpus);
}

std::string to_text(const Machine& machine) {
  std::string text = machine.kernel + ", " + std::to_string(machine.cpus) + " CPUs.\n";
  if (machine.was_busy()) {
    text += "The machine was busy before it began (load average " +
            with_commas(machine.load_average, 1) + "): trust the ratios at most.\n";
  }
  return text;
}

}  // namespace culvert::bench
