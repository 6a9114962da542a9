// Lines to a pipe that is read, and to one that is not.
#include "tools/culvert/daemon/line_output.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "io/fd.h"

namespace culvert::program {
namespace {

using namespace std::chrono_literals;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

struct Pipe {
  Pipe() {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    reader = io::Fd{ends[0]};
    writer = io::Fd{ends[1]};
    EXPECT_EQ(::fcntl(reader.get(), F_SETFL, O_NONBLOCK), 0);
  }
  std::string read_all() const {
    std::string text(1 << 20, '\0');
    std::size_t size = 0;
    for (ssize_t bytes = 1; bytes > 0;
         size += static_cast<std::size_t>(std::max<ssize_t>(bytes, 0)))
      bytes = ::read(reader.get(), text.data() + size, text.size() - size);
    text.resize(size);
    return text;
  }
  io::Fd reader, writer;
};

TEST(LineOutput, WritesTextsOfAnyLength) {
  const Pipe pipe;
  LineOutput output{pipe.writer.get()};
  const std::string text = std::string(30'000, 'x') + "\n";
  output.write("one\n");
  output.write(text);
  EXPECT_EQ(pipe.read_all(), "one\n" + text);
}

TEST(LineOutput, DropsLinesWhileNobodyReadsThem) {
  const Pipe pipe;
  LineOutput output{pipe.writer.get(), 50ms};
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 2'000; ++i) output.write(std::string(99, 'x') + "\n");
  EXPECT_LT(std::chrono::steady_clock::now() - start, 30s) << "it waited for each line";
  EXPECT_THAT(pipe.read_all(), StartsWith("xxx"));
  output.write("one\n");
  output.write("two\n");
  const std::string text = pipe.read_all();
  EXPECT_THAT(text, StartsWith("culvert: "));
  EXPECT_THAT(text, HasSubstr(" texts were dropped here, because nobody read them\n"));
  EXPECT_THAT(text, EndsWith("\none\ntwo\n"));
}

TEST(LineOutput, IgnoresAReaderThatHasEnded) {
  Pipe pipe;
  LineOutput output{pipe.writer.get()};
  pipe.reader.reset();
  ::signal(SIGPIPE, SIG_IGN);
  output.write("one\n");
}

}  // namespace
}  // namespace culvert::program
