// How culverts of one network namespace find and ask each other.
#include "tools/culvert/daemon/peers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <filesystem>

#include "tests/support/in_namespace.h"
#include "tools/culvert/daemon/control_socket.h"

namespace culvert::program {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(FindPeers, NamesThoseOfThisNetworkNamespaceUntilTheyEnd) {
  test::in_namespace([] {
    EXPECT_THAT(find_peers("/x/own"), IsEmpty());
    const io::Fd own = announce("/x/own");
    {
      const io::Fd a = announce("/x/a"), b = announce("/x/b c");
      EXPECT_TRUE(own && a && b);
      EXPECT_FALSE(announce("/x/a"));  // it is taken
      EXPECT_THAT(find_peers("/x/own"), ElementsAre("/x/a", "/x/b c"));
      test::in_namespace([] { EXPECT_THAT(find_peers(""), IsEmpty()); });
    }
    EXPECT_THAT(find_peers("/x/own"), IsEmpty());
  });
}

TEST(FindPeers, TakesARelativePathAsThatOfTheFolder) {
  test::in_namespace([] {
    const io::Fd own = announce("own");
    EXPECT_THAT(find_peers("own"), IsEmpty());
    EXPECT_THAT(find_peers("other"),
                ElementsAre((std::filesystem::current_path() / "own").string()));
  });
}

TEST(Ask, GetsTheAnswerOrNothing) {
  const std::string folder = testing::TempDir() + "peers-" + std::to_string(::getpid());
  boost::asio::io_context context;
  auto server = ControlServer::open(context, folder + "/a.sock", [&](std::string_view line) {
    return "answer to " + std::string{line};
  });
  ASSERT_TRUE(server);
  std::string answered;
  for (const std::string& path : {folder + "/none.sock", folder + "/a.sock", std::string(200, 'x')})
    ask(context, path, "question", [&, path](std::string_view answer) {
      answered += path + ": " + std::string{answer};
      context.stop();
    });
  context.run_for(std::chrono::seconds{10});
  EXPECT_EQ(answered, folder + "/a.sock: answer to question");
  server->reset();
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace culvert::program
