#include "bench/e2e/process.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <utility>

#include "bench/e2e/error.h"
#include "io/thread.h"

namespace culvert::bench {
namespace {

/// Enters a mount namespace with an empty /run, so that two programs of one kind do not share
/// files, and no file stays.
Result<void> hide_run() {
  if (::unshare(CLONE_NEWNS) != 0) return fail(errno, "make", "a mount namespace");
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return fail(errno, "make private", "mounts");
  }
  if (::mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") != 0) {
    return fail(errno, "mount", "/run");
  }
  return {};
}

Result<void> become_child(pid_t parent, const Namespace& where, int output) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);  // the parent died before prctl()
  ::setsid();
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) std::signal(number, SIG_DFL);
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::dup2(null, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  return where.enter();
}

[[noreturn]] void run_child(pid_t parent, const Namespace& where, int output,
                            const Process::Body& body) {
  auto result = become_child(parent, where, output);
  if (result) result = body();
  if (result) ::_exit(0);
  const std::string text = result.error().message() + "\n";
  (void)!::write(output, text.data(), text.size());
  ::_exit(1);
}

Result<void> write_file(const Program::File& file) {
  const std::string path = "/run/" + file.name;
  std::ofstream stream{path};
  stream << file.text;
  if (stream.flush()) return {};
  return fail(errno, "write", path);
}

Result<void> execute(const Program& program) {
  if (auto hidden = hide_run(); !hidden) return hidden;
  for (const Program::File& file : program.files) {
    if (auto written = write_file(file); !written) return written;
  }
  if (program.cpu) {
    if (auto pinned = io::pin_to_cpu(*program.cpu); !pinned) return pinned;
  }
  std::vector<char*> output;
  for (const std::string& word : program.command) output.push_back(const_cast<char*>(word.c_str()));
  output.push_back(nullptr);
  ::execvp(output.front(), output.data());
  return fail(errno, "run", program.command.front());
}

std::string read_all(int fd) {
  std::string text;
  char piece[4096];
  for (off_t offset = 0;;) {
    const ssize_t count = ::pread(fd, piece, sizeof piece, offset);
    if (count <= 0) return text;
    text.append(piece, static_cast<std::size_t>(count));
    offset += count;
  }
}

std::string last_line(const std::string& text) {
  const std::size_t end = text.find_last_not_of('\n');
  if (end == std::string::npos) return {};
  const std::size_t newline = text.find_last_of('\n', end);
  const std::size_t begin = newline == std::string::npos ? 0 : newline + 1;
  return text.substr(begin, end + 1 - begin);
}

}  // namespace

Result<Process> Process::start(const Namespace& where, std::string name, const Body& body) {
  io::Fd output{::memfd_create("output", MFD_CLOEXEC)};
  if (!output) return fail(errno, "start", name);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return fail(errno, "start", name);
  if (pid == 0) run_child(parent, where, output.get(), body);
  return Process{pid, std::move(name), std::move(output)};
}

Result<Process> Process::start(const Namespace& where, std::string name, const Program& program) {
  return start(where, std::move(name), Body{[&] { return execute(program); }});
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      has_ended_(other.has_ended_),
      status_(other.status_),
      name_(std::move(other.name_)),
      output_(std::move(other.output_)) {}

Process& Process::operator=(Process&& other) noexcept {
  if (this == &other) return *this;
  (void)stop();
  pid_ = std::exchange(other.pid_, -1);
  has_ended_ = other.has_ended_;
  status_ = other.status_;
  name_ = std::move(other.name_);
  output_ = std::move(other.output_);
  return *this;
}

bool Process::has_ended() noexcept {
  if (!has_ended_ && pid_ > 0) has_ended_ = ::waitpid(pid_, &status_, WNOHANG) == pid_;
  return has_ended_;
}

std::string Process::output() const { return read_all(output_.get()); }

std::uint64_t Process::resident_kib() const {
  std::ifstream file{"/proc/" + std::to_string(pid_) + "/smaps_rollup"};
  for (std::string word; file >> word;) {
    std::uint64_t kib = 0;
    if (word == "Rss:" && file >> kib) return kib;
  }
  return 0;
}

Error Process::explain() const {
  const std::string line = last_line(output());
  return {.code = 0,
          .operation = name_,
          .object = {},
          .advice = !line.empty()          ? line
                    : WIFSIGNALED(status_) ? "ended by signal " + std::to_string(WTERMSIG(status_))
                                           : "ended without a word"};
}

Result<void> Process::check_running() {
  if (!has_ended()) return {};
  return Unexpected{explain()};
}

Result<void> Process::stop() {
  if (pid_ <= 0) return {};
  if (has_ended()) {
    if (WIFEXITED(status_) && WEXITSTATUS(status_) == 0) return {};
    return Unexpected{explain()};
  }
  ::kill(pid_, SIGTERM);
  constexpr timespec kShort{0, 5'000'000};
  for (int i = 0; i < 400 && !has_ended(); ++i) ::nanosleep(&kShort, nullptr);
  if (has_ended()) return {};
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, &status_, 0);
  has_ended_ = true;
  return {};
}

std::string find_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::istringstream folders{path != nullptr ? path : "/usr/bin:/bin"};
  for (std::string folder; std::getline(folders, folder, ':');) {
    std::string file = folder + "/" + name;
    if (::access(file.c_str(), X_OK) == 0) return file;
  }
  return {};
}

}  // namespace culvert::bench
