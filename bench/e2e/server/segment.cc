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
/// Solicitor and responder each have a CPU, if the machine has two.
constexpr std::size_t kAnswererCpu = 0, kSolicitorCpu = 1;

Program ndppd_program() {
  return {.command = {"ndppd", "-c", "/run/ndppd.conf", "-p", "/run/ndppd.pid"},
          .files = {{"ndppd.conf", std::string{"proxy "} + kLan + " {\n  router yes\n  rule " +
                                       proxied_prefix().to_text() + " {\n    static\n  }\n}\n"}},
          .cpu = kAnswererCpu};
}

/// Without rate limits, to measure the maximum.
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
proto::Ipv6Prefix solicitor_address() { return *proto::Ipv6Prefix::from_text("fe80::1/64"); }

Result<void> join(const std::string& device, const Namespace& solicitor,
                  const Namespace& responder) {
  if (auto added = add_veth(device, solicitor, responder); !added) return added;
  for (const bool asks : {true, false}) {
    auto up = (asks ? solicitor : responder).inside([&]() -> Result<void> {
      if (auto off = switch_off_offloads(device); !off) return off;
      return bring_up(device, kMtuBytes,
                      asks ? solicitor_address() : *proto::Ipv6Prefix::from_text("fe80::2/64"));
    });
    if (!up) return up;
  }
  return {};
}

Result<void> Segment::start_responder(Responder responder,
                                      const std::vector<program::OptionText>& options) {
  auto process = Process::start(
      responder_, name_, responder == Responder::ndppd ? ndppd_program() : proxy_program(options));
  if (!process) return Unexpected{process.error()};
  responders_.push_back(std::move(*process));
  return {};
}

Result<void> Segment::start_solicitor(std::size_t outstanding) {
  auto state = share<SolicitorState>(1);
  if (!state) return Unexpected{state.error()};
  SolicitorState& shared = (*state)[0];
  auto process = Process::start(
      solicitor_, "solicitor of " + name_, Process::Body{[&] {
        const Solicitor solicitor{
            .device = kLan, .source = solicitor_address().address, .prefixes = {proxied_prefix()}};
        return solicit_and_wait(solicitor, outstanding, kSolicitorCpu, shared);
      }});
  if (!process) return Unexpected{process.error()};
  solicitors_.push_back({outstanding, std::move(*state), std::move(*process)});
  return {};
}

Result<void> Segment::check_running() {
  for (Process& process : responders_) {
    if (auto running = process.check_running(); !running) return running;
  }
  for (Running& solicitor : solicitors_) {
    if (auto running = solicitor.process.check_running(); !running) return running;
  }
  return {};
}

Result<void> Segment::wait_for_reply() {
  SolicitorState& state = solicitors_.front().state[0];
  state.hold = false;
  for (const auto deadline = Clock::now() + kReady; state.answered == 0;) {
    if (auto running = check_running(); !running) return running;
    if (Clock::now() > deadline) return fail(0, name_, {}, "answers no solicitation");
    if (auto paused = pause(milliseconds{5}); !paused) return paused;
  }
  state.hold = true;
  return {};
}

Result<std::unique_ptr<Segment>> Segment::open(Responder responder,
                                               const std::vector<program::OptionText>& options) {
  const bool is_ndppd = responder == Responder::ndppd;
  if (is_ndppd && find_program("ndppd").empty())
    return fail(EOPNOTSUPP, "ndppd", {}, "not installed");
  auto solicitor = Namespace::make();
  if (!solicitor) return Unexpected{solicitor.error()};
  auto other = Namespace::make();
  if (!other) return Unexpected{other.error()};
  auto segment = std::unique_ptr<Segment>{
      new Segment{is_ndppd ? "ndppd" : "culvert", std::move(*solicitor), std::move(*other)}};
  if (auto joined = join(kLan, segment->solicitor_, segment->responder_); !joined)
    return Unexpected{joined.error()};
  if (auto started = segment->start_responder(responder, options); !started)
    return Unexpected{started.error()};
  for (const std::size_t outstanding : kOutstanding) {
    if (auto started = segment->start_solicitor(outstanding); !started)
      return Unexpected{started.error()};
  }
  if (auto answered = segment->wait_for_reply(); !answered) return Unexpected{answered.error()};
  return segment;
}

Result<Segment::Answers> Segment::measure(std::size_t outstanding) {
  const auto found = std::find_if(solicitors_.begin(), solicitors_.end(), [&](const Running& each) {
    return each.outstanding == outstanding;
  });
  SolicitorState& state = found->state[0];
  state.hold = false;
  if (auto paused = pause(kWarmUp); !paused) return Unexpected{paused.error()};
  const std::uint64_t answered = state.answered, unanswered = state.unanswered;
  const auto start = Clock::now();
  if (auto paused = pause(kLoadTurn); !paused) return Unexpected{paused.error()};
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  const Answers answers{.per_second = static_cast<double>(state.answered - answered) / seconds,
                        .unanswered = static_cast<double>(state.unanswered - unanswered)};
  state.hold = true;
  if (auto paused = pause(kDrainTime); !paused) return Unexpected{paused.error()};
  if (auto running = check_running(); !running) return Unexpected{running.error()};
  return answers;
}

}  // namespace culvert::bench::server
