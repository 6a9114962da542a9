// The control socket of a running process: a Unix stream socket. A client sends one line of JSON
// and receives one line (requests.h). Server: the thread of its io_context. Client: any thread;
// blocks.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/result.h"

namespace boost::asio {
class io_context;
}

namespace culvert::program {

/// The folder of the control sockets, unless --control sets another path.
inline constexpr std::string_view kControlDirectory = "/run/culvert";

/// /run/culvert/NAME.sock
[[nodiscard]] std::string default_control_path(std::string_view device);

/// The longest request, including the newline. The server disconnects a client with a longer one. A
/// tunnel with 1,000 prefixes fits.
inline constexpr std::size_t kLongestRequestBytes = 65'536;

/// The longest answer that a client reads. The report of 10,000 tunnels has 10 MiB.
inline constexpr std::size_t kLongestAnswerBytes = 64u << 20;

class ControlServer {
 public:
  /// Returns the answer to a request. Both are lines without the newline.
  using Answer = std::function<std::string(std::string_view)>;

  /// Listens on `path`, mode 0600; creates its folder. Replaces the socket of a dead process. Fails
  /// with EADDRINUSE if a running process listens there, EEXIST if another file is there, and
  /// ENAMETOOLONG if the path has not 1 to 107 bytes. Disconnects a client that does not read or
  /// write within `client_timeout`; other clients do not wait for it.
  [[nodiscard]] static Result<std::unique_ptr<ControlServer>> open(
      boost::asio::io_context& context, std::string path, Answer answer,
      std::chrono::milliseconds client_timeout = std::chrono::seconds{5});

  /// Stops listening and removes the socket.
  virtual ~ControlServer() = default;
};

/// Sends a request to the process that listens on `path` and returns its answer, both without the
/// newline. Fails with ECONNREFUSED or ENOENT if no process listens, ETIMEDOUT if it does not
/// answer in time.
[[nodiscard]] Result<std::string> send_request(
    const std::string& path, std::string_view request,
    std::chrono::milliseconds timeout = std::chrono::seconds{5});

/// The paths of the control sockets in `directory`, sorted. Sockets of dead processes are included.
[[nodiscard]] std::vector<std::string> find_control_sockets(
    std::string_view directory = kControlDirectory);

}  // namespace culvert::program
