#include "io/raw_socket.h"

#include <linux/icmp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <vector>

#include "io/socket_options.h"
#include "proto/ipv4.h"
#include "proto/tcp_fields.h"

namespace culvert::io {
namespace {

SocketName raw_name(std::uint8_t protocol) {
  return {"raw socket", "for protocol " + std::to_string(protocol)};
}

}  // namespace

Result<Fd> open_raw_send_socket(const std::string& device) {
  // IPPROTO_RAW implies IP_HDRINCL. The filter keeps dropping everything.
  const SocketName name{"raw socket", "to send"};
  auto socket = open_filtered_socket(AF_INET, IPPROTO_RAW, name);
  if (!socket) return socket;
  if (auto bound = bind_to_device(*socket, device, name); !bound) return Unexpected{bound.error()};
  auto probing = set_option(*socket, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE,
                            "set IP_MTU_DISCOVER of", name);
  if (!probing) return Unexpected{probing.error()};
  set_send_buffer(*socket, kSendBufferBytes);
  return socket;
}

Result<Fd> open_raw_receive_socket(std::uint8_t protocol, const std::string& device) {
  const SocketName name = raw_name(protocol);
  auto socket = open_filtered_socket(AF_INET, protocol, name);
  if (!socket) return socket;
  if (auto bound = bind_to_device(*socket, device, name); !bound) return Unexpected{bound.error()};
  auto enabled = set_option(*socket, IPPROTO_IP, IP_PKTINFO, 1, "set IP_PKTINFO of", name);
  if (!enabled) return Unexpected{enabled.error()};
  set_receive_buffer(*socket, kReceiveBufferBytes);
  if (auto unfiltered = set_filter(*socket, {}, name); !unfiltered)
    return Unexpected{unfiltered.error()};
  return socket;
}

Result<Fd> open_raw_guard_socket(std::uint8_t protocol) {
  return open_filtered_socket(AF_INET, protocol, raw_name(protocol));
}

Result<Fd> open_icmp_socket(std::span<const std::uint8_t> protocols) {
  const SocketName name{"raw socket", "for ICMP errors"};
  auto socket = open_filtered_socket(AF_INET, IPPROTO_ICMP, name);
  if (!socket) return socket;
  const icmp_filter types{
      .data = ~(1U << ICMP_DEST_UNREACH | 1U << ICMP_TIME_EXCEEDED | 1U << ICMP_PARAMETERPROB)};
  if (::setsockopt(socket->get(), SOL_RAW, ICMP_FILTER, &types, sizeof types) != 0)
    return name.fail(errno, "set ICMP_FILTER of");
  // X = length of the IPv4 header. Behind it an ICMP header of 8 bytes, then the quoted header.
  constexpr unsigned kIcmpHeaderBytes = 8;
  std::vector<sock_filter> quotes_protocol{
      BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
      BPF_STMT(BPF_LD | BPF_B | BPF_IND, kIcmpHeaderBytes + proto::kIpv4ProtocolOffset)};
  accept_values(quotes_protocol, protocols);
  if (auto filtered = set_filter(*socket, quotes_protocol, name); !filtered)
    return Unexpected{filtered.error()};
  return socket;
}

}  // namespace culvert::io
