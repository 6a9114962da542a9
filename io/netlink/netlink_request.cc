#include "io/netlink/netlink_request.h"

#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netlink/errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
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
  bool is_interrupted = false;  ///< NLM_F_DUMP_INTR
  const std::function<void(nlmsghdr*)>* each = nullptr;
};

/// In a container nobody can write sysctls, so its owner sets them at the start.
bool is_read_only(const char* sysctl) { return ::access(sysctl, W_OK) != 0 && errno == EROFS; }

}  // namespace

void NlSocketFree::operator()(nl_sock* socket) const noexcept { nl_socket_free(socket); }

std::string disabled_ipv6_advice(std::string device) {
  if (is_read_only("/proc/sys/net/ipv6/conf/all/disable_ipv6"))
    return "IPv6 is disabled here and /proc/sys is read-only: start the container with `docker run "
           "--sysctl net.ipv6.conf.all.disable_ipv6=0`";
  std::replace(device.begin(), device.end(), '.', '/');  // sysctl(8): for a dot in a name
  return "IPv6 is disabled on this device: sysctl -w net.ipv6.conf." + device +
         ".disable_ipv6=0, or net.ipv6.conf.default.disable_ipv6=0 before start";
}

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
      callbacks.get(), NL_CB_DUMP_INTR, NL_CB_CUSTOM,
      [](nl_msg*, void* to) noexcept -> int {
        static_cast<Answer*>(to)->is_interrupted = true;
        return NL_OK;  // the rest of the dump follows
      },
      &answer);
  nl_cb_set(
      callbacks.get(), NL_CB_VALID, NL_CB_CUSTOM,
      [](nl_msg* part, void* to) noexcept -> int {
        const auto& function = *static_cast<Answer*>(to)->each;
        if (function) function(nlmsg_hdr(part));
        return NL_OK;
      },
      &answer);
  nlmsg_hdr(message)->nlmsg_seq = NL_AUTO_SEQ;  // a repeated request has the last number still
  if (nl_send_auto(socket, message) < 0) return EIO;
  while (!answer.is_complete) {
    if (nl_recvmsgs(socket, callbacks.get()) < 0 && !answer.is_complete) return EIO;
  }
  return answer.code == 0 && answer.is_interrupted ? EINTR : answer.code;
}

int dump(nl_sock* socket, nl_msg* message, const std::function<void()>& start,
         const std::function<void(nlmsghdr*)>& each) {
  constexpr int kMostTimes = 4;
  int code = EINTR;
  for (int time = 0; code == EINTR && time < kMostTimes; ++time) {
    start();
    code = request(socket, message, each);
  }
  return code;
}

StrictCheck::StrictCheck(nl_sock* socket) noexcept : fd_(nl_socket_get_fd(socket)) { set(1); }
StrictCheck::~StrictCheck() { set(0); }

void StrictCheck::set(int value) const noexcept {
  ::setsockopt(fd_, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &value, sizeof value);
}

int to_errno(int nl_error) { return nl_error == -NLE_NOMEM ? ENOMEM : EIO; }

std::string advise_device(int code, bool is_ipv6, const std::string& device) {
  switch (code) {
    case EPERM:
      return "needs CAP_NET_ADMIN";
    case EACCES:
    case EOPNOTSUPP:
    case EAFNOSUPPORT:
      return is_ipv6 ? disabled_ipv6_advice(device) : "";
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

int request_route(nl_sock* socket, const RouteRequest& route,
                  const std::function<void(nlmsghdr*)>& each) {
  const Message message{nlmsg_alloc_simple(RTM_GETROUTE, 0)};
  if (!message) return ENOMEM;
  rtmsg header{};
  header.rtm_family = route.destination.size() == sizeof(in6_addr) ? AF_INET6 : AF_INET;
  header.rtm_dst_len = static_cast<unsigned char>(route.destination.size() * 8);
  header.rtm_flags = route.flags;
  nlmsg_append(message.get(), &header, sizeof header, NLMSG_ALIGNTO);
  const auto put = [&](int type, std::span<const std::byte> address) {
    nla_put(message.get(), type, static_cast<int>(address.size()), address.data());
  };
  put(RTA_DST, route.destination);
  if (!route.source.empty()) put(RTA_SRC, route.source);
  if (route.output_index != 0) nla_put_u32(message.get(), RTA_OIF, route.output_index);
  if (route.input_index != 0) nla_put_u32(message.get(), RTA_IIF, route.input_index);
  return request(socket, message.get(), each);
}

Result<NlSocket> subscribe(int protocol, std::initializer_list<int> groups,
                           const std::string& what) {
  auto socket = connect_netlink(protocol);
  if (!socket) return socket;
  for (const int group : groups)
    if (nl_socket_add_membership(socket->get(), group) < 0) return fail(EIO, "watch", what);
  if (nl_socket_set_nonblocking(socket->get()) < 0) return fail(EIO, "watch", what);
  return socket;
}

void filter_interfaces(nl_sock* socket, std::vector<sock_filter> load,
                       std::span<const unsigned> interface_indexes) {
  for (const unsigned index : interface_indexes) {
    load.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(index), 0, 1));
    load.push_back(BPF_STMT(BPF_RET | BPF_K, 0xffff'ffff));
  }
  load.push_back(BPF_STMT(BPF_RET | BPF_K, 0));
  attach_filter(socket, std::move(load));
}

void attach_filter(nl_sock* socket, std::vector<sock_filter> program) {
  const int fd = nl_socket_get_fd(socket);
  const sock_fprog filter{.len = static_cast<unsigned short>(program.size()),
                          .filter = program.data()};
  if (program.size() <= BPF_MAXINSNS &&
      ::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0)
    return;
  const int unused = 0;
  ::setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof unused);
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

bool has_events(nl_sock* socket) noexcept {
  pollfd events{.fd = nl_socket_get_fd(socket), .events = POLLIN, .revents = 0};
  return ::poll(&events, 1, 0) > 0;
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
