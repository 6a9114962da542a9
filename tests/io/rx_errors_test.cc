#include "io/rx_errors.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace culvert::io {
namespace {

TEST(RxErrors, OfASocketEndItOnlyIfItCanNeverReceiveAgain) {
  for (const int code : {ENETDOWN, ENODEV, ENETUNREACH, EHOSTUNREACH, ECONNREFUSED, ENOPROTOOPT,
                         EMSGSIZE, EPROTO, ENOBUFS, ENOMEM, EAGAIN, EINTR})
    EXPECT_TRUE(socket_rx_error(code, "tun0")) << code;
  for (const int code : {EBADF, ENOTSOCK, EFAULT, EINVAL}) {
    const auto error = socket_rx_error(code, "tun0");
    ASSERT_FALSE(error) << code;
    EXPECT_EQ(error.error().code, code);
  }
  EXPECT_EQ(socket_rx_error(EBADF, "tun0").error().message(),
            "receive outer packets for tun0: EBADF (Bad file descriptor)");
}

TEST(RxErrors, OfTunSayThatTheDeviceWasDeleted) {
  EXPECT_EQ(tun_rx_error(EBADFD, "tun0").message(),
            "read TUN tun0: EBADFD (the device has been deleted)");
  EXPECT_EQ(tun_rx_error(EIO, "tun0").message(), "read TUN tun0: EIO (Input/output error)");
}

}  // namespace
}  // namespace culvert::io
