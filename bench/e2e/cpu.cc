#include "bench/e2e/cpu.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

namespace culvert::bench {
namespace {

namespace fs = std::filesystem;
constexpr double kNanoseconds = 1e9;

std::optional<pid_t> to_pid(const std::string& text) {
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return pid;
}

template <class Each>
void for_each_number_in(const fs::path& folder, Each each) {
  std::error_code error;  // a thread that ends meanwhile is skipped
  for (fs::directory_iterator it{folder, error}, end; !error && it != end; it.increment(error)) {
    if (const auto pid = to_pid(it->path().filename().string())) each(*pid, it->path());
  }
}

/// The ksoftirqd threads of all CPUs. Empty where they are not visible, as in a container.
const std::vector<pid_t>& softirq_threads() {
  static const std::vector<pid_t> threads = [] {
    std::vector<pid_t> found;
    for_each_number_in("/proc", [&](pid_t pid, const fs::path& folder) {
      std::string name;
      std::getline(std::ifstream{folder / "comm"}, name);
      if (name.starts_with("ksoftirqd/")) found.push_back(pid);
    });
    return found;
  }();
  return threads;
}

std::uint64_t ticks_to_nanoseconds(std::uint64_t ticks) {
  return ticks * (1'000'000'000 / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK)));
}

/// The CPU time of a thread, user and system: from the scheduler's statistics, or in ticks where
/// the kernel has no such statistics.
std::uint64_t thread_nanoseconds(const fs::path& task) {
  std::uint64_t nanoseconds = 0;
  if (std::ifstream{task / "schedstat"} >> nanoseconds) return nanoseconds;
  std::string text;
  std::getline(std::ifstream{task / "stat"}, text);
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream fields{text.substr(name_end + 1)};
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;  // proc(5): utime is the 14th
  std::uint64_t user = 0, system = 0;
  fields >> user >> system;
  return ticks_to_nanoseconds(user + system);
}

void read_machine(CpuSnapshot& snapshot) {
  std::ifstream file{"/proc/stat"};
  std::string label;
  std::uint64_t user = 0, nice = 0, system = 0, idle = 0, waiting = 0, irq = 0, softirq = 0;
  file >> label >> user >> nice >> system >> idle >> waiting >> irq >> softirq;
  snapshot.idle_nanoseconds = ticks_to_nanoseconds(idle + waiting);
  snapshot.softirq_nanoseconds = ticks_to_nanoseconds(softirq);
}

const ThreadTime* find(const CpuSnapshot& snapshot, pid_t thread) {
  for (const ThreadTime& each : snapshot.threads) {
    if (each.thread == thread) return &each;
  }
  return nullptr;
}

double difference(std::uint64_t after, std::uint64_t before) {
  return after > before ? static_cast<double>(after - before) : 0;
}

}  // namespace

CpuMeter::CpuMeter() {
  for (const pid_t thread : softirq_threads()) watch(Part::wire, thread);
}

CpuSnapshot CpuMeter::snapshot() const {
  CpuSnapshot snapshot;
  for (const auto& [part, process] : watched_) {
    for_each_number_in("/proc/" + std::to_string(process) + "/task",
                       [&, part = part](pid_t thread, const fs::path& task) {
                         snapshot.threads.push_back({part, thread, thread_nanoseconds(task)});
                       });
  }
  read_machine(snapshot);
  snapshot.time = std::chrono::steady_clock::now();
  return snapshot;
}

CpuUse cpu_use(const CpuSnapshot& before, const CpuSnapshot& after, std::size_t cpus) {
  CpuUse use;
  const auto part = [&](Part which) -> double& {
    return use.cpus[static_cast<std::size_t>(which)];
  };
  const double elapsed = std::chrono::duration<double>(after.time - before.time).count();
  if (elapsed <= 0) return use;
  double explained = 0;
  for (const ThreadTime& thread : after.threads) {
    const ThreadTime* earlier = find(before, thread.thread);
    const double share =
        difference(thread.nanoseconds, earlier ? earlier->nanoseconds : 0) / kNanoseconds / elapsed;
    part(thread.part) += share;
    explained += share;
    if (share <= use.busiest_cpu) continue;
    use.busiest = thread.part;
    use.busiest_cpu = share;
  }
  const auto all = static_cast<double>(cpus);
  const double rest_at_most = std::max(all - explained, 0.0);
  part(Part::idle) =
      std::min(difference(after.idle_nanoseconds, before.idle_nanoseconds) / kNanoseconds / elapsed,
               rest_at_most);
  const double unexplained = rest_at_most - part(Part::idle);
  const double softirqs =
      difference(after.softirq_nanoseconds, before.softirq_nanoseconds) / kNanoseconds / elapsed;
  const double more_wire = std::clamp(softirqs - part(Part::wire), 0.0, unexplained);
  part(Part::wire) += more_wire;
  part(Part::other) = unexplained - more_wire;
  return use;
}

std::size_t cpu_count() { return static_cast<std::size_t>(::sysconf(_SC_NPROCESSORS_ONLN)); }

}  // namespace culvert::bench
