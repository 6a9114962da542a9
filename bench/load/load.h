// What the two traffic programs share: their command line, their sockets, and the rule that nothing
// runs for ever. One thread; prints one JSON line to stdout, or one sentence to stderr and exits.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace culvert::load {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

/// How long a receiver waits for its sender, and either for an answer, before it gives up.
inline constexpr int kPatienceSeconds = 10;

[[noreturn]] inline void fail(const char* what, int error = errno) {
  std::fprintf(stderr, "%s: %s\n", what, std::strerror(error));
  std::exit(1);
}

inline int check(int result, const char* what) {
  if (result < 0) fail(what);
  return result;
}

/// One number of the command line, in [low, high]; refuses everything else.
inline long number(const char* text, long low, long high) {
  long value = 0;
  const char* end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, value);
  if (error != std::errc{} || stop != end || value < low || value > high) {
    std::fprintf(stderr, "%s: not a number from %ld to %ld\n", text, low, high);
    std::exit(2);
  }
  return value;
}

struct Arguments {
  bool sends = false;
  sockaddr_in6 address{};  ///< to send to, or to receive at
  Seconds duration{};
  const char* option = nullptr;  ///< the fifth word, if there is one
};

/// `send|receive ADDRESS PORT SECONDS [OPTION]`; ADDRESS is IPv6, or IPv4 as ::ffff:a.b.c.d.
inline Arguments parse(int argc, char** argv, const char* option) {
  const std::string_view verb = argc > 1 ? argv[1] : "";
  Arguments arguments;
  arguments.address.sin6_family = AF_INET6;
  if ((argc != 5 && argc != 6) || (verb != "send" && verb != "receive") ||
      inet_pton(AF_INET6, argv[2], &arguments.address.sin6_addr) != 1) {
    std::fprintf(stderr, "usage: %s send|receive IPV6-ADDRESS PORT SECONDS [%s]\n", argv[0],
                 option);
    std::exit(2);
  }
  arguments.sends = verb == "send";
  arguments.address.sin6_port = htons(static_cast<std::uint16_t>(number(argv[3], 1, 65535)));
  arguments.duration = Seconds(static_cast<double>(number(argv[4], 1, 86400)));
  if (argc == 6) arguments.option = argv[5];
  return arguments;
}

inline const sockaddr* as_sockaddr(const sockaddr_in6& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

/// A socket whose calls end after the patience above. The process itself ends with SIGALRM some
/// time after its duration, whatever happens.
inline int open_socket(int type, Seconds duration) {
  alarm(static_cast<unsigned>(duration.count()) + 3 * kPatienceSeconds);
  const int fd = check(socket(AF_INET6, type | SOCK_CLOEXEC, 0), "socket");
  const timeval patience{kPatienceSeconds, 0};
  check(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), "SO_RCVTIMEO");
  check(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience), "SO_SNDTIMEO");
  return fd;
}

}  // namespace culvert::load
