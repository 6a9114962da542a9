#include "engine/host/other_receivers.h"

#include <net/if.h>  // first, so that the kernel's headers do not declare the same again
#include <netinet/in.h>

#include <linux/if_tunnel.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include "engine/model/outer_claim.h"
#include "engine/model/quoted.h"
#include "io/netlink/netlink_request.h"

namespace culvert::host {
namespace {

using proto::Ipv4Address;

struct Claim {
  OuterClaim outer;
  const std::string* tunnel = nullptr;
};

std::vector<Claim> claims_of(const Config& config) {
  std::vector<Claim> claims;
  for (const TunnelConfig& tunnel : config.tunnels) {
    if (!tunnel.remote.is_fixed()) continue;
    for_each_outer_claim(tunnel, [&](const OuterClaim& outer) {
      claims.push_back({outer, &tunnel.name});
    });
  }
  return claims;
}

bool overlaps(const Ipv4Address& one, const Ipv4Address& other) {
  return one.is_unspecified() || other.is_unspecified() || one == other;
}

/// A receiver of outer packets beside us. 0.0.0.0: any.
struct Receiver {
  std::uint8_t ip_protocol = 0;
  Ipv4Address remote{}, local{};
  std::optional<std::uint32_t> key{};
  bool takes_each_key = true;
};

/// The first tunnel with packets that the receiver gets too; null: there is none.
const std::string* find_shared(const std::vector<Claim>& claims, const Receiver& receiver) {
  const auto found = std::find_if(claims.begin(), claims.end(), [&](const Claim& claim) {
    return claim.outer.ip_protocol == receiver.ip_protocol &&
           overlaps(claim.outer.remote.address(), receiver.remote) &&
           overlaps(claim.outer.local, receiver.local) &&
           (receiver.takes_each_key || claim.outer.key == receiver.key);
  });
  return found == claims.end() ? nullptr : found->tunnel;
}

// ---- tunnel devices of the kernel ---------------------------------------------------------------
std::optional<std::uint8_t> ip_protocol_of(std::string_view kind) {
  if (kind == "sit") return std::uint8_t{IPPROTO_IPV6};
  if (kind == "ipip") return std::uint8_t{IPPROTO_IPIP};
  if (kind == "gre") return std::uint8_t{IPPROTO_GRE};
  return std::nullopt;
}

/// Reads what a link receives; nullopt: it is no tunnel, or it is down.
std::optional<Receiver> receiver_of(nlmsghdr* link) {
  const auto* header = static_cast<const ifinfomsg*>(nlmsg_data(link));
  nlattr* const info = netlink::attribute<ifinfomsg>(link, IFLA_LINKINFO);
  if (info == nullptr || (header->ifi_flags & IFF_UP) == 0) return std::nullopt;
  const auto find = [](nlattr* in, int type) {
    return nla_find(static_cast<nlattr*>(nla_data(in)), nla_len(in), type);
  };
  const auto ip_protocol = ip_protocol_of(netlink::text_of(find(info, IFLA_INFO_KIND)));
  nlattr* const data = find(info, IFLA_INFO_DATA);
  if (!ip_protocol || data == nullptr) return std::nullopt;
  const bool is_gre = *ip_protocol == IPPROTO_GRE;
  Receiver receiver{.ip_protocol = *ip_protocol, .takes_each_key = !is_gre};
  const int remote = is_gre ? int{IFLA_GRE_REMOTE} : int{IFLA_IPTUN_REMOTE};
  const int local = is_gre ? int{IFLA_GRE_LOCAL} : int{IFLA_IPTUN_LOCAL};
  netlink::copy(find(data, remote), receiver.remote.bytes);
  netlink::copy(find(data, local), receiver.local.bytes);
  std::uint16_t flags = 0;
  std::uint32_t key = 0;
  if (is_gre && netlink::copy(find(data, IFLA_GRE_IFLAGS), flags) && (flags & GRE_KEY) != 0 &&
      netlink::copy(find(data, IFLA_GRE_IKEY), key))
    receiver.key = ntohl(key);
  return receiver;
}

/// While links change all the while a tunnel device may be missed. Then a warning is missing, until the
/// next check.
void find_kernel_tunnels(const std::vector<Claim>& claims, std::vector<std::string>& sentences) {
  const ifinfomsg all{};
  netlink::dump_objects(NETLINK_ROUTE, RTM_GETLINK, all, sentences, [&](nlmsghdr* link) {
    const auto receiver = receiver_of(link);
    const std::string* tunnel = receiver ? find_shared(claims, *receiver) : nullptr;
    if (tunnel == nullptr) return;
    const std::string name = netlink::text_of(netlink::attribute<ifinfomsg>(link, IFLA_IFNAME));
    sentences.push_back("the kernel's tunnel device " + name + " receives the packets of tunnel " +
                        culvert::quoted(*tunnel) + " too, so both deliver them: `ip link set " +
                        name + " down`");
  });
}

// ---- raw sockets --------------------------------------------------------------------------------
struct RawSocket {
  Receiver receiver;
  std::uint64_t inode = 0;
};

/// An address as /proc/net/raw has it: hexadecimal, in the byte order of the host, then `:` and a
/// number, here the protocol.
std::optional<std::pair<Ipv4Address, unsigned>> parse_endpoint(const std::string& text) {
  unsigned address = 0, number = 0;
  if (std::sscanf(text.c_str(), "%8x:%4x", &address, &number) != 2) return std::nullopt;
  return std::pair{Ipv4Address::from_host(ntohl(address)), number};
}

std::vector<RawSocket> raw_sockets() {
  std::vector<RawSocket> sockets;
  std::ifstream file{"/proc/net/raw"};
  std::string line;
  std::getline(file, line);  // titles
  while (std::getline(file, line)) {
    std::istringstream words{line};
    std::string slot, local, remote, ignored;
    RawSocket socket;
    // sl local rem st tx:rx tr:when retrnsmt uid timeout inode
    words >> slot >> local >> remote;
    for (int i = 0; i < 6; ++i) words >> ignored;
    if (!(words >> socket.inode)) continue;
    const auto own = parse_endpoint(local), other = parse_endpoint(remote);
    if (!own || !other || own->second > UINT8_MAX) continue;
    socket.receiver.ip_protocol = static_cast<std::uint8_t>(own->second);
    socket.receiver.local = own->first;
    socket.receiver.remote = other->first;
    sockets.push_back(socket);
  }
  return sockets;
}

bool is_same_file(const std::filesystem::path& one, const std::filesystem::path& other) {
  struct stat a {
  }, b{};
  return ::stat(one.c_str(), &a) == 0 && ::stat(other.c_str(), &b) == 0 && a.st_dev == b.st_dev &&
         a.st_ino == b.st_ino;
}

/// Whether a process has a socket open. `process`: its folder in /proc.
bool has_socket(const std::filesystem::path& process, std::uint64_t inode) {
  const std::string wanted = "socket:[" + std::to_string(inode) + "]";
  std::error_code gone, closed;  // the process may end meanwhile, and the descriptor be closed
  for (std::filesystem::directory_iterator each{process / "fd", gone}, end; !gone && each != end;
       each.increment(gone)) {
    if (std::filesystem::read_symlink(each->path(), closed) == wanted) return true;
  }
  return false;
}

/// The folder in /proc of a process that has a socket open; empty: none is visible.
std::filesystem::path owner_of(std::uint64_t inode) {
  if (has_socket("/proc/self", inode)) return "/proc/self";  // most are ours
  std::error_code error;
  for (std::filesystem::directory_iterator process{"/proc", error}, end; !error && process != end;
       process.increment(error)) {
    const std::string id = process->path().filename();
    const bool is_process = std::isdigit(static_cast<unsigned char>(id.front())) != 0;
    if (is_process && has_socket(process->path(), inode)) return process->path();
  }
  return {};
}

void find_raw_sockets(const std::vector<Claim>& claims, std::vector<std::string>& sentences) {
  for (const RawSocket& socket : raw_sockets()) {
    const std::string* tunnel = find_shared(claims, socket.receiver);
    if (tunnel == nullptr) continue;
    const auto owner = owner_of(socket.inode);
    if (owner.empty() || is_same_file(owner / "exe", "/proc/self/exe")) continue;
    std::string name;
    std::getline(std::ifstream{owner / "comm"} >> std::ws, name);
    sentences.push_back("program " + culvert::quoted(name) + " (process " +
                        owner.filename().string() +
                        ") has a raw socket that receives the packets "
                        "of tunnel " +
                        culvert::quoted(*tunnel) +
                        " too: if it is a tunnel program, both deliver them: stop one of the two");
  }
}

}  // namespace

std::vector<std::string> other_receivers(const Config& config) {
  std::vector<std::string> sentences;
  const auto claims = claims_of(config);
  if (claims.empty()) return sentences;
  find_kernel_tunnels(claims, sentences);
  find_raw_sockets(claims, sentences);
  return sentences;
}

}  // namespace culvert::host
