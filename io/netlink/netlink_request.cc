#include "io/netlink/netlink_request.h"

#include <netlink/errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

namespace culvert::netlink {
namespace {

using Callbacks = std::unique_ptr<nl_cb, Free<nl_cb_put>>;

/// The answer to one request, as far as it has been read.
struct Answer {
  int code = 0;  ///< errno; 0: success
  bool is_complete = false;
  const std::function<void(nlmsghdr*)>* each = nullptr;
};

/// In a container nobody can write sysctls, so its owner sets them at the start.
bool is_read_only(const char* sysctl) { return ::access(sysctl, W_OK) != 0 && errno == EROFS; }

std::string advise_disabled_ipv6(const std::string& device) {
  if (is_read_only("/proc/sys/net/ipv6/conf/all/disable_ipv6"))
    return "IPv6 is disabled here and /proc/sys is read-only: start the container with `docker run "
           "--sysctl net.ipv6.conf.all.disable_ipv6=0`";
  return "IPv6 is disabled on this device: sysctl -w net.ipv6.conf." + device +
         ".disable_ipv6=0, or net.ipv6.conf.default.disable_ipv6=0 before start";
}

}  // namespace

void NlSocketFree::operator()(nl_sock* socket) const noexcept { nl_socket_free(socket); }

Unexpected<Error> fail(int code, std::string operation, std::string object, std::string advice) {
  return Unexpected{Error{.code = code,
                          .operation = std::move(operation),
                          .object = std::move(object),
                          .advice = std::move(advice)}};
}

int request(nl_sock* socket, nl_msg* message, const std::function<void(nlmsghdr*)>& each) {
  const Callbacks callbacks{nl_cb_alloc(NL_CB_DEFAULT)};
  if (!callbacks) return ENOMEM;
  Answer answer{.each = &each};
  nl_cb_err(
      callbacks.get(), NL_CB_CUSTOM,
      [](sockaddr_nl*, nlmsgerr* error, void* to) noexcept -> int {
        static_cast<Answer*>(to)->code = -error->error;
        static_cast<Answer*>(to)->is_complete = true;
        return NL_STOP;
      },
      &answer);
  const auto complete = [](nl_msg*, void* to) noexcept -> int {
    static_cast<Answer*>(to)->is_complete = true;
    return NL_STOP;
  };
  nl_cb_set(callbacks.get(), NL_CB_ACK, NL_CB_CUSTOM, complete, &answer);
  nl_cb_set(callbacks.get(), NL_CB_FINISH, NL_CB_CUSTOM, complete, &answer);
  nl_cb_set(
      callbacks.get(), NL_CB_VALID, NL_CB_CUSTOM,
      [](nl_msg* part, void* to) noexcept -> int {
        const auto& function = *static_cast<Answer*>(to)->each;
        if (function) function(nlmsg_hdr(part));
        return NL_OK;
      },
      &answer);
  if (nl_send_auto(socket, message) < 0) return EIO;
  while (!answer.is_complete) {
    if (nl_recvmsgs(socket, callbacks.get()) < 0 && !answer.is_complete) return EIO;
  }
  return answer.code;
}

int to_errno(int nl_error) { return nl_error == -NLE_NOMEM ? ENOMEM : EIO; }

std::string advise_device(int code, bool is_ipv6, const std::string& device) {
  switch (code) {
    case EPERM:
      return "needs CAP_NET_ADMIN";
    case EACCES:
    case EOPNOTSUPP:
    case EAFNOSUPPORT:
      return is_ipv6 ? advise_disabled_ipv6(device) : "";
    case EEXIST:
      return "the device has it already";
    case ENODEV:
      return "the device is gone";
    default:
      return "";
  }
}

Result<NlSocket> connect_netlink(int protocol) {
  NlSocket socket{nl_socket_alloc()};
  if (!socket) return fail(ENOMEM, "open netlink", "socket");
  if (nl_connect(socket.get(), protocol) < 0) {
    return fail(errno != 0 ? errno : EIO, "open netlink", "socket",
                "culvert sets addresses and routes by netlink: allow AF_NETLINK sockets here");
  }
  return socket;
}

void read_events(nl_sock* socket, const std::function<void(nlmsghdr*)>& each) {
  alignas(nlmsghdr) std::array<char, 32'768> buffer;
  for (int count = 0; count < 1'024; ++count) {
    const auto bytes = ::recv(nl_socket_get_fd(socket), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (bytes < 0 && errno == ENOBUFS) {
      each(nullptr);
      continue;
    }
    if (bytes <= 0) return;
    int rest = static_cast<int>(bytes);
    auto* message = reinterpret_cast<nlmsghdr*>(buffer.data());
    for (; nlmsg_ok(message, rest); message = nlmsg_next(message, &rest)) each(message);
  }
}

void drain(nl_sock* socket) noexcept {
  std::array<char, 8192> message;
  for (int count = 0; count < 64; ++count) {
    const auto bytes =
        ::recv(nl_socket_get_fd(socket), message.data(), message.size(), MSG_DONTWAIT);
    if (bytes < 0 && errno != ENOBUFS) return;
  }
}

}  // namespace culvert::netlink
