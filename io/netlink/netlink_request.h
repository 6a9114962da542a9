// Helpers for netlink(7) requests with libnl-3: open a socket, send one request, read its whole
// answer, make an Error. One thread at a time for each socket.
#pragma once

#include <linux/filter.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <cstdint>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "io/netlink/netlink.h"

namespace culvert::netlink {

/// The metric of unreachable routes: the largest, so that every other route wins.
inline constexpr std::uint32_t kUnreachableMetric = 0xffff'ffff;

/// Deleter for an object of libnl: calls its C function `kFree`.
template <auto kFree>
struct Free {
  template <class T>
  void operator()(T* object) const noexcept {
    kFree(object);
  }
};
using Message = std::unique_ptr<nl_msg, Free<nlmsg_free>>;

/// An Error. `code`: errno.
[[nodiscard]] Unexpected<Error> fail(int code, std::string operation, std::string object,
                                     std::string advice = {});

/// The errno for an error of libnl while it builds a request (a negative NLE_ number). libnl folds
/// several errnos into one number; before a request is sent only ENOMEM can be told from the rest,
/// which become EIO.
[[nodiscard]] int to_errno(int nl_error);

/// Advice for an errno that the kernel returns when a device, address or route of ours is changed;
/// may be empty. `is_ipv6`: the change was about IPv6.
[[nodiscard]] std::string advise_device(int code, bool is_ipv6, const std::string& device);

/// Opens a netlink socket. `protocol`: NETLINK_ROUTE, NETLINK_NETFILTER or NETLINK_XFRM.
[[nodiscard]] Result<NlSocket> connect_netlink(int protocol);

/// Sends a request and reads its whole answer. Blocks until the answer is complete. Calls `each`
/// for every message of the answer; `each` must not throw. Returns 0 or the kernel's errno; EIO if
/// sending or receiving fails; EINTR if something changed while the kernel sent a dump
/// (NLM_F_DUMP_INTR), so that objects may be missing: dump() repeats it.
int request(nl_sock* socket, nl_msg* message, const std::function<void(nlmsghdr*)>& each = {});

/// Sends a request with NLM_F_DUMP, a few times if the dump is interrupted each time. `start` runs
/// before each time: it discards the objects of the time before. Otherwise as request(). EINTR: the
/// objects of the last time are there, but others may be missing.
int dump(nl_sock* socket, nl_msg* message, const std::function<void()>& start,
         const std::function<void(nlmsghdr*)>& each);

/// While it exists, the kernel dumps only the objects that the header and the attributes of a
/// request name (Linux 4.20). Without it the kernel dumps all of them.
class StrictCheck {
 public:
  explicit StrictCheck(nl_sock* socket) noexcept;
  ~StrictCheck();
  StrictCheck(const StrictCheck&) = delete;
  StrictCheck& operator=(const StrictCheck&) = delete;

 private:
  void set(int value) const noexcept;
  int fd_;
};

/// The attribute of a message that follows its `Header` (rtmsg, ndmsg, ...); null: there is none.
template <class Header>
[[nodiscard]] nlattr* attribute(nlmsghdr* message, int type) {
  return nlmsg_find_attr(message, sizeof(Header), type);
}

/// The text of an attribute; empty: there is none.
[[nodiscard]] inline std::string text_of(nlattr* attribute) {
  return attribute == nullptr ? "" : nla_get_string(attribute);
}

/// Copies the value of an attribute. False: there is none, or its size is not that of `to`.
template <class Value>
bool copy(nlattr* from, Value& to) {
  if (from == nullptr || nla_len(from) != static_cast<int>(sizeof to)) return false;
  std::memcpy(&to, nla_data(from), sizeof to);
  return true;
}

/// The remedy, as a sentence, for a device on which IPv6 is disabled.
[[nodiscard]] std::string disabled_ipv6_advice(std::string device);

/// A request that has a header but no attributes yet; null: there is no memory for it.
template <class Header>
[[nodiscard]] Message make_request(int type, int flags, const Header& header) {
  Message message{nlmsg_alloc_simple(type, flags)};
  if (message)
    nlmsg_append(message.get(), const_cast<Header*>(&header), sizeof header, NLMSG_ALIGNTO);
  return message;
}

/// Sends a request for one object. `each` and the result are as in request().
template <class Header>
int request_object(nl_sock* socket, int type, const Header& header,
                   const std::function<void(nlmsghdr*)>& each) {
  const Message message = make_request(type, 0, header);
  return message ? request(socket, message.get(), each) : ENOMEM;
}

/// Reads all objects that a request names by its header. `found`: where `each` puts them; it is
/// emptied before each time. The result is as in dump().
template <class Header, class Found>
int dump_objects(nl_sock* socket, int type, const Header& header, Found& found,
                 const std::function<void(nlmsghdr*)>& each) {
  const Message message = make_request(type, NLM_F_DUMP, header);
  return message ? dump(
                       socket, message.get(), [&] { found = Found{}; }, each)
                 : ENOMEM;
}

/// A look-up of one route (RTM_GETROUTE). Addresses have 4 bytes, or 16 for IPv6.
struct RouteRequest {
  std::span<const std::byte> destination;
  std::span<const std::byte> source{};  ///< empty: any
  unsigned output_index = 0;            ///< only routes by this interface; 0: all
  unsigned input_index = 0;  ///< of a packet that arrives by this interface; 0: of one of this host
  unsigned flags = 0;        ///< RTM_F_FIB_MATCH and the like
};
/// `each` and the result are as in request(). ENETUNREACH and the like: there is no route.
int request_route(nl_sock* socket, const RouteRequest& route,
                  const std::function<void(nlmsghdr*)>& each);

/// dump_objects() by a socket of its own. `protocol`: as in connect_netlink().
template <class Header, class Found>
int dump_objects(int protocol, int type, const Header& header, Found& found,
                 const std::function<void(nlmsghdr*)>& each) {
  const auto socket = connect_netlink(protocol);
  if (!socket) return socket.error().code;
  return dump_objects(socket->get(), type, header, found, each);
}

/// Opens a non-blocking socket that receives the events of these groups. `what`: what is watched, for
/// the error.
[[nodiscard]] Result<NlSocket> subscribe(int protocol, std::initializer_list<int> groups,
                                         const std::string& what);

/// Lets the kernel queue only messages about these interfaces, so that thousands of changes a second
/// elsewhere cost this process nothing. `load`: instructions that load the interface of a message, in
/// network byte order, and may return 0 for messages of no interest. With more than 2,000 interfaces
/// all messages are queued.
void filter_interfaces(nl_sock* socket, std::vector<sock_filter> load,
                       std::span<const unsigned> interface_indexes);

/// Lets the kernel queue only messages that a program accepts, in the place of an earlier program. If
/// that cannot be (more than 4,096 instructions), all messages are queued.
void attach_filter(nl_sock* socket, std::vector<sock_filter> program);

/// Calls `each` for every message that a socket has received, and with null after messages were lost
/// (ENOBUFS). Does not block. Reads at most 1,024 messages.
void read_events(nl_sock* socket, const std::function<void(nlmsghdr*)>& each);

/// Whether a socket has received messages, or has lost some (ENOBUFS).
[[nodiscard]] bool has_events(nl_sock* socket) noexcept;

/// Discards the messages that a socket has received, and the report of lost messages (ENOBUFS).
/// Does not block. Reads at most 64 messages, so that a storm of changes does not keep the thread
/// here.
void drain(nl_sock* socket) noexcept;

}  // namespace culvert::netlink
