#include "io/departures.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>

namespace culvert::io {
namespace {

constexpr std::size_t kMaxPieces = kMaxSlices + 2;  // virtio header, head, slices

iovec piece_of(std::span<const std::byte> bytes) noexcept {
  // The kernel only reads it; struct iovec serves both ways.
  return {.iov_base = const_cast<std::byte*>(bytes.data()), .iov_len = bytes.size()};
}

}  // namespace

Departures::Departures(const QueueSizes& sizes, bool tun_has_virtio_header)
    : tun_has_virtio_header_(tun_has_virtio_header),
      messages_(sizes.batch_sends),
      pieces_(sizes.batch_sends),
      destinations_(sizes.batch_sends),
      writes_(sizes.batch_writes),
      virtio_headers_(sizes.batch_writes),
      slices_(sizes.batch_writes * kMaxPieces),
      send_results_(sizes.batch_sends),
      write_results_(sizes.batch_writes) {
  for (std::size_t i = 0; i < messages_.size(); ++i) {
    destinations_[i] = {};
    destinations_[i].sin_family = AF_INET;
    messages_[i] = {};
    messages_[i].msg_hdr.msg_name = &destinations_[i];
    messages_[i].msg_hdr.msg_namelen = sizeof destinations_[i];
    messages_[i].msg_hdr.msg_iov = pieces_[i].data();
  }
}

bool Departures::add(const Datagram& datagram) noexcept {
  if (send_count_ == messages_.size()) return false;
  const std::size_t i = send_count_++;
  std::memcpy(&destinations_[i].sin_addr, datagram.destination.bytes.data(),
              sizeof destinations_[i].sin_addr);
  pieces_[i] = {piece_of(datagram.head), piece_of(datagram.tail)};
  messages_[i].msg_hdr.msg_iovlen = datagram.tail.empty() ? 1 : 2;
  return true;
}

bool Departures::add(const TunPacket& packet) noexcept {
  assert(packet.slices.size() <= kMaxSlices);
  if (write_count_ == writes_.size()) return false;
  const std::size_t i = write_count_++;
  iovec* const begin = slices_.data() + slice_count_;
  iovec* end = begin;
  if (tun_has_virtio_header_) {
    write_virtio_header(virtio_headers_[i], packet.offload);
    *end++ = piece_of(virtio_headers_[i]);
  }
  *end++ = piece_of(packet.head);
  end = std::transform(packet.slices.begin(), packet.slices.end(), end, piece_of);
  writes_[i] = {begin, end};
  slice_count_ += writes_[i].size();
  return true;
}

/// sendmmsg() stops at the first datagram that fails; it goes on behind it.
void Departures::send_all(int socket) noexcept {
  std::size_t next = 0;
  while (next < send_count_) {
    const int sent = ::sendmmsg(socket, &messages_[next], static_cast<unsigned>(send_count_ - next),
                                MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    for (int i = 0; i < sent; ++i) send_results_[next++] = 0;
    if (sent <= 0) send_results_[next++] = sent < 0 ? errno : EIO;
  }
}

void Departures::set_write_results(int error) noexcept {
  std::fill_n(write_results_.begin(), write_count_, error);
}

Submitted Departures::finish() noexcept {
  const Submitted submitted{.sends = std::span{send_results_}.first(send_count_),
                            .writes = std::span{write_results_}.first(write_count_)};
  send_count_ = write_count_ = slice_count_ = 0;
  return submitted;
}

}  // namespace culvert::io
