// What an engine opens before its workers run: TUN queues, sockets, BPF programs, each by choice or
// by what the kernel allows. Part of engine.cc; not for others. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/config.h"
#include "engine/injected_descriptors.h"
#include "io/bpf/bypass_program.h"
#include "io/bpf/encapsulator_program.h"
#include "io/fd.h"
#include "io/sockets.h"

namespace culvert {

/// What was selection, and why, for those who ask.
struct IoSelection {
  bool uring = false;
  std::string io_reason;
  io::ReceiveKind receive = io::ReceiveKind::packet;
  std::string receive_reason;
  std::string send_reason;  ///< why no packet socket sends; empty: one may
};

/// Everything that open() has opened; what a failure leaves behind is closed with it.
struct OpenedIo {
  std::string device;
  unsigned device_index = 0;
  bool tun_takes_udp = true;
  std::vector<io::WorkerDescriptors> workers;
  std::vector<std::uint8_t> protocols;  ///< IP protocols that are received
  std::vector<io::Fd> guards;           ///< keep the kernel from answering protocol unreachable
  std::optional<io::EncapsulatorProgram> encapsulator;  ///< nothing: BPF is forbidden
  std::optional<io::BypassProgram> bypass;              ///< the same, or raw sockets receive
};

/// Whether packets of one tunnel have to be sent or checked in one row.
[[nodiscard]] bool wants_order_across_workers(const TunnelConfig& tunnel);

/// The IP protocols that a device receives, each once: those of its tunnels; all that there are
/// where tunnels have prefixes, since one of another mode may join them.
[[nodiscard]] std::vector<std::uint8_t> ip_protocols(const Config& config);

/// Opens all that `config` asks for, or takes what was injected (which decides about workers and
/// receive). Falls back where `auto` lets it, and says why; the error says what is refused.
[[nodiscard]] Result<void> open_io(Config& config, InjectedDescriptors injected, OpenedIo& opened,
                                   IoSelection& selection);

}  // namespace culvert
