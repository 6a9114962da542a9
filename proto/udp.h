// The UDP header (RFC 768); tcp_fields.h has the offsets of its fields.
#pragma once

#include <cstddef>

#include "proto/tcp_fields.h"

namespace culvert::proto {

inline constexpr std::size_t kUdpHeaderBytes = 8;

}  // namespace culvert::proto
