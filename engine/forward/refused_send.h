// A super-packet that the kernel has refused to segment (io::Datagram::offload): its segments, to be
// sent again by themselves. One worker's thread; no allocation.
#pragma once

#include "engine/forward/outbound.h"

namespace culvert {

/// Appends the segments of a refused super-packet to `batch`, each behind the super-packet's outer
/// headers with its own length and, with DF clear, its own identification (RFC 6864 4.3). They are
/// those that the kernel would have made. `refused`: a super-packet that outbound() has made; its
/// bytes must stay in place until `batch` is flushed. `batch`: not the one that contains `refused`.
void append_segments(const OutboundDatagram& refused, OutboundBatch& batch) noexcept;

}  // namespace culvert
