// One request to netlink(7) and its answer, by libnl-3: what all that ask the kernel have in
// common. One thread.
#pragma once

#include <netlink/msg.h>
#include <netlink/netlink.h>

#include <functional>
#include <memory>
#include <string>

#include "io/netlink/netlink.h"

namespace culvert::netlink {

/// Owns an object of libnl.
template <auto kFree>
struct Free {
  template <class T>
  void operator()(T* object) const noexcept {
    kFree(object);
  }
};
using Message = std::unique_ptr<nl_msg, Free<nlmsg_free>>;

[[nodiscard]] Unexpected<Error> fail(int code, std::string operation, std::string object,
                                     std::string advice = {});

/// libnl has one number of its own for several errnos; those that can happen before a request is
/// sent are these.
[[nodiscard]] int to_errno(int nl_error);

/// What to do about the errnos that changing a device of ours can meet.
[[nodiscard]] std::string advise_device(int code, bool is_ipv6, const std::string& device);

/// Opens a socket of one of netlink's families (NETLINK_ROUTE ...).
[[nodiscard]] Result<NlSocket> connect_netlink(int protocol);

/// Sends a request and reads its whole answer; `each` is called for every message of it and must
/// not throw. Returns the kernel's errno.
int request(nl_sock* socket, nl_msg* message, const std::function<void(nlmsghdr*)>& each = {});

/// Reads and forgets what a socket was sent, and that some was lost. Bounded, so that a storm of
/// changes does not keep the thread here.
void drain(nl_sock* socket) noexcept;

}  // namespace culvert::netlink
