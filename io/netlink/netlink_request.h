// Helpers for netlink(7) requests with libnl-3: open a socket, send one request, read its whole
// answer, make an Error. One thread at a time for each socket.
#pragma once

#include <netlink/msg.h>
#include <netlink/netlink.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <memory>
#include <string>

#include "io/netlink/netlink.h"

namespace culvert::netlink {

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
/// sending or receiving fails.
int request(nl_sock* socket, nl_msg* message, const std::function<void(nlmsghdr*)>& each = {});

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

/// Sends a request for one object or, with NLM_F_DUMP, for all objects of one family. `each` and the
/// result are as in request().
template <class Header>
int request_objects(nl_sock* socket, int type, int flags, const Header& header,
                    const std::function<void(nlmsghdr*)>& each) {
  const Message message{nlmsg_alloc_simple(type, flags)};
  if (!message) return ENOMEM;
  nlmsg_append(message.get(), const_cast<Header*>(&header), sizeof header, NLMSG_ALIGNTO);
  return request(socket, message.get(), each);
}

/// Calls `each` for every message that a socket has received, and with null after messages were lost
/// (ENOBUFS). Does not block. Reads at most 1,024 messages.
void read_events(nl_sock* socket, const std::function<void(nlmsghdr*)>& each);

/// Discards the messages that a socket has received, and the report of lost messages (ENOBUFS).
/// Does not block. Reads at most 64 messages, so that a storm of changes does not keep the thread
/// here.
void drain(nl_sock* socket) noexcept;

}  // namespace culvert::netlink
