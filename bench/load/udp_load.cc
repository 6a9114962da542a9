// UDP overload: the sender sends numbered datagrams as fast as its core can, 64 a call; the
// receiver counts those that arrive within a time that begins with the first.
#include <sys/uio.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "bench/load/load.h"

namespace {

using namespace culvert::load;

constexpr unsigned kBatch = 64;
constexpr long kDefaultPayloadBytes = 64;

/// Datagrams by the batch; their buffers lie one behind the other.
struct Batch {
  explicit Batch(std::size_t payload_bytes) : bytes(kBatch * payload_bytes) {
    for (std::size_t i = 0; i < kBatch; ++i) {
      pieces[i] = {.iov_base = bytes.data() + i * payload_bytes, .iov_len = payload_bytes};
      messages[i].msg_hdr.msg_iov = &pieces[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
  }
  std::vector<unsigned char> bytes;
  std::array<iovec, kBatch> pieces{};
  std::array<mmsghdr, kBatch> messages{};
};

int send_datagrams(const Arguments& arguments, std::size_t payload_bytes) {
  const int fd = open_socket(SOCK_DGRAM, arguments.duration);
  check(connect(fd, as_sockaddr(arguments.address), sizeof arguments.address), "connect");
  Batch batch(payload_bytes);
  std::uint64_t sent = 0;
  std::uint64_t refused = 0;
  for (const auto end = Clock::now() + arguments.duration; Clock::now() < end;) {
    for (std::uint64_t i = 0; i < kBatch; ++i) {
      const std::uint64_t sequence = sent + i;
      std::memcpy(batch.pieces[i].iov_base, &sequence, sizeof sequence);
    }
    const int count = sendmmsg(fd, batch.messages.data(), kBatch, 0);
    if (count > 0) {
      sent += static_cast<std::uint64_t>(count);
    } else if (errno == ENOBUFS || errno == EAGAIN || errno == ECONNREFUSED) {
      ++refused;  // overload is what is asked for; a receiver that is gone is not our business
    } else {
      fail("sendmmsg");
    }
  }
  std::printf("{\"packets\":%llu,\"refused\":%llu}\n", static_cast<unsigned long long>(sent),
              static_cast<unsigned long long>(refused));
  return 0;
}

/// What arrived. A sequence number not above all before it was overtaken on the way or is a copy.
struct Arrivals {
  std::uint64_t packets = 0;
  std::uint64_t not_in_order = 0;
  std::uint64_t next = 0;

  void add(const void* datagram) {
    std::uint64_t sequence = 0;
    std::memcpy(&sequence, datagram, sizeof sequence);
    ++packets;
    if (sequence < next) ++not_in_order;
    next = std::max(next, sequence + 1);
  }
};

/// Sleeps a millisecond, then takes all there is: a wake-up for each datagram would cost the two
/// cores more than the datagrams do, and the tunnel is to be measured, not this program.
int receive_datagrams(const Arguments& arguments) {
  const int fd = open_socket(SOCK_DGRAM, arguments.duration);
  const int buffer_bytes = 64 << 20;
  check(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes, sizeof buffer_bytes),
        "SO_RCVBUFFORCE");
  check(bind(fd, as_sockaddr(arguments.address), sizeof arguments.address), "bind");
  Batch batch(sizeof(std::uint64_t));  // the rest of a datagram is cut off unread
  Arrivals arrivals;
  Clock::time_point first;
  auto end = Clock::now() + Seconds(kPatienceSeconds);
  for (auto now = Clock::now(); now < end; now = Clock::now()) {
    const int count = recvmmsg(fd, batch.messages.data(), kBatch, MSG_DONTWAIT, nullptr);
    if (count < 0 && errno != EAGAIN) fail("recvmmsg");
    if (count > 0 && arrivals.packets == 0) {
      first = now;
      end = now + std::chrono::duration_cast<Clock::duration>(arguments.duration);
    }
    for (int i = 0; i < count; ++i) {
      arrivals.add(batch.pieces[static_cast<std::size_t>(i)].iov_base);
    }
    const timespec millisecond{0, 1'000'000};
    if (count <= 0) nanosleep(&millisecond, nullptr);
  }
  const Seconds elapsed = arrivals.packets != 0 ? Clock::now() - first : arguments.duration;
  std::printf(
      "{\"packets\":%llu,\"seconds\":%.6f,\"packets_per_second\":%.0f,\"not_in_order\":%llu}\n",
      static_cast<unsigned long long>(arrivals.packets), elapsed.count(),
      static_cast<double>(arrivals.packets) / elapsed.count(),
      static_cast<unsigned long long>(arrivals.not_in_order));
  return arrivals.packets != 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments = parse(argc, argv, "PAYLOAD-BYTES");
  if (!arguments.sends) return receive_datagrams(arguments);
  const long payload_bytes =
      arguments.option != nullptr ? number(arguments.option, 8, 65487) : kDefaultPayloadBytes;
  return send_datagrams(arguments, static_cast<std::size_t>(payload_bytes));
}
