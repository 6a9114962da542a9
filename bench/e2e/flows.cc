#include "bench/e2e/flows.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <variant>

#include "bench/e2e/error.h"
#include "bench/e2e/rig.h"
#include "bench/e2e/stop.h"

namespace culvert::bench {
namespace {

using std::chrono::milliseconds;

constexpr std::chrono::seconds kStart{5}, kFinish{2};
/// After the first time a held sender has stopped. Datagrams that have not arrived after the second
/// time without arrivals are lost. The third is the longest wait for both.
constexpr milliseconds kQuiet{20}, kSilence{200};
constexpr std::chrono::seconds kHold{5};
/// The longest life of a load process.
constexpr unsigned kLongestSeconds = 2 * 86'400;

/// Another port for each flow, so that packets of an earlier connection do not match.
std::uint16_t next_port() {
  constexpr std::uint16_t kFirst = 5001, kLast = 30'000;
  static std::uint16_t port = kFirst;
  port = port == kLast ? kFirst : static_cast<std::uint16_t>(port + 1);
  return port;
}

proto::Ipv6Address to_ipv6(const proto::Ipv6Address& address) { return address; }
proto::Ipv6Address to_ipv6(proto::Ipv4Address address) { return proto::ipv4_mapped(address); }

/// For an IPv6 socket, which exchanges IPv4 packets with an IPv4-mapped address. RFC 3493 3.7.
sockaddr_in6 with_port(const InnerAddress& address, std::uint16_t port) {
  const auto ipv6 = std::visit([](const auto& each) { return to_ipv6(each); }, address);
  sockaddr_in6 result{};
  result.sin6_family = AF_INET6;
  result.sin6_port = htons(port);
  std::memcpy(&result.sin6_addr, ipv6.bytes.data(), sizeof result.sin6_addr);
  return result;
}

Result<void> receive(const FlowsConfig& config, const sockaddr_in6& at, Flow& flow) {
  ::alarm(kLongestSeconds);
  sockaddr_in6 any = at;
  any.sin6_addr = in6addr_any;
  if (config.kind == Work::Kind::udp)
    return receive_datagrams(config.datagrams.spread ? any : at, flow);
  const auto done = receive_stream(at, config.verify, flow);
  if (!done) return Unexpected{done.error()};
  return {};
}

Result<void> send(const FlowsConfig& config, const sockaddr_in6& from, const sockaddr_in6& to,
                  Flow& flow) {
  ::alarm(kLongestSeconds);
  if (config.datagrams.spread)
    return send_spread({.device = kTunnelDevice, .from = from, .to = to}, config.datagrams, flow);
  if (config.kind == Work::Kind::udp) return send_datagrams(to, config.datagrams, flow);
  return send_stream(to, Clock::time_point::max(), flow);
}

}  // namespace

Result<Flows> Flows::start(Path& path, const FlowsConfig& config) {
  auto shared = share<Flow>(config.count);
  if (!shared) return Unexpected{shared.error()};
  Flows flows{std::move(*shared), config};
  for (unsigned i = 0; i < config.count; ++i) {
    auto started = flows.start_one(path, flows.flows_[i]);
    if (!started) return Unexpected{started.error()};
  }
  if (auto flowing = flows.wait_until_flowing(path); !flowing) return Unexpected{flowing.error()};
  return flows;
}

Result<void> Flows::start_one(Path& path, Flow& flow) {
  const std::size_t receiver = 1 - config_.sender;
  const std::uint16_t port = next_port();
  const auto from = with_port(path.address(config_.sender), port);
  const auto to = with_port(path.address(receiver), port);
  auto receiving = Process::start(path.end(receiver), "receiver through " + path.name(),
                                  Process::Body{[&] { return receive(config_, to, flow); }});
  if (!receiving) return Unexpected{receiving.error()};
  while (!flow.is_listening.load()) {
    if (auto running = receiving->check_running(); !running) return running;
    if (auto paused = pause(milliseconds{1}); !paused) return paused;
  }
  auto sending = Process::start(path.end(config_.sender), "sender through " + path.name(),
                                Process::Body{[&] { return send(config_, from, to, flow); }});
  if (!sending) return Unexpected{sending.error()};
  pairs_.push_back({std::move(*receiving), std::move(*sending)});
  return {};
}

Result<void> Flows::wait_until_flowing(Path& path) {
  const auto deadline = Clock::now() + kStart;
  for (unsigned i = 0; i < config_.count; ++i) {
    while (flows_[i].received.load() == 0) {
      if (auto running = check_running(); !running) return running;
      if (auto running = path.check_running(); !running) return running;
      if (Clock::now() > deadline)
        return fail(0, path.name(), {}, "nothing of the load comes through");
      if (auto paused = pause(milliseconds{1}); !paused) return paused;
    }
  }
  return {};
}

template <class Counter>
std::uint64_t Flows::sum(Counter Flow::*counter) const noexcept {
  std::uint64_t total = 0;
  for (unsigned i = 0; i < config_.count; ++i) total += (flows_[i].*counter).load();
  return total;
}

std::uint64_t Flows::received() const noexcept { return sum(&Flow::received); }
std::uint64_t Flows::sent() const noexcept { return sum(&Flow::sent); }
std::uint64_t Flows::not_in_order() const noexcept { return sum(&Flow::not_in_order); }
std::uint64_t Flows::retransmissions() const noexcept { return sum(&Flow::retransmissions); }
std::uint32_t Flows::mss_bytes() const noexcept { return flows_[0].mss_bytes.load(); }

bool Flows::is_equal() const noexcept {
  return std::all_of(flows_.get(), flows_.get() + config_.count,
                     [](const Flow& flow) { return flow.is_equal.load(); });
}

Result<void> Flows::hold() {
  for (unsigned i = 0; i < config_.count; ++i) flows_[i].hold.store(true);
  std::uint64_t before = 0;
  auto moved = Clock::now();
  for (const auto deadline = moved + kHold; Clock::now() < deadline;) {
    if (auto paused = pause(kQuiet); !paused) return paused;
    const std::uint64_t now = sent() + received();
    const bool is_still = std::exchange(before, now) == now;
    if (!is_still) moved = Clock::now();
    if (is_still && (sent() == received() || Clock::now() - moved >= kSilence)) break;
  }
  return check_running();
}

void Flows::resume() noexcept {
  for (unsigned i = 0; i < config_.count; ++i) flows_[i].hold.store(false);
}

void Flows::watch(CpuMeter& meter) const {
  for (const Pair& pair : pairs_) {
    meter.watch(Part::sender, pair.sender.pid());
    meter.watch(Part::receiver, pair.receiver.pid());
  }
}

Result<void> Flows::check_running() {
  for (Pair& pair : pairs_) {
    if (auto running = pair.sender.check_running(); !running) return running;
    if (auto running = pair.receiver.check_running(); !running) return running;
  }
  return {};
}

bool Flows::has_ended() noexcept {
  return std::all_of(pairs_.begin(), pairs_.end(), [](Pair& pair) {
    return pair.sender.has_ended() && pair.receiver.has_ended();
  });
}

Result<void> Flows::finish() {
  // The kernel answers every datagram that arrives without a receiver with an ICMP error, so first
  // wait until no datagrams arrive.
  if (config_.kind == Work::Kind::udp)
    if (auto held = hold(); !held) return held;
  for (unsigned i = 0; i < config_.count; ++i) flows_[i].stop.store(true);
  for (const auto deadline = Clock::now() + kFinish; Clock::now() < deadline && !has_ended();) {
    if (auto paused = pause(milliseconds{1}); !paused) return paused;
  }
  Result<void> result;
  for (Pair& pair : pairs_) {  // the receiver first: its end resets the sender's connection
    for (Process* process : {&pair.receiver, &pair.sender}) {
      if (auto stopped = process->stop(); !stopped && result) result = std::move(stopped);
    }
  }
  return result;
}

}  // namespace culvert::bench
