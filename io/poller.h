// Poller: the PacketIo of a worker with epoll, recvmmsg() and sendmmsg(), for systems that forbid
// io_uring.
#pragma once

#include <chrono>
#include <memory>
#include <string_view>

#include "io/packet_io.h"
#include "io/sockets.h"

namespace culvert::io {

/// Returns whether the kernel has recvmmsg() and sendmmsg() for this process. Fails with ENOSYS or EPERM
/// if it has not, or if a seccomp filter refuses them. Any thread.
[[nodiscard]] Result<void> probe_poller();

/// Opens the PacketIo of one worker. It owns the descriptors and closes them on failure.
/// `busy_poll`: the limit of io/busy_poll.h. `object`: the device's name in errors. Any thread.
[[nodiscard]] Result<std::unique_ptr<PacketIo>> open_poller(WorkerDescriptors descriptors,
                                                            const QueueSizes& sizes,
                                                            std::chrono::nanoseconds busy_poll,
                                                            std::string_view object);

}  // namespace culvert::io
