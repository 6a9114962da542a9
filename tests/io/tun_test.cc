#include "io/tun.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <linux/if_tun.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <thread>
#include <vector>

#include "io/ethtool.h"
#include "tests/io/rig.h"

namespace culvert::io {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

/// Whether an interface exists.
bool exists(const std::string& name) { return ::if_nametoindex(name.c_str()) != 0; }

/// The message of an error in a child process after `prepare`. A child, so that changes to the
/// process end with it.
std::string message_in_child(const std::function<void()>& prepare, const char* name = "tun0") {
  int pipe[2];
  EXPECT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    prepare();
    const auto tun = open_tun(name, 1);
    const std::string text = tun ? "opened" : tun.error().message();
    ::_exit(::write(pipe[1], text.data(), text.size()) < 0);
  }
  ::close(pipe[1]);
  std::string text(2000, '\0');
  const auto size = ::read(pipe[0], text.data(), text.size());
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  ::close(pipe[0]);
  ::waitpid(child, nullptr, 0);
  return text;
}

class TunOpen : public NamespaceTest {};

TEST_F(TunOpen, MakesADeviceThatGoesWithItsQueues) {
  {
    const auto tun = open_tun("culvert0", 1);
    ASSERT_TRUE(tun) << tun.error().message();
    EXPECT_EQ(tun->name, "culvert0");
    EXPECT_EQ(tun->index, ::if_nametoindex("culvert0"));
    EXPECT_NE(tun->index, 0U);
    ASSERT_EQ(tun->queues.size(), 1U);
    const int flags = ::fcntl(tun->queues[0].get(), F_GETFL);
    EXPECT_NE(flags & O_NONBLOCK, 0);
    EXPECT_NE(::fcntl(tun->queues[0].get(), F_GETFD) & FD_CLOEXEC, 0);
  }
  EXPECT_FALSE(exists("culvert0"));
}

TEST_F(TunOpen, MakesATapDeviceForEthernet) {
  const auto tap = open_tun("tap0", 2, proto::LinkType::ethernet);
  ASSERT_TRUE(tap) << tap.error().message();
  EXPECT_EQ(tap->link_type, proto::LinkType::ethernet);
  EXPECT_EQ(tap->queues.size(), 2U);
  const auto tun = open_tun("tun0", 2);
  ASSERT_TRUE(tun) << tun.error().message();
  EXPECT_EQ(tun->link_type, proto::LinkType::ip);
  const auto kind = [](const Tun& device) {
    ifreq request{};
    for (const Fd& queue : device.queues) EXPECT_EQ(::ioctl(queue.get(), TUNGETIFF, &request), 0);
    return request.ifr_flags & (IFF_TUN | IFF_TAP);
  };
  EXPECT_EQ(kind(*tap), IFF_TAP);
  EXPECT_EQ(kind(*tun), IFF_TUN);
}

TEST_F(TunOpen, NamesTheKindOfDeviceInErrors) {
  const auto tap = open_tun("tap0", 1, proto::LinkType::ethernet);
  ASSERT_TRUE(tap) << tap.error().message();
  const auto again = open_tun("tap0", 1, proto::LinkType::ethernet);
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().message(), HasSubstr("open TAP tap0, queue 0: EBUSY"));
}

TEST_F(TunOpen, SaysWhetherItsDeviceIsDeleted) {
  const auto tun = open_tun("tun0", 1);
  ASSERT_TRUE(tun) << tun.error().message();
  EXPECT_FALSE(is_deleted(tun->queues[0]));
  ip("link delete tun0");
  EXPECT_TRUE(is_deleted(tun->queues[0]));
  EXPECT_FALSE(is_deleted(Fd{})) << "not a queue";
}

TEST_F(TunOpen, MakesAsManyQueuesAsAskedFor) {
  const auto tun = open_tun("tun0", 4);
  ASSERT_TRUE(tun) << tun.error().message();
  EXPECT_EQ(tun->queues.size(), 4U);
}

TEST_F(TunOpen, LetsTheKernelChooseANumber) {
  const auto first = open_tun("tun%d", 2);
  const auto second = open_tun("tun%d", 2);
  ASSERT_TRUE(first) << first.error().message();
  ASSERT_TRUE(second) << second.error().message();
  EXPECT_EQ(first->name, "tun0");
  EXPECT_EQ(second->name, "tun1");
}

