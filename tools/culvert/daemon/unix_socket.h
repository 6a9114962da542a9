// Unix stream sockets as plain descriptors: the listening one with its file, and a client that
// gives up in time. Any thread; blocking.
#pragma once

#include <sys/types.h>

#include <string>

#include "io/fd.h"
#include "io/result.h"

namespace culvert::program {

/// A socket that listens on a file.
struct BoundSocket {
  io::Fd fd;
  std::string path;
  ino_t inode = 0;  ///< of the file: whether it is still ours
};

/// Listens on `path`, mode 0600; makes its directory, 0755. Takes the place of a socket on which
/// nobody listens; refuses one on which somebody does, and any other file.
[[nodiscard]] Result<BoundSocket> bind_unix_socket(std::string path, int backlog);

/// Connects to `path`. ECONNREFUSED: nobody listens there any more.
[[nodiscard]] Result<io::Fd> connect_unix_socket(const std::string& path);

/// 0: there is no such file.
[[nodiscard]] ino_t inode_of(const std::string& path) noexcept;

}  // namespace culvert::program
