// The other culverts of this network namespace: how they find each other, and how one asks another
// without waiting. Other network namespaces receive other packets, so they do not matter.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "io/fd.h"

namespace boost::asio {
class io_context;
}

namespace culvert::program {

/// Binds an abstract Unix socket whose name has the path of the control socket. The kernel lists it in
/// /proc/net/unix of this network namespace, until the descriptor is closed or the process ends.
/// Without a descriptor: another process has announced the same path, or there are none left.
[[nodiscard]] io::Fd announce(const std::string& control_path);

/// The control sockets that were announced in this network namespace, sorted, without
/// `own_path`.
[[nodiscard]] std::vector<std::string> find_peers(const std::string& own_path);

/// Sends a request of one line to a control socket, and calls `on_answer` with the answer (without the
/// newline) on the thread of the context. Never calls it if the process does not answer within two
/// seconds, or if the context stops.
void ask(boost::asio::io_context& context, const std::string& path, std::string_view request,
         std::function<void(std::string_view answer)> on_answer);

}  // namespace culvert::program
