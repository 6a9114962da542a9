#include "io/packet_socket.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>

#include <cerrno>

#include "io/bpf/bypass_program.h"
#include "io/socket_options.h"
#include "proto/tcp_fields.h"

namespace culvert::io {
namespace {

/// Accepts packets of these protocols that are addressed to this host or have the mark of the
/// BypassProgram. Offsets count from the network header (SKF_NET_OFF), since link-layer headers
/// have different lengths.
std::vector<sock_filter> filter_for(const std::vector<std::uint8_t>& protocols) {
  // The instructions behind this one, up to the one that drops the packet.
  const auto to_drop = static_cast<std::uint8_t>(protocols.size() + 1);
  std::vector<sock_filter> program{
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, static_cast<unsigned>(SKF_AD_OFF + SKF_AD_PKTTYPE)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_HOST, 2, 0),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<unsigned>(SKF_AD_OFF + SKF_AD_MARK)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kBypassMark, 0, to_drop),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS,
               static_cast<unsigned>(SKF_NET_OFF) + unsigned{proto::kIpv4ProtocolOffset})};
  accept_values(program, protocols);
  return program;
}

Result<Fd> open_socket(unsigned interface_index, const SocketName& name) {
  auto socket = open_filtered_socket(AF_PACKET, 0, name);
  if (!socket) return socket;
  auto with_header =
      set_option(*socket, SOL_PACKET, PACKET_VNET_HDR, 1, "set PACKET_VNET_HDR of", name);
  if (!with_header) return Unexpected{with_header.error()};
  set_receive_buffer(*socket, kPacketReceiveBufferBytes);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_IP);
  address.sll_ifindex = static_cast<int>(interface_index);
  if (::bind(socket->get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return name.fail(errno, "bind",
                     errno == ENETDOWN ? "the interface is down: set it up first" : "");
  return socket;
}

/// Adds `socket` to the PACKET_FANOUT group of `leader`. Without a leader, creates a group.
Result<void> join_group(const Fd& socket, const Fd* leader, bool is_only_member,
                        const SocketName& name) {
  // A single member receives everything: PACKET_FANOUT_CPU avoids the hash.
  const unsigned kind =
      (is_only_member ? PACKET_FANOUT_CPU : PACKET_FANOUT_HASH) | PACKET_FANOUT_FLAG_DEFRAG;
  unsigned group = (kind | PACKET_FANOUT_FLAG_UNIQUEID) << 16;
  if (leader != nullptr) {
    socklen_t size = sizeof group;
    if (::getsockopt(leader->get(), SOL_PACKET, PACKET_FANOUT, &group, &size) != 0)
      return name.fail(errno, "read the fan-out group of");
    group = (group & 0xffff) | kind << 16;
  }
  return set_option(socket, SOL_PACKET, PACKET_FANOUT, static_cast<int>(group),
                    "join the fan-out group of", name);
}

}  // namespace

// All sockets join the group before the first of them receives, so that no socket receives packets
// of another socket's flows.
Result<std::vector<Fd>> open_packet_sockets(const PacketSocketOptions& options, std::size_t count) {
  const SocketName name{"packet socket",
                        options.interface.empty() ? "" : "on interface " + options.interface};
  unsigned interface_index = 0;
  if (!options.interface.empty()) {
    interface_index = ::if_nametoindex(options.interface.c_str());
    if (interface_index == 0) return name.fail(ENODEV, "open");
  }
  std::vector<Fd> sockets;
  for (std::size_t i = 0; i < count; ++i) {
    auto socket = open_socket(interface_index, name);
    if (!socket) return Unexpected{socket.error()};
    auto joined = join_group(*socket, i == 0 ? nullptr : &sockets.front(), count == 1, name);
    if (!joined) return Unexpected{joined.error()};
    sockets.push_back(std::move(*socket));
  }
  const auto program = filter_for(options.protocols);
  for (const Fd& socket : sockets) {
    if (auto filtered = set_filter(socket, program, name); !filtered)
      return Unexpected{filtered.error()};
  }
  return sockets;
}

Result<Fd> open_packet_send_socket() {
  const SocketName name{"packet socket", "to send"};
  auto socket = open_filtered_socket(AF_PACKET, 0, name);
  if (!socket) return socket;
  auto with_header =
      set_option(*socket, SOL_PACKET, PACKET_VNET_HDR, 1, "set PACKET_VNET_HDR of", name);
  if (!with_header) return Unexpected{with_header.error()};
  set_send_buffer(*socket, kSendBufferBytes);
  return socket;
}

std::uint64_t socket_cookie(const Fd& socket) noexcept {
  std::uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_COOKIE, &cookie, &size) != 0) return 0;
  return cookie;
}

}  // namespace culvert::io
