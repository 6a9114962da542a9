#include "tools/culvert/daemon/peers.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <system_error>
#include <utility>

#include "tools/culvert/daemon/control_socket.h"

namespace culvert::program {
namespace {

namespace asio = boost::asio;
using Protocol = asio::local::stream_protocol;
using ErrorCode = boost::system::error_code;

constexpr std::string_view kPrefix = "culvert:";
constexpr std::chrono::seconds kAnswerTimeout{2};

std::string absolute(const std::string& path) {
  std::error_code error;
  const auto full = std::filesystem::absolute(path, error);
  return error ? path : full.string();
}

/// One question. Its pending handlers own it.
class Question : public std::enable_shared_from_this<Question> {
 public:
  Question(asio::io_context& context, std::string request,
           std::function<void(std::string_view)> on_answer)
      : socket_(context),
        deadline_(context),
        text_(std::move(request)),
        on_answer_(std::move(on_answer)) {}

  void send(const std::string& path) {
    const auto self = shared_from_this();
    deadline_.expires_after(kAnswerTimeout);
    deadline_.async_wait([self](ErrorCode error) {
      if (!error) self->close();
    });
    socket_.async_connect(Protocol::endpoint{path}, [self](ErrorCode error) {
      if (error) return self->close();
      asio::async_write(self->socket_, asio::buffer(self->text_),
                        [self](ErrorCode failed, std::size_t) {
                          return failed ? self->close() : self->receive();
                        });
    });
  }

 private:
  void receive() {
    text_.clear();
    asio::async_read_until(socket_, asio::dynamic_buffer(text_, kLongestAnswerBytes), '\n',
                           [self = shared_from_this()](ErrorCode error, std::size_t bytes) {
                             self->close();
                             if (!error)
                               self->on_answer_(std::string_view{self->text_}.substr(0, bytes - 1));
                           });
  }

  void close() {
    ErrorCode ignored;
    deadline_.cancel(ignored);
    socket_.close(ignored);
  }

  Protocol::socket socket_;
  asio::steady_timer deadline_;
  std::string text_;  ///< the request, then the answer
  std::function<void(std::string_view)> on_answer_;
};

}  // namespace

io::Fd announce(const std::string& control_path) {
  const std::string name = std::string{kPrefix} + absolute(control_path);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.size() >= sizeof address.sun_path) return {};
  std::memcpy(address.sun_path + 1, name.data(), name.size());  // abstract: begins with a 0
  io::Fd fd{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (fd && ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) return {};
  return fd;
}

std::vector<std::string> find_peers(const std::string& own_path) {
  const std::string own = absolute(own_path), mark = "@" + std::string{kPrefix};
  std::vector<std::string> paths;
  std::ifstream file{"/proc/net/unix"};
  for (std::string line; std::getline(file, line);) {
    const auto begin = line.find(mark);  // the columns in front of the name are hexadecimal
    if (begin == std::string::npos) continue;
    std::string path = line.substr(begin + mark.size());
    if (path != own) paths.push_back(std::move(path));
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

void ask(asio::io_context& context, const std::string& path, std::string_view request,
         std::function<void(std::string_view)> on_answer) {
  if (path.size() >= sizeof sockaddr_un{}.sun_path) return;
  std::make_shared<Question>(context, std::string{request} + "\n", std::move(on_answer))
      ->send(path);
}

}  // namespace culvert::program
