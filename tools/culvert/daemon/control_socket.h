// The control socket of a running process: a Unix stream socket that takes one line of JSON and
// answers with one. Server: the thread of its io_context. Client: any thread, blocking.
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

/// Where the sockets are, if --control does not say otherwise.
inline constexpr std::string_view kControlDirectory = "/run/culvert";

/// /run/culvert/NAME.sock
[[nodiscard]] std::string default_control_path(std::string_view device);

/// Longest request; a longer one is not read. A tunnel with a thousand prefixes has its place.
inline constexpr std::size_t kLongestRequestBytes = 65'536;

class ControlServer {
 public:
  /// From the line of a request to the line of its answer, both without the newline.
  using Answer = std::function<std::string(std::string_view)>;

  /// Listens on `path`, mode 0600; makes its directory. The socket of a process that is dead is
  /// replaced, that of a living one refused. A client that does not read or write in time is
  /// disconnected; nobody waits for it.
  [[nodiscard]] static Result<std::unique_ptr<ControlServer>> open(
      boost::asio::io_context& context, std::string path, Answer answer,
      std::chrono::milliseconds client_timeout = std::chrono::seconds{5});

  /// Stops listening and removes the socket.
  virtual ~ControlServer() = default;
};

/// Sends a request to the process behind `path` and returns its answer.
[[nodiscard]] Result<std::string> send_request(
    const std::string& path, std::string_view request,
    std::chrono::milliseconds timeout = std::chrono::seconds{5});

/// The sockets below `directory`, sorted; those of dead processes too.
[[nodiscard]] std::vector<std::string> find_control_sockets(
    std::string_view directory = kControlDirectory);

}  // namespace culvert::program
