// A program for one TCP connection at full speed. The sender sends for a time. The receiver counts
// the bytes and, with `verify`, compares each of them. Prints one JSON line to stdout, or one
// sentence to stderr.
#include <arpa/inet.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "bench/e2e/load.h"

namespace {

using namespace culvert::bench;

[[noreturn]] void show_usage(const char* name) {
  std::fprintf(stderr, "usage: %s send|receive IPV6-ADDRESS PORT SECONDS [verify]\n", name);
  std::exit(2);
}

/// Parses a number of the command line, in [low, high]. Refuses everything else.
long number(const char* text, long low, long high) {
  long value = 0;
  const char* end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, value);
  if (error != std::errc{} || stop != end || value < low || value > high) {
    std::fprintf(stderr, "%s: not a number from %ld to %ld\n", text, low, high);
    std::exit(2);
  }
  return value;
}

int complain(const culvert::Error& error) {
  std::fprintf(stderr, "%s\n", error.message().c_str());
  return 1;
}

int send(const sockaddr_in6& to, long seconds) {
  Flow flow;
  const auto sent = send_stream(to, Clock::now() + std::chrono::seconds{seconds}, flow);
  if (!sent) return complain(sent.error());
  std::printf("{\"bytes\":%llu,\"retransmissions\":%u,\"mss_bytes\":%u}\n",
              static_cast<unsigned long long>(flow.sent.load()), flow.retransmissions.load(),
              flow.mss_bytes.load());
  return 0;
}

int receive(const sockaddr_in6& at, bool verify) {
  Flow flow;
  const auto elapsed = receive_stream(at, verify, flow);
  if (!elapsed) return complain(elapsed.error());
  const std::uint64_t bytes = flow.received.load();
  const bool is_equal = flow.is_equal.load();
  std::printf("{\"bytes\":%llu,\"seconds\":%.6f,\"mbit_per_second\":%.1f,\"equal\":%s}\n",
              static_cast<unsigned long long>(bytes), elapsed->count(),
              static_cast<double>(bytes) * 8e-6 / elapsed->count(),
              !verify    ? "null"
              : is_equal ? "true"
                         : "false");
  return is_equal ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view verb = argc > 1 ? argv[1] : "";
  const bool verify = argc == 6 && std::string_view{argv[5]} == "verify";
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  if ((argc != 5 && !verify) || (verb != "send" && verb != "receive") ||
      ::inet_pton(AF_INET6, argv[2], &address.sin6_addr) != 1)
    show_usage(argv[0]);
  address.sin6_port = htons(static_cast<std::uint16_t>(number(argv[3], 1, 65535)));
  const long seconds = number(argv[4], 1, 86400);
  // The program always ends.
  ::alarm(static_cast<unsigned>(seconds) + 3 * kTimeoutSeconds);
  return verb == "send" ? send(address, seconds) : receive(address, verify);
}
