// Who uses the CPUs during a turn: by part of the packets' way, and which thread most.
#pragma once

#include <sys/types.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace culvert::bench {

enum class Part : std::uint8_t {
  sender,    ///< who makes the load, or asks
  out,       ///< the tunnel's process at the sender's end
  wire,      ///< softirqs that run in nobody's thread: ksoftirqd, and above an idle CPU
  in,        ///< the tunnel's process at the receiver's end
  receiver,  ///< who takes the load
  other,     ///< the rest of the machine
  idle,
};
inline constexpr std::size_t kParts = 7;
inline constexpr std::array<std::string_view, kParts> kPartNames{"sender",   "out",   "wire", "in",
                                                                 "receiver", "other", "idle"};

/// A softirq above a thread counts as that thread's: a veth pair runs the receiver's input in the
/// sender's call, so part of the wire is always in `out`.
struct CpuUse {
  std::array<double, kParts> cpus{};  ///< CPUs in use by each part; all of them add up to the CPUs
  Part busiest = Part::idle;          ///< the part with the busiest thread
  double busiest_cpu = 0;             ///< of that thread; 1: it has had a CPU all the time

  [[nodiscard]] double of(Part part) const { return cpus[static_cast<std::size_t>(part)]; }
};

struct ThreadTime {
  Part part;
  pid_t thread;
  std::uint64_t nanoseconds;
};

/// CPU times at one moment.
struct CpuSnapshot {
  std::chrono::steady_clock::time_point time;
  std::vector<ThreadTime> threads;
  std::uint64_t idle_nanoseconds = 0;
  std::uint64_t softirq_nanoseconds = 0;
};

/// What was used between two moments, on so many CPUs.
[[nodiscard]] CpuUse cpu_use(const CpuSnapshot& before, const CpuSnapshot& after,
                             std::size_t cpu_count);

/// Reads /proc. One thread.
class CpuMeter {
 public:
  CpuMeter();  ///< knows the ksoftirqd threads already
  void watch(Part part, pid_t process) { watched_.push_back({part, process}); }
  [[nodiscard]] CpuSnapshot snapshot() const;

 private:
  struct Watched {
    Part part;
    pid_t process;
  };
  std::vector<Watched> watched_;
};

/// The CPUs that are there.
[[nodiscard]] std::size_t cpu_count();

}  // namespace culvert::bench