TEST_F(TunOpen, RefusesANameInUse) {
  const auto tun = open_tun("tun0", 2);
  ASSERT_TRUE(tun) << tun.error().message();
  const auto again = open_tun("tun0", 2);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, EBUSY);
  EXPECT_THAT(again.error().message(),
              AllOf(HasSubstr("open TUN tun0, queue 0: EBUSY"), HasSubstr("in use")));
}

TEST_F(TunOpen, WaitsForANameThatComesFree) {
  auto first = open_tun("tun0", 2);
  ASSERT_TRUE(first) << first.error().message();
  std::thread closer{[&] {
    std::this_thread::sleep_for(std::chrono::milliseconds{100});
    first->queues.clear();
  }};
  const auto again = open_tun("tun0", 2);
  closer.join();
  EXPECT_TRUE(again) << again.error().message();
}

TEST_F(TunOpen, RefusesTheNameOfAnotherKindOfDevice) {
  ip("link add other0 type veth peer name other1");
  const auto tun = open_tun("other0", 1);
  ASSERT_FALSE(tun);
  EXPECT_EQ(tun.error().code, EBUSY);
}

TEST_F(TunOpen, RefusesAPersistentDeviceOfAnother) {
  ip("tuntap add dev kept0 mode tun");
  const auto tun = open_tun("kept0", 1);
  ASSERT_FALSE(tun);
  EXPECT_EQ(tun.error().code, EBUSY);
  EXPECT_TRUE(exists("kept0"));
}

TEST_F(TunOpen, NamesAPersistentDeviceAtOnce) {
  ip("tuntap add dev kept0 mode tun");
  const auto start = std::chrono::steady_clock::now();
  const auto message = message_in_child(
      [] {
        ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
        ASSERT_EQ(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
        ASSERT_EQ(::mount("none", "/sys", "sysfs", 0, nullptr), 0);  // of this network namespace
      },
      "kept0");
  EXPECT_THAT(message, AllOf(HasSubstr("EBUSY (a persistent TUN device"),
                             HasSubstr("`ip link delete kept0`")));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds{1000});
}

TEST_F(TunOpen, RefusesNamesThatNoDeviceCanHave) {
  const auto advice = [](const char* name) {
    const auto tun = open_tun(name, 1);
    return tun ? std::string{} : tun.error().message();
  };
  for (const auto* name : {"", "sixteen-bytes-xx", "a/b", "a b", ".."})
    EXPECT_THAT(advice(name), HasSubstr("EINVAL (a device name has 1 to 15 bytes, no space, "));
  EXPECT_THAT(advice("fifteen-bytes-x"), IsEmpty());
}

TEST_F(TunOpen, SaysWhichCapabilityIsMissing) {
  const auto message = message_in_child([] {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    __user_cap_data_struct none[2]{};
    ASSERT_EQ(::syscall(SYS_capset, &header, none), 0);
  });
  EXPECT_EQ(message, "open TUN tun0, queue 0: EPERM (needs CAP_NET_ADMIN)");
}

TEST_F(TunOpen, SaysWhatToDoWhereTheDeviceFileIsMissing) {
  const auto message = message_in_child([] {
    ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    ASSERT_EQ(::mount("none", "/dev/net", "tmpfs", 0, nullptr), 0);
  });
  EXPECT_THAT(message,
              AllOf(HasSubstr("open TUN tun0, queue 0: ENOENT"), HasSubstr("--device /dev/net/tun"),
                    HasSubstr("c 10 200"), HasSubstr("LXC"), HasSubstr("OpenVZ")));
}

TEST_F(TunOpen, TakesTheOffloadsOfThisKernel) {
  const auto tun = open_tun("tun0", 1);
  ASSERT_TRUE(tun) << tun.error().message();
  std::vector<InterfaceFeature> features;
  ASSERT_EQ(read_features("tun0", features), 0);
  const auto segments_tcp = [](const InterfaceFeature& feature) {
    return feature.is_on &&
           (feature.name == "tx-tcp-segmentation" || feature.name == "tx-tcp6-segmentation");
  };
  EXPECT_EQ(std::count_if(features.begin(), features.end(), segments_tcp), 2);
  unsigned offloads = 0x01 | 0x02 | 0x04 | 0x20 | 0x40;  // CSUM, TSO4, TSO6, USO4, USO6
  EXPECT_EQ(tun->has_uso, ::ioctl(tun->queues[0].get(), TUNSETOFFLOAD, offloads) == 0);
}

}  // namespace
}  // namespace culvert::io
