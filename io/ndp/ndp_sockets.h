// NdpSockets: the kernel's side of NdpIo: a packet socket on the interface, if there is one, and a
// socket for probes, if one is needed. The set_*() functions: the loop's thread.
#pragma once

#include <string>

#include "io/event_fd.h"
#include "io/ndp/ndp_io.h"
#include "io/ndp/ndp_socket.h"
#include "io/ndp/probe_socket.h"

namespace culvert::io {

class NdpSockets final : public NdpIo {
 public:
  /// Starts without an interface. Fails as EventFd::open() does; `object` is for the error.
  [[nodiscard]] static Result<NdpSockets> open(const std::string& object, ProbeSocket probe);

  /// Swaps in another socket; the caller closes the old one, outside the loop's thread.
  void set_socket(NdpSocket& socket) noexcept { std::swap(socket_, socket); }
  void set_probe(ProbeSocket& probe) noexcept { std::swap(probe_, probe); }

  /// See NdpSocket::is_bound_to().
  [[nodiscard]] bool is_bound_to(unsigned interface_index) const noexcept {
    return socket_.is_bound_to(interface_index);
  }

  [[nodiscard]] bool is_open() const noexcept override { return socket_.is_open(); }
  [[nodiscard]] std::span<const std::byte> next() noexcept override { return socket_.next(); }
  void release() noexcept override { socket_.release(); }
  void send(std::span<const std::span<const std::byte>> frames,
            std::span<int> errors) noexcept override;
  [[nodiscard]] std::uint64_t read_drops() noexcept override { return socket_.read_drops(); }
  [[nodiscard]] bool send_probe(const Probe& probe) noexcept override {
    return probe_.is_open() && probe_.send(probe);
  }
  [[nodiscard]] std::optional<ProbeReply> receive_reply() noexcept override;
  void wait(std::chrono::nanoseconds timeout) noexcept override;
  void wake() noexcept override { wake_.signal(); }

 private:
  NdpSockets(EventFd wake, ProbeSocket probe) noexcept
      : wake_(std::move(wake)), probe_(std::move(probe)) {}

  EventFd wake_;
  NdpSocket socket_;
  ProbeSocket probe_;
};

}  // namespace culvert::io
