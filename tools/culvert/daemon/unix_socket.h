// Unix stream sockets as descriptors: a listening socket with its file, and a client. Both are
// non-blocking. Any thread.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>

#include "io/fd.h"
#include "io/result.h"

namespace culvert::program {

/// A socket that listens on the file `path`.
struct BoundSocket {
  io::Fd fd;
  std::string path;
  ino_t inode = 0;  ///< of the file: it shows whether the file is still ours
};

/// Listens on `path`, mode 0600; creates its folder, mode 0755. Replaces a socket on which no
/// process listens. Fails with EADDRINUSE if a process listens there, EEXIST if another file is
/// there, and ENAMETOOLONG if the path has not 1 to 107 bytes.
[[nodiscard]] Result<BoundSocket> bind_unix_socket(std::string path, int backlog);

/// Connects to `path`. While the backlog of the process is full, waits for up to `timeout`. Fails with
/// ENOENT or ECONNREFUSED if no process listens there, EAGAIN if its backlog is still full.
[[nodiscard]] Result<io::Fd> connect_unix_socket(const std::string& path,
                                                 std::chrono::milliseconds timeout = {});

/// The inode of a file; 0: there is no such file.
[[nodiscard]] ino_t inode_of(const std::string& path) noexcept;

}  // namespace culvert::program
