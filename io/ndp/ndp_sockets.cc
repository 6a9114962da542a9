#include "io/ndp/ndp_sockets.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "io/timed_poll.h"

namespace culvert::io {

Result<NdpSockets> NdpSockets::open(const std::string& object, ProbeSocket probe) {
  auto wake = EventFd::open(object);
  if (!wake) return Unexpected{wake.error()};
  return NdpSockets{std::move(*wake), std::move(probe)};
}

void NdpSockets::send(std::span<const std::span<const std::byte>> frames,
                      std::span<int> errors) noexcept {
  if (is_open()) return socket_.send(frames, errors);
  std::fill_n(errors.begin(), frames.size(), ENETDOWN);
}

std::optional<ProbeReply> NdpSockets::receive_reply() noexcept {
  return probe_.is_open() ? probe_.receive() : std::nullopt;
}

void NdpSockets::wait(std::chrono::nanoseconds timeout) noexcept {
  std::array<pollfd, 3> polled{{{.fd = wake_.fd(), .events = POLLIN, .revents = 0},
                                {.fd = socket_.fd(), .events = POLLIN, .revents = 0},
                                {.fd = probe_.fd(), .events = POLLIN, .revents = 0}}};
  if (!poll_for(polled, timeout)) return;
  if (polled[0].revents != 0) wake_.clear();
  if ((polled[1].revents & (POLLERR | POLLHUP)) != 0) socket_.clear_error();
}

}  // namespace culvert::io
