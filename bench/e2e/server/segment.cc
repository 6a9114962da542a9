#include "bench/e2e/server/segment.h"

#include <algorithm>
#include <cerrno>

#include "bench/e2e/culvert_program.h"
#include "bench/e2e/error.h"
#include "bench/e2e/links.h"
#include "bench/e2e/load.h"
#include "bench/e2e/measure.h"
#include "bench/e2e/offloads.h"
#include "bench/e2e/stop.h"
#include "tools/culvert/config/option_table.h"

namespace culvert::bench::server {
namespace {

using std::chrono::milliseconds;

constexpr std::chrono::seconds kReady{15};
constexpr std::uint16_t kMtuBytes = 1500;
/// Asker and answerer have a CPU each, if there are two.
constexpr std::size_t kAnswererCpu = 0, kAskerCpu = 1;

Program ndppd_program() {
  return {.command = {"ndppd", "-c", "/run/ndppd.conf", "-p", "/run/ndppd.pid"},
          .files = {{"ndppd.conf", std::string{"proxy "} + kLan + " {\n  router yes\n  rule " +
                                       proxied_prefix().to_text() + " {\n    static\n  }\n}\n"}},
          .cpu = kAnswererCpu};
}

/// Without limits: what it can do is to be measured.
Program proxy_program(const std::vector<program::OptionText>& options) {
  const std::string section = std::string{"ndp."} + kLan;
  const std::string file = "[" + section +
                           "]\nrouter = true\nanswers_per_second = 0\n"
                           "answers_per_second_per_source = 0\n[[" +
                           section + ".rule]]\nprefix = \"" + proxied_prefix().to_text() +
                           "\"\nanswer = \"static\"\n";
  Program program{.command = {bench::culvert_program(), "run", "--config", "/run/bench.toml"},
                  .files = {{"bench.toml", file}},
                  .cpu = kAnswererCpu};
  for (const auto& [name, value] : options) {
    program.command.push_back(program::option_name(name));
    program.command.push_back(value);
  }
  return program;
}

}  // namespace

proto::Ipv6Prefix proxied_prefix() { return *proto::Ipv6Prefix::from_text("2001:db8:0:1::/64"); }
proto::Ipv6Prefix asker_address() { return *proto::Ipv6Prefix::from_text("fe80::1/64"); }

Result<void> join(const std::string& device, const Namespace& asker, const Namespace& answerer) {
  if (auto added = add_veth(device, asker, answerer); !added) return added;
  for (const bool asks : {true, false}) {
    auto up = (asks ? asker : answerer).inside([&]() -> Result<void> {
      if (auto off = switch_off_offloads(device); !off) return off;
      return bring_up(device, kMtuBytes,
                      asks ? asker_address() : *proto::Ipv6Prefix::from_text("fe80::2/64"));
    });
    if (!up) return up;
  }
  return {};
}

Result<void> Segment::start_answerer(Answerer answerer,
                                     const std::vector<program::OptionText>& options) {
  auto process = Process::start(
      answerer_, name_, answerer == Answerer::ndppd ? ndppd_program() : proxy_program(options));
  if (!process) return Unexpected{process.error()};
  answering_.push_back(std::move(*process));
  return {};
}

Result<void> Segment::start_asker(std::size_t outstanding) {
  auto asking = share<Asking>(1);
  if (!asking) return Unexpected{asking.error()};
  Asking& shared = (*asking)[0];
  auto process = Process::start(asker_, "asker of " + name_, Process::Body{[&] {
                                  const Asker asker{.device = kLan,
                                                    .source = asker_address().address,
                                                    .prefixes = {proxied_prefix()}};
                                  return ask_and_wait(asker, outstanding, kAskerCpu, shared);
                                }});
  if (!process) return Unexpected{process.error()};
  askers_.push_back({outstanding, std::move(*asking), std::move(*process)});
  return {};
}

Result<void> Segment::check_running() {
  for (Process& process : answering_) {
    if (auto running = process.check_running(); !running) return running;
  }
  for (Running& asker : askers_) {
    if (auto running = asker.process.check_running(); !running) return running;
  }
  return {};
}

Result<void> Segment::wait_for_answer() {
  Asking& asking = askers_.front().asking[0];
  asking.hold = false;
  for (const auto deadline = Clock::now() + kReady; asking.answered == 0;) {
    if (auto running = check_running(); !running) return running;
    if (Clock::now() > deadline) return fail(0, name_, {}, "answers no solicitation");
    if (auto paused = pause(milliseconds{5}); !paused) return paused;
  }
  asking.hold = true;
  return {};
}

Result<std::unique_ptr<Segment>> Segment::open(Answerer answerer,
                                               const std::vector<program::OptionText>& options) {
  const bool is_ndppd = answerer == Answerer::ndppd;
  if (is_ndppd && find_program("ndppd").empty())
    return fail(EOPNOTSUPP, "ndppd", {}, "not installed");
  auto asker = Namespace::make();
  if (!asker) return Unexpected{asker.error()};
  auto other = Namespace::make();
  if (!other) return Unexpected{other.error()};
  auto segment = std::unique_ptr<Segment>{
      new Segment{is_ndppd ? "ndppd" : "culvert", std::move(*asker), std::move(*other)}};
  if (auto joined = join(kLan, segment->asker_, segment->answerer_); !joined)
    return Unexpected{joined.error()};
  if (auto started = segment->start_answerer(answerer, options); !started)
    return Unexpected{started.error()};
  for (const std::size_t outstanding : kOutstanding) {
    if (auto started = segment->start_asker(outstanding); !started)
      return Unexpected{started.error()};
  }
  if (auto answered = segment->wait_for_answer(); !answered) return Unexpected{answered.error()};
  return segment;
}

Result<Segment::Answers> Segment::measure(std::size_t outstanding) {
  const auto found = std::find_if(askers_.begin(), askers_.end(), [&](const Running& each) {
    return each.outstanding == outstanding;
  });
  Asking& asking = found->asking[0];
  asking.hold = false;
  if (auto paused = pause(kWarmUp); !paused) return Unexpected{paused.error()};
  const std::uint64_t answered = asking.answered, unanswered = asking.unanswered;
  const auto start = Clock::now();
  if (auto paused = pause(kLoadTurn); !paused) return Unexpected{paused.error()};
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  const Answers answers{.per_second = static_cast<double>(asking.answered - answered) / seconds,
                        .unanswered = static_cast<double>(asking.unanswered - unanswered)};
  asking.hold = true;
  if (auto paused = pause(kCalmDown); !paused) return Unexpected{paused.error()};
  if (auto running = check_running(); !running) return Unexpected{running.error()};
  return answers;
}

}  // namespace culvert::bench::server
