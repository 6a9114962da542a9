#include "engine/ndp/ndp_loop.h"

#include <algorithm>
#include <array>
#include <system_error>
#include <utility>

#include "io/thread.h"

namespace culvert {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMaxDelayed = 1'024;
/// Announcements are sent in bursts of this size, with this interval between bursts.
constexpr std::size_t kAnnouncedAtOnce = 32;
constexpr auto kAnnounceInterval = 100ms;
/// Upper limit of busy polling: the loop does not sleep between solicitations that are less than
/// this apart.
constexpr auto kBusyPoll = 50us;
/// After this many frames without an answer the loop pauses while the ring collects frames. Waking
/// up for each frame costs more than processing it.
constexpr std::size_t kStormFrames = 64;
constexpr auto kStormPause = 1ms;

/// A comparison that makes std::*_heap keep the earliest element in front.
constexpr auto kLater = [](const auto& a, const auto& b) { return a.due > b.due; };

}  // namespace

NdpLoop::NdpLoop(const NdpConfig& config, io::NdpIo& io, std::uint64_t seed, NdpRoutes* routes)
    : responder_(config, seed, routes),
      io_(io),
      delay_(config.delay),
      random_(static_cast<std::minstd_rand::result_type>(seed)),
      busy_poll_(kBusyPoll) {
  delayed_.reserve(kMaxDelayed);
}

// ---- for the owner ------------------------------------------------------------------------------

Result<void> NdpLoop::start(const std::string& name) {
  if (is_running()) return {};
  stop_ = false;
  try {
    thread_ = std::thread{[this, name] {
      io::set_thread_name("ndp-" + name);
      run();
    }};
  } catch (const std::system_error& error) {
    return Unexpected{Error{.code = error.code().value(),
                            .operation = "start thread of",
                            .object = "ndp " + name,
                            .advice = {}}};
  }
  return {};
}

void NdpLoop::stop() noexcept {
  if (!is_running()) return;
  stop_ = true;
  io_.wake();
  thread_.join();
}

void NdpLoop::call(const std::function<void()>& work) {
  if (!is_running()) return work();
  call_ = &work;
  io_.wake();
  call_.wait(&work);
}

void NdpLoop::run_call() noexcept {
  const auto* work = call_.load();
  if (work == nullptr) return;
  (*work)();
  call_ = nullptr;
  call_.notify_one();
}

void NdpLoop::drop_pending() noexcept {
  delayed_.clear();
  announcements_.clear();
}

void NdpLoop::announce(const std::vector<proto::Ipv6Address>& targets) {
  announcements_.insert(announcements_.end(), targets.begin(), targets.end());
}

// ---- the loop -----------------------------------------------------------------------------------

void NdpLoop::run() noexcept {
  while (!stop_) {
    run_call();
    const Time now = Time::clock::now();
    if (round(now)) {
      busy_poll_.skip();
    } else if (idle_frames_ >= kStormFrames) {
      idle_frames_ = 0;
      std::this_thread::sleep_for(kStormPause);
    } else {
      wait(now);
    }
  }
  run_call();
}

// Does all work that is due now. False: there was none, so the loop may wait.
bool NdpLoop::round(Time now) noexcept {
  const std::size_t frames = receive_frames(now);
  receive_replies(now);
  while (now >= responder_.next_due() && responder_.expire(now, out_)) flush(now);
  send_due(now);
  send_announcements(now);
  flush(now);
  return frames != 0 && idle_frames_ < io::NdpIo::kFrames;
}

// Receives at most as many frames as the output holds; they are answered before the next frames are
// read.
std::size_t NdpLoop::receive_frames(Time now) noexcept {
  std::size_t received = 0;
  while (out_.has_room() && received < NdpOutput::kFrames) {
    const auto frame = io_.next();
    if (frame.empty()) break;
    responder_.receive(frame, now, out_);
    io_.release();
    ++received;
  }
  const std::size_t answered = out_.frames().size();
  if (received > answered) idle_frames_ += received - answered;
  return received;
}

