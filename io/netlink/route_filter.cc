#include "io/netlink/route_filter.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/rtnetlink.h>
#include <netlink/netlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstddef>
#include <utility>

#include "io/netlink/netlink_request.h"
#include "io/sort_unique.h"

namespace culvert::netlink {
namespace {

constexpr std::uint32_t kTypeOffset = offsetof(nlmsghdr, nlmsg_type);
constexpr std::uint32_t kRouteAttributes = NLMSG_HDRLEN + sizeof(rtmsg);
constexpr std::uint32_t kLengthOffset = NLMSG_HDRLEN + offsetof(rtmsg, rtm_dst_len);
constexpr std::uint32_t kAccept = 0xffff'ffff;

/// Words of the program's memory.
enum Memory : std::uint32_t { destination0, destination1, mask0, mask1 };

/// The first 64 bits of a prefix, in host byte order, and their netmask.
struct Bits {
  std::array<std::uint32_t, 2> words{}, masks{};
  friend auto operator<=>(const Bits&, const Bits&) = default;
};

constexpr std::uint32_t mask_of(unsigned length_bits) {
  return length_bits == 0 ? 0 : length_bits >= 32 ? ~0u : ~(~0u >> length_bits);
}

template <class Prefix>
Bits bits_of(const Prefix& prefix, unsigned most_bits) {
  const unsigned length_bits = std::min<unsigned>(prefix.length_bits, most_bits);
  Bits bits{.masks = {mask_of(length_bits), mask_of(length_bits > 32 ? length_bits - 32 : 0)}};
  for (std::size_t i = 0; i < std::min<std::size_t>(prefix.address.bytes.size(), 8); ++i)
    bits.words[i / 4] |= std::to_integer<std::uint32_t>(prefix.address.bytes[i])
                         << (24 - i % 4 * 8);
  for (std::size_t i = 0; i < bits.words.size(); ++i) bits.words[i] &= bits.masks[i];
  return bits;
}

/// At most as many as a program can compare: with more of them, shorter prefixes.
template <class Prefix>
std::vector<Bits> all_bits(const std::vector<Prefix>& prefixes) {
  constexpr std::size_t kMost = 256;
  std::vector<Bits> all;
  for (unsigned most_bits = 64;; most_bits -= 4) {
    all.clear();
    for (const Prefix& prefix : prefixes) all.push_back(bits_of(prefix, most_bits));
    io::sort_unique(all);
    if (all.size() <= kMost) return all;
  }
}

class Program {
 public:
  explicit Program(bool is_ipv6) : is_ipv6_(is_ipv6) {}

  void accept_other_events();
  void accept_interfaces(const std::vector<unsigned>& interfaces);
  void load_destination();
  void accept_prefix(const Bits& bits);
  [[nodiscard]] std::vector<sock_filter> end();

 private:
  void add(sock_filter instruction) { code_.push_back(instruction); }
  void find_attribute(std::uint32_t type);
  void load_mask(Memory to, std::uint32_t first_bit);
  void compare(const Bits& bits, std::size_t word);

  bool is_ipv6_;
  std::vector<sock_filter> code_;
};

/// The accumulator gets the offset of an attribute of the route; 0: there is none.
void Program::find_attribute(std::uint32_t type) {
  add(BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, type));
  add(BPF_STMT(BPF_LD | BPF_W | BPF_IMM, kRouteAttributes));
  add(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_NLATTR)));
}

void Program::accept_other_events() {
  // BPF loads in network byte order; netlink has host byte order.
  add(BPF_STMT(BPF_LD | BPF_H | BPF_ABS, kTypeOffset));
  add(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWROUTE), 2, 0));
  add(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELROUTE), 1, 0));
  add(BPF_STMT(BPF_RET | BPF_K, kAccept));
}

