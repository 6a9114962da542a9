// Ring and Poller poll according to io/busy_poll.h: a thread that yields but does not sleep has no
// voluntary context switch.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <thread>

#include "tests/io/packet_io_rig.h"

namespace culvert::io {
namespace {

using namespace std::chrono_literals;

long sleeps_of_this_thread() {
  rusage usage{};
  EXPECT_EQ(::getrusage(RUSAGE_THREAD, &usage), 0);
  return usage.ru_nvcsw;
}

class PacketIoBusyPoll : public PacketIoRig {
 protected:
  void open_with(std::chrono::nanoseconds limit) {
    busy_poll_ = limit;
    open(ReceiveKind::raw, {.tun_packets = 8});
    sender_ = udp_socket("10.0.0.1", 4000);
  }
  void send() const { send_to(sender_, "10.0.0.2", numbered(1), 5000); }

  /// The number of sleeps in a wait for a packet that is sent 5 ms after its start. The waits
  /// before it are short.
  long sleeps_until_a_packet_comes() {
    for (int i = 0; i < 5; ++i) {
      send();
      EXPECT_EQ(gather(Source::tun, 1).size(), 1U);
    }
    std::thread later([this] {
      std::this_thread::sleep_for(5ms);
      send();
    });
    const long before = sleeps_of_this_thread();
    std::size_t received = 0;
    for (int round = 0; round < 3 && received == 0; ++round) {
      EXPECT_TRUE(packet_io_->wait(20s));
      received = packet_io_->received(Source::tun).size();
      packet_io_->release();
    }
    const long sleeps = sleeps_of_this_thread() - before;
    later.join();
    EXPECT_EQ(received, 1U);
    return sleeps;
  }
  Fd sender_;
};

TEST_P(PacketIoBusyPoll, DoNotSleepWhileTheySpin) {
  open_with(10s);
  EXPECT_EQ(sleeps_until_a_packet_comes(), 0);
}

TEST_P(PacketIoBusyPoll, SleepWithoutIt) {
  open_with(0s);
  EXPECT_GE(sleeps_until_a_packet_comes(), 1);
}

TEST_P(PacketIoBusyPoll, AreWokenWhileTheySpin) {
  open_with(10s);
  send();
  EXPECT_EQ(gather(Source::tun, 1).size(), 1U);
  std::thread waker([this] {
    std::this_thread::sleep_for(5ms);
    packet_io_->wake();
  });
  EXPECT_TRUE(packet_io_->wait(1h));
  waker.join();
}

TEST_P(PacketIoBusyPoll, TakeABurstInOrderWhileTheySpin) {
  open_with(10s);
  std::thread sender([this] {
    for (int i = 0; i < 300; ++i) send_to(sender_, "10.0.0.2", numbered(i), 5000);
  });
  const auto packets = gather(Source::tun, 300, 10s);
  sender.join();
  ASSERT_EQ(packets.size(), 300U);
  for (int i = 0; i < 300; ++i)
    EXPECT_EQ(number_of(std::span{packets[i].bytes}.subspan(28)), i);  // IPv4 and UDP header
}

INSTANTIATE_TEST_SUITE_P(PacketIo, PacketIoBusyPoll, all_kinds(), kind_name);

}  // namespace
}  // namespace culvert::io
