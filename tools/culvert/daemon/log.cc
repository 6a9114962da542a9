#include "tools/culvert/daemon/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <memory>
#include <mutex>
#include <utility>

#include "tools/culvert/daemon/line_output.h"

namespace culvert::program {
namespace {

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

/// All loggers share it, so that they wait once for a reader that has stopped.
LineOutput& standard_error() {
  static LineOutput output{STDERR_FILENO};
  return output;
}

class StderrSink final : public spdlog::sinks::base_sink<std::mutex> {
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    standard_error().write({line.data(), line.size()});
  }
  void flush_() override {}
};

}  // namespace

void write_to_stderr(std::string_view line) { standard_error().write(line); }

std::optional<LogLevel> parse_log_level(std::string_view text) {
  if (text == "debug") return LogLevel::debug;
  if (text == "info") return LogLevel::info;
  if (text == "warning") return LogLevel::warning;
  if (text == "error") return LogLevel::error;
  return std::nullopt;
}

Log log_to_stderr(LogLevel lowest, std::string device) {
  // Synchronous, with a lock in the sink, because a worker whose device fails logs too.
  auto logger = std::make_shared<spdlog::logger>(std::move(device), std::make_shared<StderrSink>());
  logger->set_pattern("%Y-%m-%d %H:%M:%S.%e %n %l: %v");
  logger->set_level(to_spdlog(lowest));
  logger->flush_on(spdlog::level::trace);
  return [logger](LogLevel level, std::string_view line) {
    logger->log(to_spdlog(level), spdlog::string_view_t{line.data(), line.size()});
  };
}

}  // namespace culvert::program
