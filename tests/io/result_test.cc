#include "io/result.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace culvert {
namespace {

TEST(ErrorMessage, NamesTheErrnoAndSaysWhatToDo) {
  const Error error{.code = EPERM,
                    .operation = "open TUN",
                    .object = "tun0, queue 3",
                    .advice = "needs CAP_NET_ADMIN"};
  EXPECT_EQ(error.message(), "open TUN tun0, queue 3: EPERM (needs CAP_NET_ADMIN)");
}

TEST(ErrorMessage, DescribesTheErrnoWhereThereIsNoAdvice) {
  const Error error{.code = EIO, .operation = "read", .object = "tun0", .advice = ""};
  EXPECT_EQ(error.message(), "read tun0: EIO (Input/output error)");
}

TEST(ErrorMessage, GoesWithoutAnErrno) {
  const Error error{.code = 0, .operation = "apply", .object = "ttl", .advice = "is 1 to 255"};
  EXPECT_EQ(error.message(), "apply ttl: is 1 to 255");
}

TEST(ErrorMessage, GoesWithoutAnObject) {
  const Error error{.code = EIO, .operation = "read", .object = "", .advice = "try again"};
  EXPECT_EQ(error.message(), "read: EIO (try again)");
}

TEST(ErrorMessage, GivesTheNumberOfAnUnknownErrno) {
  const Error error{.code = 4095, .operation = "read", .object = "x", .advice = ""};
  EXPECT_EQ(error.message(), "read x: errno 4095");
}

}  // namespace
}  // namespace culvert
