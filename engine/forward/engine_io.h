// engine_io: opens the TUN queues, sockets and BPF programs of an engine. Each kind is chosen by
// the configuration, or by what the kernel allows. Internal to engine.cc. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/config.h"
#include "engine/injected_descriptors.h"
#include "io/bpf/bypass_program.h"
#include "io/bpf/encapsulator_program.h"
#include "io/fd.h"
#include "io/sockets.h"

namespace culvert {

/// The selected kinds of I/O, and the reasons for status output.
struct IoSelection {
  bool uring = false;
  std::string io_reason;
  io::ReceiveKind receive = io::ReceiveKind::packet;
  std::string receive_reason;
  std::string send_reason;  ///< why packet sockets do not send; empty: they may
};

/// Everything that open_io() has opened. After a failure the destructor closes it.
struct OpenedIo {
  std::string device;
  unsigned device_index = 0;
  proto::LinkType link_type = proto::LinkType::ip;
  bool tun_has_uso = true;
  std::vector<io::WorkerDescriptors> workers;
  std::vector<proto::DemuxRule> demux;  ///< the packets that are received, one rule per IP protocol
  /// Sockets that keep the kernel from answering "protocol unreachable".
  std::vector<io::Fd> guards;
  std::optional<io::EncapsulatorProgram> encapsulator;  ///< nullopt: BPF is forbidden
  std::optional<io::BypassProgram> bypass;  ///< nullopt: BPF is forbidden, or raw sockets receive
};

/// Returns whether one worker must handle all packets of a tunnel, because of GRE sequence numbers.
[[nodiscard]] bool wants_order_across_workers(const TunnelConfig& tunnel);

/// Returns the demultiplexing rules of a device, one for each IP protocol that it receives. A device
/// with prefixes receives the protocols of all encapsulations, because apply() may add a tunnel of
/// another mode. A device with one tunnel without prefixes receives that tunnel's protocols only.
[[nodiscard]] std::vector<proto::DemuxRule> demux_rules(const Config& config);
/// Returns why a tunnel of this encapsulation cannot be added to an open device: the device does not
/// receive its IP protocols, or has another link type. Empty: it can.
[[nodiscard]] std::string_view mode_refusal(const OpenedIo& opened, const Parameters& mode);

/// Opens everything that `config` requests, or uses the injected descriptors, which then determine
/// the number of workers and the kind of receive sockets. Where an option is `auto` it falls back
/// to what the kernel allows and records the reason in `selection`. Otherwise the error names the
/// refused object.
[[nodiscard]] Result<void> open_io(Config& config, InjectedDescriptors injected, OpenedIo& opened,
                                   IoSelection& selection);

}  // namespace culvert
