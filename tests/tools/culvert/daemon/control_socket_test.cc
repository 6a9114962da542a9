// The control socket: requests and answers between a server on an io_context and clients, both
// well-behaved and hostile.
#include "tools/culvert/daemon/control_socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tools/culvert/daemon/unix_socket.h"

namespace culvert::program {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

/// A separate folder for the sockets of one test.
class ControlSocket : public testing::Test {
 protected:
  ControlSocket() {
    std::string pattern = testing::TempDir() + "culvert-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~ControlSocket() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::string path(const std::string& name) const { return folder_ + "/" + name; }

  std::string folder_;
};

/// A server on its own thread. It answers "<request>!".
class EchoServer {
 public:
  explicit EchoServer(const std::string& path, std::chrono::milliseconds client_timeout = 5s)
      : server_(ControlServer::open(
            context_, path, [](std::string_view line) { return std::string{line} + "!"; },
            client_timeout)),
        thread_([this] { context_.run(); }) {
    EXPECT_TRUE(server_) << (server_ ? "" : server_.error().message());
  }
  ~EchoServer() {
    context_.stop();
    thread_.join();
  }

 private:
  boost::asio::io_context context_;
  Result<std::unique_ptr<ControlServer>> server_;
  std::thread thread_;
};

TEST_F(ControlSocket, AnswersOneLineWithOneLine) {
  const EchoServer server{path("a.sock")};
  for (int i = 0; i < 100; ++i) {
    const auto answer = send_request(path("a.sock"), "question " + std::to_string(i));
    ASSERT_TRUE(answer) << answer.error().message();
    EXPECT_EQ(*answer, "question " + std::to_string(i) + "!");
  }
}

TEST_F(ControlSocket, BelongsToItsOwnerAloneAndGoesWithTheServer) {
  const std::string nested = path("run/culvert/a.sock");
  const mode_t before = ::umask(0);  // the most careless umask there is
  {
    const EchoServer server{nested};
    struct stat facts {};
    ASSERT_EQ(::stat(nested.c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 07777, 0600u);
    ASSERT_EQ(::stat(path("run/culvert").c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 07777, 0755u);
  }
  ::umask(before);
  EXPECT_FALSE(std::filesystem::exists(nested));
}

TEST_F(ControlSocket, ReplacesTheSocketOfADeadProcess) {
  // The descriptor is closed and the file stays, as after SIGKILL.
  { ASSERT_TRUE(bind_unix_socket(path("a.sock"), 1)); }
  ASSERT_TRUE(std::filesystem::exists(path("a.sock")));
  EXPECT_EQ(send_request(path("a.sock"), "x").error().code, ECONNREFUSED);
  const EchoServer server{path("a.sock")};
  EXPECT_EQ(*send_request(path("a.sock"), "x"), "x!");
}

TEST_F(ControlSocket, RefusesTheSocketOfALivingProcess) {
  const EchoServer server{path("a.sock")};
  boost::asio::io_context context;
  const auto second = ControlServer::open(context, path("a.sock"), {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, EADDRINUSE);
  EXPECT_THAT(second.error().message(), HasSubstr(path("a.sock")));
  EXPECT_THAT(second.error().advice, HasSubstr("--control PATH"));
  EXPECT_EQ(*send_request(path("a.sock"), "x"), "x!");
}

TEST_F(ControlSocket, RefusesAFileThatIsNoSocketAndKeepsIt) {
  std::ofstream{path("a.sock")} << "precious";
  boost::asio::io_context context;
  const auto server = ControlServer::open(context, path("a.sock"), {});
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code, EEXIST);
  EXPECT_EQ(std::filesystem::file_size(path("a.sock")), 8u);
}

TEST_F(ControlSocket, RefusesPathsThatCannotBe) {
  boost::asio::io_context context;
  EXPECT_EQ(ControlServer::open(context, "", {}).error().code, ENAMETOOLONG);
  EXPECT_EQ(ControlServer::open(context, path(std::string(120, 'x')), {}).error().code,
            ENAMETOOLONG);
  const auto server = ControlServer::open(context, "/proc/culvert/a.sock", {});
  ASSERT_FALSE(server);
  EXPECT_THAT(server.error().advice, HasSubstr("--control PATH"));
}

TEST_F(ControlSocket, DoesNotRemoveASocketThatIsNotItsOwn) {
  boost::asio::io_context context;
  auto first = ControlServer::open(context, path("a.sock"), {});
  ASSERT_TRUE(first);
  std::filesystem::rename(path("a.sock"), path("b.sock"));
  std::ofstream{path("a.sock")} << "another";
  first->reset();
  EXPECT_TRUE(std::filesystem::exists(path("a.sock")));
}

TEST_F(ControlSocket, DisconnectsAClientThatSaysNothing) {
  const EchoServer server{path("a.sock"), 100ms};
  const auto silent = connect_unix_socket(path("a.sock"));
  ASSERT_TRUE(silent);
  EXPECT_EQ(*send_request(path("a.sock"), "x"), "x!");  // others do not wait for it
  char byte = 0;
  const auto start = std::chrono::steady_clock::now();
  ssize_t size = -1;
  while (std::chrono::steady_clock::now() - start < 5s) {
    size = ::recv(silent->get(), &byte, 1, MSG_DONTWAIT);
    if (size == 0) break;
    std::this_thread::sleep_for(5ms);
  }
  EXPECT_EQ(size, 0) << "still connected";
}

TEST_F(ControlSocket, DoesNotReadARequestWithoutEnd) {
  const EchoServer server{path("a.sock")};
  const auto endless = send_request(path("a.sock"), std::string(2 * kLongestRequestBytes, 'x'), 2s);
  ASSERT_FALSE(endless);
  EXPECT_NE(endless.error().code, ETIMEDOUT);  // disconnected, not left waiting
  const std::string longest(kLongestRequestBytes - 1, 'x');
  EXPECT_EQ(*send_request(path("a.sock"), longest), longest + "!");
}

TEST_F(ControlSocket, SurvivesClientsThatGoAwayAndCrowds) {
  const EchoServer server{path("a.sock"), 200ms};
  std::vector<io::Fd> crowd;
  for (int i = 0; i < 64; ++i) {
    auto client = connect_unix_socket(path("a.sock"));
    if (client) crowd.push_back(std::move(*client));
  }
  for (const io::Fd& client : crowd) {
    [[maybe_unused]] const auto sent = ::send(client.get(), "x", 1, MSG_NOSIGNAL);
  }
  crowd.clear();
  std::this_thread::sleep_for(300ms);
  EXPECT_EQ(*send_request(path("a.sock"), "x"), "x!");
}

TEST_F(ControlSocket, AnswersFiftyClientsAtOnce) {
  const EchoServer server{path("a.sock"), 5s};
  std::vector<io::Fd> clients;
  for (int i = 0; i < 50; ++i) {
    auto client = connect_unix_socket(path("a.sock"));
    ASSERT_TRUE(client) << i << ": " << client.error().message();
    clients.push_back(std::move(*client));
  }
  // Those that came last wait until the sessions of the first ones end.
  for (const io::Fd& client : clients) ASSERT_EQ(::send(client.get(), "x\n", 2, MSG_NOSIGNAL), 2);
  for (const io::Fd& client : clients) {
    pollfd entry{.fd = client.get(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(::poll(&entry, 1, 5'000), 1);
    std::array<char, 8> answer{};
    EXPECT_EQ(::recv(client.get(), answer.data(), answer.size(), 0), 3);
  }
}

TEST_F(ControlSocket, WaitsForRoomInTheBacklog) {
  const auto busy = bind_unix_socket(path("a.sock"), 0);
  ASSERT_TRUE(busy);
  const auto first = connect_unix_socket(path("a.sock"));
  ASSERT_TRUE(first);
  const auto refused = connect_unix_socket(path("a.sock"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, EAGAIN);
  std::thread accepting([&] {
    std::this_thread::sleep_for(50ms);
    const io::Fd accepted{::accept(busy->fd.get(), nullptr, nullptr)};
  });
  EXPECT_TRUE(connect_unix_socket(path("a.sock"), 5s));
  accepting.join();
}

TEST_F(ControlSocket, AnswersWithoutAFreeDescriptor) {
  const EchoServer server{path("a.sock")};
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit few{.rlim_cur = 128, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  std::vector<io::Fd> all;
  for (int fd = ::dup(0); fd >= 0; fd = ::dup(0)) all.emplace_back(fd);
  ASSERT_FALSE(all.empty());
  all.pop_back();  // for the client
  for (int i = 0; i < 2; ++i) {
    const auto answer = send_request(path("a.sock"), "x", 3s);
    EXPECT_TRUE(answer) << (answer ? "" : answer.error().message());
  }
  ::setrlimit(RLIMIT_NOFILE, &before);
}

TEST_F(ControlSocket, GivesUpOnAProcessThatDoesNotAnswer) {
  const auto mute = bind_unix_socket(path("a.sock"), 1);  // accepts nobody
  ASSERT_TRUE(mute);
  const auto answer = send_request(path("a.sock"), "x", 100ms);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ETIMEDOUT);
}

TEST_F(ControlSocket, SaysThatNobodyIsThere) {
  const auto answer = send_request(path("a.sock"), "x");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ENOENT);
  EXPECT_THAT(answer.error().message(), HasSubstr(path("a.sock")));
  EXPECT_THAT(answer.error().advice, HasSubstr("no running culvert answers there"));
}

TEST_F(ControlSocket, FindsTheSocketsOfAFolder) {
  for (const char* name : {"b.sock", "a.sock", "notes.txt"}) std::ofstream{path(name)} << "";
  EXPECT_THAT(find_control_sockets(folder_), testing::ElementsAre(path("a.sock"), path("b.sock")));
  EXPECT_TRUE(find_control_sockets(path("missing")).empty());
  EXPECT_EQ(default_control_path("he-ipv6"), "/run/culvert/he-ipv6.sock");
}

}  // namespace
}  // namespace culvert::program
