#include "bench/e2e/server/solicitor.h"

#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <random>
#include <utility>

#include "bench/e2e/error.h"
#include "bench/e2e/links.h"
#include "bench/e2e/load.h"
#include "io/fd.h"
#include "io/socket_options.h"
#include "io/thread.h"
#include "proto/ethernet.h"
#include "proto/ndp.h"

namespace culvert::bench::server {
namespace {

using proto::Ipv6Address;

constexpr std::size_t kBatch = 64;
constexpr int kReceiveBytes = 16 << 20;
constexpr std::chrono::milliseconds kGivenUp{100};
constexpr timespec kHeld{0, 5'000'000}, kEarly{0, 200'000};

/// `protocol`: the EtherType of the frames to receive, in host byte order; 0: receive none.
Result<io::Fd> open_socket(const std::string& device, std::uint16_t protocol) {
  io::Fd socket{::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!socket) return fail(errno, "open", "packet socket", "needs CAP_NET_RAW");
  const int one = 1;
  (void)::setsockopt(socket.get(), SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one);
  io::set_receive_buffer(socket, kReceiveBytes);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(protocol);
  address.sll_ifindex = static_cast<int>(::if_nametoindex(device.c_str()));
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail(errno, "bind to", device);
  return socket;
}

/// Random addresses.
class Targets {
 public:
  explicit Targets(const std::vector<proto::Ipv6Prefix>& prefixes)
      : prefixes_(prefixes), random_(std::random_device{}()) {}

  /// A target in the next of the prefixes.
  [[nodiscard]] Ipv6Address next() noexcept {
    return beside(prefixes_[next_++ % prefixes_.size()].address);
  }
  /// An address in the same /64.
  [[nodiscard]] Ipv6Address beside(Ipv6Address address) noexcept {
    const std::uint64_t random = random_();
    std::memcpy(address.bytes.data() + 8, &random, sizeof random);
    return address;
  }

 private:
  const std::vector<proto::Ipv6Prefix>& prefixes_;
  std::size_t next_ = 0;
  std::mt19937_64 random_;
};

/// A batch of frames, each with its own buffer.
class Frames {
 public:
  static constexpr std::size_t kBytes =
      proto::kEthernetHeaderBytes + proto::kNeighborSolicitationMaxBytes;

  explicit Frames(const proto::EthernetAddress& own) : own_(own) {
    for (std::size_t i = 0; i < kBatch; ++i) {
      sent_[i] = {.iov_base = frames_[i].data(), .iov_len = kBytes};
      received_[i] = {.iov_base = answers_[i].data(), .iov_len = kBytes};
      to_send[i].msg_hdr.msg_iov = &sent_[i];
      to_receive[i].msg_hdr.msg_iov = &received_[i];
      to_send[i].msg_hdr.msg_iovlen = to_receive[i].msg_hdr.msg_iovlen = 1;
    }
  }

  /// Writes a solicitation as a router sends it for an address without a neighbor cache entry
  /// (RFC 4861 7.2.2).
  void solicit(std::size_t index, const Ipv6Address& source, const Ipv6Address& target) noexcept {
    const std::span<std::byte, kBytes> frame{frames_[index]};
    const Ipv6Address group = proto::solicited_node_group(target);
    proto::build_ethernet(frame.first<proto::kEthernetHeaderBytes>(), proto::ethernet_group(group),
                          own_);
    (void)proto::build_neighbor_solicitation(
        frame.subspan<proto::kEthernetHeaderBytes>(),
        {.source = source, .destination = group, .target = target, .address = own_});
  }

  /// The target of a received frame if it is a correct answer to a solicitation (RFC 4861 7.2.4);
  /// otherwise empty.
  [[nodiscard]] std::optional<Ipv6Address> answered(std::size_t index) const noexcept {
    const std::size_t bytes = std::min<std::size_t>(to_receive[index].msg_len, kBytes);
    if (bytes < proto::kEthernetHeaderBytes) return std::nullopt;
    const auto message = proto::parse_neighbor_message(
        std::span{answers_[index]}.first(bytes).subspan(proto::kEthernetHeaderBytes));
    if (!message || message->type != proto::NeighborMessageType::advertisement ||
        !message->solicited || !message->has_address)
      return std::nullopt;
    return message->target;
  }

  std::array<mmsghdr, kBatch> to_send{}, to_receive{};

 private:
  proto::EthernetAddress own_;
  std::array<std::array<std::byte, kBytes>, kBatch> frames_{}, answers_{};
  std::array<iovec, kBatch> sent_{}, received_{};
};

/// Sends the first frames of the batch. Returns 0 if the queue is full.
Result<std::size_t> send(const io::Fd& socket, Frames& frames, std::size_t count) {
  const int sent = ::sendmmsg(socket.get(), frames.to_send.data(), static_cast<unsigned>(count), 0);
  if (sent >= 0) return static_cast<std::size_t>(sent);
  if (errno == ENOBUFS || errno == EAGAIN || errno == EINTR) return std::size_t{0};
  return fail(errno, "send", "solicitations");
}

/// The outstanding solicitations. Each has a place; the last bits of its target are the place's
/// number.
class Outstanding {
 public:
  static constexpr std::size_t kMost = 64;

  Outstanding(std::size_t count, const Ipv6Address& source, Targets& targets)
      : source_(source), targets_(targets), places_(count) {}

  void read_advertisements(const io::Fd& socket, Frames& frames, SolicitorState& state) noexcept;
  /// Sends a new solicitation for each place that has none, or whose solicitation has timed out.
  Result<void> solicit(const io::Fd& socket, Frames& frames, SolicitorState& state);

 private:
  struct Place {
    bool waits = false;
    Ipv6Address target;
    Clock::time_point since;
  };
  Ipv6Address target_of(std::size_t place) noexcept;

  Ipv6Address source_;
  Targets& targets_;
  std::vector<Place> places_;
};

Ipv6Address Outstanding::target_of(std::size_t place) noexcept {
  Ipv6Address target = targets_.next();
  auto& last = target.bytes.back();
  last = (last & ~std::byte{kMost - 1}) | static_cast<std::byte>(place);
  return target;
}

void Outstanding::read_advertisements(const io::Fd& socket, Frames& frames,
                                      SolicitorState& state) noexcept {
  const int count = ::recvmmsg(socket.get(), frames.to_receive.data(), kBatch, 0, nullptr);
  for (std::size_t i = 0; count > 0 && i < static_cast<std::size_t>(count); ++i) {
    const auto target = frames.answered(i);
    if (!target) continue;
    const auto number = std::to_integer<std::size_t>(target->bytes.back()) % kMost;
    if (number >= places_.size() || places_[number].target != *target) continue;
    if (std::exchange(places_[number].waits, false)) add_to(state.answered, 1);
  }
}

Result<void> Outstanding::solicit(const io::Fd& socket, Frames& frames, SolicitorState& state) {
  const auto now = Clock::now();
  std::size_t count = 0;
  std::array<Place*, kMost> chosen{};
  for (Place& place : places_) {
    if (place.waits && now - place.since < kGivenUp) continue;
    if (place.waits) add_to(state.unanswered, 1);
    place = {.target = target_of(static_cast<std::size_t>(&place - places_.data())), .since = now};
    frames.solicit(count, source_, place.target);
    chosen[count++] = &place;
  }
  if (count == 0) return {};
  const auto sent = send(socket, frames, count);
  if (!sent) return Unexpected{sent.error()};
  for (std::size_t i = 0; i < *sent; ++i) chosen[i]->waits = true;
  add_to(state.sent, *sent);
  return {};
}

}  // namespace

Result<void> solicit_and_wait(const Solicitor& solicitor, std::size_t outstanding, std::size_t cpu,
                              SolicitorState& state) {
  if (auto pinned = io::pin_to_cpu(cpu); !pinned) return pinned;
  const auto own = link_address(solicitor.device);
  if (!own) return Unexpected{own.error()};
  const auto socket = open_socket(solicitor.device, ETH_P_IPV6);
  if (!socket) return Unexpected{socket.error()};
  Frames frames{*own};
  Targets targets{solicitor.prefixes};
  Outstanding waiting{std::min(outstanding, Outstanding::kMost), solicitor.source, targets};
  while (!state.stopped()) {
    waiting.read_advertisements(*socket, frames, state);
    if (state.held()) {
      ::nanosleep(&kHeld, nullptr);
    } else if (auto done = waiting.solicit(*socket, frames, state); !done) {
      return done;
    }
  }
  return {};
}

Result<void> send_storm(const Solicitor& solicitor, std::uint64_t per_second,
                        SolicitorState& state) {
  const auto own = link_address(solicitor.device);
  if (!own) return Unexpected{own.error()};
  const auto socket = open_socket(solicitor.device, 0);
  if (!socket) return Unexpected{socket.error()};
  Frames frames{*own};
  Targets targets{solicitor.prefixes};
  const std::chrono::nanoseconds interval{1'000'000'000 * kBatch /
                                          std::max<std::uint64_t>(per_second, 1)};
  for (auto due = Clock::now(); !state.stopped();) {
    const bool is_held = state.held();
    if (is_held || Clock::now() < due) {
      ::nanosleep(is_held ? &kHeld : &kEarly, nullptr);
      if (is_held) due = Clock::now();
      continue;
    }
    for (std::size_t i = 0; i < kBatch; ++i)
      frames.solicit(i, targets.beside(solicitor.source), targets.next());
    const auto sent = send(*socket, frames, kBatch);
    if (!sent) return Unexpected{sent.error()};
    add_to(state.sent, *sent);
    due += interval;
  }
  return {};
}

}  // namespace culvert::bench::server