void Program::accept_interfaces(const std::vector<unsigned>& interfaces) {
  find_attribute(RTA_OIF);
  add(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1));
  add(BPF_STMT(BPF_RET | BPF_K, kAccept));  // several next hops
  add(BPF_STMT(BPF_MISC | BPF_TAX, 0));
  add(BPF_STMT(BPF_LD | BPF_W | BPF_IND, NLA_HDRLEN));
  for (const unsigned index : interfaces) {
    add(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(index), 0, 1));
    add(BPF_STMT(BPF_RET | BPF_K, kAccept));
  }
}

/// Stores the netmask of those 32 bits of the route's prefix of which the first is `first_bit`. A shift
/// by 32 is not defined.
void Program::load_mask(Memory to, std::uint32_t first_bit) {
  add(BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kLengthOffset));
  add(BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, first_bit, 2, 0));
  add(BPF_STMT(BPF_LD | BPF_W | BPF_IMM, 0));  // the prefix ends before
  add(BPF_STMT(BPF_JMP | BPF_JA, 8));
  add(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, first_bit + 32, 0, 2));
  add(BPF_STMT(BPF_LD | BPF_W | BPF_IMM, ~0u));  // the prefix has all of them
  add(BPF_STMT(BPF_JMP | BPF_JA, 5));
  add(BPF_STMT(BPF_ALU | BPF_SUB | BPF_K, first_bit));
  add(BPF_STMT(BPF_MISC | BPF_TAX, 0));
  add(BPF_STMT(BPF_LD | BPF_W | BPF_IMM, ~0u));
  add(BPF_STMT(BPF_ALU | BPF_RSH | BPF_X, 0));
  add(BPF_STMT(BPF_ALU | BPF_XOR | BPF_K, ~0u));
  add(BPF_STMT(BPF_ST, to));
}

void Program::load_destination() {
  find_attribute(RTA_DST);
  add(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1));
  add(BPF_STMT(BPF_RET | BPF_K, is_ipv6_ ? 0 : kAccept));  // a default route
  add(BPF_STMT(BPF_MISC | BPF_TAX, 0));
  add(BPF_STMT(BPF_LD | BPF_W | BPF_IND, NLA_HDRLEN));
  add(BPF_STMT(BPF_ST, destination0));
  if (is_ipv6_) {
    add(BPF_STMT(BPF_LD | BPF_W | BPF_IND, NLA_HDRLEN + 4));
    add(BPF_STMT(BPF_ST, destination1));
    load_mask(mask1, 32);
  }
  load_mask(mask0, 0);
}

/// The accumulator gets the bits in which the route and a prefix of ours differ, as far as both have
/// them.
void Program::compare(const Bits& bits, std::size_t word) {
  add(BPF_STMT(BPF_LD | BPF_W | BPF_MEM, word == 0 ? destination0 : destination1));
  add(BPF_STMT(BPF_ALU | BPF_XOR | BPF_K, bits.words[word]));
  add(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, bits.masks[word]));
  add(BPF_STMT(BPF_LDX | BPF_W | BPF_MEM, word == 0 ? mask0 : mask1));
  add(BPF_STMT(BPF_ALU | BPF_AND | BPF_X, 0));
}

void Program::accept_prefix(const Bits& bits) {
  constexpr std::uint8_t kSecondWord = 6;  // instructions
  compare(bits, 0);
  add(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0,
               static_cast<std::uint8_t>(1 + (is_ipv6_ ? kSecondWord : 0))));
  if (is_ipv6_) {
    compare(bits, 1);
    add(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1));
  }
  add(BPF_STMT(BPF_RET | BPF_K, kAccept));
}

std::vector<sock_filter> Program::end() {
  add(BPF_STMT(BPF_RET | BPF_K, 0));
  return std::move(code_);
}

}  // namespace

void filter_routes(nl_sock* socket, int family, const RouteInterests& interests) {
  const bool is_ipv6 = family == AF_INET6;
  Program program{is_ipv6};
  program.accept_other_events();
  program.accept_interfaces(interests.interfaces);
  program.load_destination();
  for (const Bits& bits : is_ipv6 ? all_bits(interests.prefixes6) : all_bits(interests.prefixes4))
    program.accept_prefix(bits);
  attach_filter(socket, program.end());
}

}  // namespace culvert::netlink
