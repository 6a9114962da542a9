#include "tools/culvert/daemon/control_socket.h"

#include <fcntl.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <functional>
#include <memory>
#include <utility>

#include "tools/culvert/daemon/unix_socket.h"

namespace culvert::program {
namespace {

namespace asio = boost::asio;
using Protocol = asio::local::stream_protocol;
using ErrorCode = boost::system::error_code;

constexpr std::size_t kMostSessions = 16;
/// Clients that wait until a session ends. The kernel's limit is net.core.somaxconn.
constexpr int kBacklog = 1'024;

/// What a server shares with its sessions, which may outlive it.
struct Sessions {
  std::size_t count = 0;
  std::function<void()> on_end{};  ///< empty: the server is gone
};

/// One client: reads a request, writes the answer, closes. Its pending handlers own it.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Protocol::socket socket, std::shared_ptr<const ControlServer::Answer> answer,
          std::shared_ptr<Sessions> sessions, std::chrono::milliseconds timeout)
      : socket_(std::move(socket)),
        deadline_(socket_.get_executor()),
        answer_(std::move(answer)),
        sessions_(std::move(sessions)),
        timeout_(timeout) {
    ++sessions_->count;
  }
  ~Session() {
    ErrorCode ignored;
    socket_.close(ignored);  // first, so that the next client can have the descriptor
    --sessions_->count;
    if (sessions_->on_end) sessions_->on_end();
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void start() {
    set_deadline();
    asio::async_read_until(socket_, asio::dynamic_buffer(line_, kLongestRequestBytes), '\n',
                           [self = shared_from_this()](ErrorCode error, std::size_t bytes) {
                             if (error) return self->close();
                             self->reply(bytes);
                           });
  }

 private:
  void set_deadline() {
    deadline_.expires_after(timeout_);
    deadline_.async_wait([self = shared_from_this()](ErrorCode error) {
      if (!error) self->close();
    });
  }

  void reply(std::size_t line_bytes) {
    line_ = (*answer_)(std::string_view{line_}.substr(0, line_bytes - 1)) + "\n";
    set_deadline();  // the time for making the answer does not count
    asio::async_write(socket_, asio::buffer(line_),
                      [self = shared_from_this()](ErrorCode, std::size_t) { self->close(); });
  }

  void close() {
    ErrorCode ignored;
    deadline_.cancel(ignored);
    socket_.close(ignored);
  }

  Protocol::socket socket_;
  asio::steady_timer deadline_;
  std::shared_ptr<const ControlServer::Answer> answer_;
  std::shared_ptr<Sessions> sessions_;
  std::chrono::milliseconds timeout_;
  std::string line_;
};

class Server final : public ControlServer {
 public:
  Server(asio::io_context& context, BoundSocket bound, Answer answer,
         std::chrono::milliseconds timeout)
      : path_(std::move(bound.path)),
        inode_(bound.inode),
        acceptor_(context, Protocol{}, bound.fd.release()),
        retry_(context),
        answer_(std::make_shared<const Answer>(std::move(answer))),
        timeout_(timeout) {
    sessions_->on_end = [this] { continue_accepting(); };
    accept();
  }

  ~Server() override {
    sessions_->on_end = nullptr;
    // Another process may have replaced the socket: then it is not ours to remove.
    if (inode_of(path_) == inode_) ::unlink(path_.c_str());
  }

 private:
  void accept() {
    acceptor_.async_accept([this](ErrorCode error, Protocol::socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (error) return accept_later();
      std::make_shared<Session>(std::move(socket), answer_, sessions_, timeout_)->start();
      // More clients wait in the backlog until a session ends.
      is_full_ = sessions_->count >= kMostSessions;
      if (!is_full_) accept();
    });
  }

  void continue_accepting() {
    keep_reserve();
    if (is_full_ && sessions_->count < kMostSessions) {
      is_full_ = false;
      accept();
    }
  }

  /// Retries after a pause. Without the pause it would spin while there are no descriptors (EMFILE).
  /// One is kept for that case, so that `culvert show` can be answered.
  void accept_later() {
    reserve_.reset();
    retry_.expires_after(std::chrono::milliseconds{200});
    retry_.async_wait([this](ErrorCode error) {
      if (!error) accept();
    });
  }

  void keep_reserve() {
    if (!reserve_) reserve_ = io::Fd{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  }

  std::string path_;
  ino_t inode_;
  Protocol::acceptor acceptor_;
  asio::steady_timer retry_;
  std::shared_ptr<const Answer> answer_;
  std::shared_ptr<Sessions> sessions_ = std::make_shared<Sessions>();
  bool is_full_ = false;  ///< kMostSessions are open, and no accept is pending
  io::Fd reserve_{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  std::chrono::milliseconds timeout_;
};

}  // namespace

std::string default_control_path(std::string_view device) {
  return std::string{kControlDirectory} + "/" + std::string{device} + ".sock";
}

Result<std::unique_ptr<ControlServer>> ControlServer::open(
    asio::io_context& context, std::string path, Answer answer,
    std::chrono::milliseconds client_timeout) {
  auto bound = bind_unix_socket(std::move(path), kBacklog);
  if (!bound) return Unexpected{bound.error()};
  try {
    return std::unique_ptr<ControlServer>{
        std::make_unique<Server>(context, std::move(*bound), std::move(answer), client_timeout)};
  } catch (const boost::system::system_error& error) {
    return Unexpected{Error{.code = error.code().value(),
                            .operation = "listen on",
                            .object = "the control socket",
                            .advice = {}}};
  }
}

}  // namespace culvert::program
