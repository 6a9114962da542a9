// Poller: a worker's queues on epoll with recvmmsg and sendmmsg, for where io_uring is refused.
#pragma once

#include <chrono>
#include <memory>
#include <string_view>

#include "io/packet_io.h"
#include "io/sockets.h"

namespace culvert::io {

/// Opens the queues of one worker. Takes the descriptors; on failure they are closed. `busy_poll`:
/// the limit of io/busy_poll.h. `object` names the device in errors.
[[nodiscard]] Result<std::unique_ptr<PacketIo>> open_poller(WorkerDescriptors descriptors,
                                                            const QueueSizes& sizes,
                                                            std::chrono::nanoseconds busy_poll,
                                                            std::string_view object);

}  // namespace culvert::io
