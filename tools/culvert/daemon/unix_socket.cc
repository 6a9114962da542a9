#include "tools/culvert/daemon/unix_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

namespace culvert::program {
namespace {

Unexpected<Error> fail(int code, std::string operation, std::string object,
                       std::string advice = {}) {
  return Unexpected{Error{.code = code,
                          .operation = std::move(operation),
                          .object = std::move(object),
                          .advice = std::move(advice)}};
}

/// The socket address of a path; nullopt: the path is empty or too long.
std::optional<sockaddr_un> to_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) return std::nullopt;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

Unexpected<Error> bad_path(const std::string& path) {
  return fail(ENAMETOOLONG, "use control socket", path,
              "write a path of 1 to 107 bytes: --control PATH");
}

std::string advise(int code) {
  switch (code) {
    case EACCES:
    case EPERM:
      return "this user may not write there: run as root, or write another --control PATH";
    case EROFS:
      return "the file system is read-only: write another --control PATH";
    case ENOSPC:
      return "the file system is full: write another --control PATH";
    case ENOTDIR:
      return "a part of the path is not a directory: write another --control PATH";
    default:
      return "write another --control PATH";
  }
}

std::string advise_client(int code) {
  switch (code) {
    case ENOENT:
    case ECONNREFUSED:
      return "no running culvert answers there";
    case EACCES:
    case EPERM:
      return "the socket belongs to another user: run as root";
    case EAGAIN:
      return "too many clients are waiting there: try again";
    default:
      return "";
  }
}

/// Removes a socket on which no process listens. Fails if a process listens, or if the file is not
/// a socket.
Result<void> remove_stale_socket(const std::string& path) {
  struct stat facts {};
  if (::lstat(path.c_str(), &facts) != 0) return {};
  if (!S_ISSOCK(facts.st_mode)) {
    return fail(EEXIST, "open control socket", path,
                "the path is a file that is not a socket: write another --control PATH");
  }
  const auto client = connect_unix_socket(path);
  // EAGAIN: its backlog is full, so a process listens.
  if (client || client.error().code == EAGAIN) {
    return fail(EADDRINUSE, "open control socket", path,
                "a running culvert answers there: stop it, or write another --control PATH");
  }
  if (client.error().code != ECONNREFUSED) return Unexpected{client.error()};
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return fail(errno, "replace control socket", path, advise(errno));
  }
  return {};
}

}  // namespace

ino_t inode_of(const std::string& path) noexcept {
  struct stat facts {};
  return ::lstat(path.c_str(), &facts) == 0 ? facts.st_ino : 0;
}

Result<io::Fd> connect_unix_socket(const std::string& path, std::chrono::milliseconds timeout) {
  const auto address = to_address(path);
  if (!address) return bad_path(path);
  io::Fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!fd) return fail(errno, "open socket for", path);
  const auto try_to_connect = [&] {
    return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) == 0
               ? 0
               : errno;
  };
  int code = try_to_connect();
  if (code == EAGAIN && timeout.count() > 0) {
    // A blocking connect() waits for room in the backlog, as long as SO_SNDTIMEO says.
    const timeval limit{.tv_sec = timeout.count() / 1'000,
                        .tv_usec = timeout.count() % 1'000 * 1'000};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    const int flags = ::fcntl(fd.get(), F_GETFL);
    ::fcntl(fd.get(), F_SETFL, flags & ~O_NONBLOCK);
    code = try_to_connect();
    ::fcntl(fd.get(), F_SETFL, flags);
  }
  if (code != 0) return fail(code, "connect to control socket", path, advise_client(code));
  return fd;
}

Result<BoundSocket> bind_unix_socket(std::string path, int backlog) {
  const auto address = to_address(path);
  if (!address) return bad_path(path);
  std::error_code error;
  const auto directory = std::filesystem::path{path}.parent_path();
  if (!directory.empty() && !std::filesystem::exists(directory, error)) {
    std::filesystem::create_directories(directory, error);
    if (error) return fail(error.value(), "make directory", directory, advise(error.value()));
    ::chmod(directory.c_str(), 0755);
  }
  if (const auto removed = remove_stale_socket(path); !removed) return Unexpected{removed.error()};
  io::Fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!fd) return fail(errno, "open control socket", path);
  // Linux gives the file the mode of the socket, so other users can never connect.
  ::fchmod(fd.get(), 0600);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0 ||
      ::listen(fd.get(), backlog) != 0) {
    return fail(errno, "open control socket", path, advise(errno));
  }
  const ino_t inode = inode_of(path);
  return BoundSocket{.fd = std::move(fd), .path = std::move(path), .inode = inode};
}

}  // namespace culvert::program
