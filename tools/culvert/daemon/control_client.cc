// The client of control_socket.h: blocking calls with a deadline.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <utility>

#include "tools/culvert/daemon/control_socket.h"
#include "tools/culvert/daemon/unix_socket.h"

namespace culvert::program {
namespace {

using Clock = std::chrono::steady_clock;

Unexpected<Error> fail(int code, const std::string& path, std::string advice) {
  return Unexpected{Error{
      .code = code, .operation = "send request to", .object = path, .advice = std::move(advice)}};
}

/// Waits for `events`. False: the deadline has passed, or poll() has failed.
bool wait(int fd, short events, Clock::time_point deadline) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) return false;
    pollfd entry{.fd = fd, .events = events, .revents = 0};
    const int ready = ::poll(&entry, 1, static_cast<int>(left.count()));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

}  // namespace

Result<std::string> send_request(const std::string& path, std::string_view request,
                                 std::chrono::milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  const auto client = connect_unix_socket(path, timeout);
  if (!client) return Unexpected{client.error()};
  std::string rest = std::string{request} + "\n";
  while (!rest.empty()) {
    const ssize_t sent = ::send(client->get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      rest.erase(0, static_cast<std::size_t>(sent));
    } else if (errno != EAGAIN || !wait(client->get(), POLLOUT, deadline)) {
      return fail(errno, path, "the process does not read the request");
    }
  }
  std::string answer;
  std::array<char, 65'536> block;
  while (answer.empty() || answer.back() != '\n') {
    if (!wait(client->get(), POLLIN, deadline)) {
      return fail(ETIMEDOUT, path, "the process does not answer");
    }
    const ssize_t size = ::recv(client->get(), block.data(), block.size(), 0);
    if (size <= 0 || answer.size() > kLongestAnswerBytes) {
      return fail(size < 0 ? errno : EPROTO, path, "the process has ended its answer too early");
    }
    answer.append(block.data(), static_cast<std::size_t>(size));
  }
  answer.pop_back();
  return answer;
}

std::vector<std::string> find_control_sockets(std::string_view directory) {
  std::vector<std::string> paths;
  std::error_code error;
  for (std::filesystem::directory_iterator entry{directory, error}, end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() == ".sock") paths.push_back(entry->path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace culvert::program
