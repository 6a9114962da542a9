#include "io/socket_options.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace culvert::io {
namespace {

std::string advice_on(int code) {
  switch (code) {
    case EPERM:
    case EACCES:
      return "needs CAP_NET_RAW";
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
      return "this kernel, or the container's policy, has no such socket";
    case ENODEV:
      return "there is no such interface";
    case EMFILE:
    case ENFILE:
      return "too many open files: raise `ulimit -n`";
    default:
      return {};
  }
}

Result<void> attach(const Fd& socket, std::span<const sock_filter> program,
                    const SocketName& name) {
  const sock_fprog filter{.len = static_cast<unsigned short>(program.size()),
                          .filter = const_cast<sock_filter*>(program.data())};
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0)
    return {};
  return name.fail(errno, "filter");
}

}  // namespace

Unexpected<Error> SocketName::fail(int code, const std::string& verb, std::string advice) const {
  return {Error{.code = code,
                .operation = verb + " " + kind,
                .object = object,
                .advice = advice.empty() ? advice_on(code) : std::move(advice)}};
}

Result<Fd> open_filtered_socket(int family, int protocol, const SocketName& name) {
  Fd socket{::socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol)};
  if (!socket) return name.fail(errno, "open");
  constexpr std::array kDropAll{sock_filter BPF_STMT(BPF_RET | BPF_K, 0)};
  if (auto attached = attach(socket, kDropAll, name); !attached)
    return Unexpected{attached.error()};
  return socket;
}

Result<void> set_filter(const Fd& socket, std::span<const sock_filter> program,
                        const SocketName& name) {
  if (!program.empty()) return attach(socket, program, name);
  constexpr int kIgnored = 0;
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_DETACH_FILTER, &kIgnored, sizeof kIgnored) == 0)
    return {};
  return name.fail(errno, "remove the filter of");
}

void accept_values(std::vector<sock_filter>& program, std::span<const std::uint8_t> values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto to_accept = static_cast<std::uint8_t>(values.size() - i);
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, values[i], to_accept, 0));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, 0));
  program.push_back(BPF_STMT(BPF_RET | BPF_K, 0xffff'ffff));
}

Result<void> set_option(const Fd& socket, int level, int option, int value, const std::string& verb,
                        const SocketName& name) {
  if (::setsockopt(socket.get(), level, option, &value, sizeof value) == 0) return {};
  return name.fail(errno, verb);
}

Result<void> bind_to_device(const Fd& socket, const std::string& device, const SocketName& name) {
  if (device.empty()) return {};
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_BINDTODEVICE, device.data(),
                   static_cast<socklen_t>(device.size())) == 0)
    return {};
  return name.fail(errno, "bind to interface " + device + " a");
}

void set_receive_buffer(const Fd& socket, int bytes) noexcept {
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0)
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

void set_send_buffer(const Fd& socket, int bytes) noexcept {
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) != 0)
    ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

}  // namespace culvert::io