void NdpLoop::receive_replies(Time now) noexcept {
  while (const auto reply = io_.receive_reply()) {
    if (!out_.has_room()) flush(now);
    responder_.receive_reply(*reply, now, out_);
  }
}

void NdpLoop::flush(Time now) noexcept {
  for (const io::Probe& probe : out_.probes()) {
    responder_.counters().probes.add(1);
    // If sending fails (no route, no buffer), the try times out like an unanswered one.
    static_cast<void>(io_.send_probe(probe));
  }
  std::array<const NdpFrame*, NdpOutput::kFrames> at_once;
  std::size_t count = 0;
  for (const NdpFrame& frame : out_.frames()) {
    if (!frame.may_wait || delay_ == 0ms) {
      at_once[count++] = &frame;
    } else if (delayed_.size() == kMaxDelayed) {
      responder_.count(frame, NdpIgnored::delay_queue_full);
    } else {
      std::uniform_int_distribution<std::int64_t> delay{0,
                                                        std::chrono::nanoseconds{delay_}.count()};
      delayed_.push_back({now + std::chrono::nanoseconds{delay(random_)}, frame});
      std::push_heap(delayed_.begin(), delayed_.end(), kLater);
    }
  }
  send(std::span{at_once}.first(count));
  out_.clear();
}

void NdpLoop::send(std::span<const NdpFrame* const> frames) noexcept {
  if (frames.empty()) return;
  std::array<std::span<const std::byte>, io::NdpIo::kSends> bytes;
  std::array<int, io::NdpIo::kSends> errors;
  static_assert(NdpOutput::kFrames <= io::NdpIo::kSends);
  for (std::size_t i = 0; i < frames.size(); ++i) bytes[i] = frames[i]->view();
  io_.send(std::span{bytes}.first(frames.size()), errors);
  for (std::size_t i = 0; i < frames.size(); ++i)
    responder_.count(*frames[i], errors[i] == 0 ? NdpIgnored::none : NdpIgnored::send_failed);
}

void NdpLoop::send_due(Time now) noexcept {
  while (!delayed_.empty() && delayed_.front().due <= now) {
    std::pop_heap(delayed_.begin(), delayed_.end(), kLater);
    const NdpFrame* frame = &delayed_.back().frame;
    send(std::span{&frame, 1});
    delayed_.pop_back();
  }
}

void NdpLoop::send_announcements(Time now) noexcept {
  if (announcements_.empty() || now < announce_at_ || !io_.is_open()) return;
  announce_at_ = now + kAnnounceInterval;
  const std::size_t count = std::min(announcements_.size(), kAnnouncedAtOnce);
  for (std::size_t i = 0; i < count; ++i) {
    if (!out_.has_room()) flush(now);
    responder_.announce(announcements_[i], now, out_);
  }
  announcements_.erase(announcements_.begin(),
                       announcements_.begin() + static_cast<std::ptrdiff_t>(count));
}

// ---- waiting ------------------------------------------------------------------------------------

Time NdpLoop::next_due() const noexcept {
  Time due = responder_.next_due();
  if (!delayed_.empty()) due = std::min(due, delayed_.front().due);
  if (!announcements_.empty() && io_.is_open()) due = std::min(due, announce_at_);
  return due;
}

void NdpLoop::wait(Time now) noexcept {
  constexpr std::chrono::nanoseconds kLong = 1h;
  const Time due = next_due();
  const auto timeout =
      due == Time::max() ? kLong : std::clamp<Time::duration>(due - now, 0ns, kLong);
  busy_poll_.wait(
      timeout, [this] { return !io_.next().empty() || call_ != nullptr || stop_; },
      [this](std::chrono::nanoseconds rest) {
        idle_frames_ = 0;
        io_.wait(rest);
      });
}

}  // namespace culvert
