// The CPU use of a turn: by part of the packets' path, and of the busiest thread.
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
  sender,    ///< the process that sends load or requests
  out,       ///< the tunnel's process at the sender's endpoint
  wire,      ///< softirqs outside other threads: in ksoftirqd, and on an idle CPU
  in,        ///< the tunnel's process at the receiver's endpoint
  receiver,  ///< the process that receives the load
  other,     ///< the rest of the machine
  idle,
};
inline constexpr std::size_t kParts = 7;
inline constexpr std::array<std::string_view, kParts> kPartNames{"sender",   "out",   "wire", "in",
                                                                 "receiver", "other", "idle"};

/// A softirq that interrupts a thread counts as this thread's time: a veth pair runs the receiver's
/// RX path in the sender's call, so part of the wire is always in `out`.
struct CpuUse {
  std::array<double, kParts> cpus{};  ///< CPUs that each part used; the sum is the number of CPUs
  Part busiest = Part::idle;          ///< the part of the busiest thread
  double busiest_cpu = 0;             ///< of the busiest thread; 1: one CPU all the time

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

/// The CPU use between two snapshots, on `cpu_count` CPUs.
[[nodiscard]] CpuUse cpu_use(const CpuSnapshot& before, const CpuSnapshot& after,
                             std::size_t cpu_count);

/// Reads /proc. One thread.
class CpuMeter {
 public:
  CpuMeter();  ///< finds the ksoftirqd threads
  void watch(Part part, pid_t process) { watched_.push_back({part, process}); }
  [[nodiscard]] CpuSnapshot snapshot() const;

 private:
  struct Watched {
    Part part;
    pid_t process;
  };
  std::vector<Watched> watched_;
};

/// The number of CPUs of this machine.
[[nodiscard]] std::size_t cpu_count();

}  // namespace culvert::bench
