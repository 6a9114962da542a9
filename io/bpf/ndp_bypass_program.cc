#include "io/bpf/ndp_bypass_program.h"

#include <linux/if_ether.h>

#include <cstdint>
#include <span>
#include <utility>

#include "io/bpf/bypass_text.h"
#include "proto/ipv4.h"
#include "proto/ipv6.h"
#include "proto/tcp_fields.h"

namespace culvert::io {
namespace {

using bypass::kNext;

// On the stack: the IPv6 header and the ICMPv6 type.
constexpr int kLoadedBytes = int{proto::kIpv6HeaderBytes} + 1;
constexpr int kHeader = -48;  // aligned to 8
constexpr int kType = kHeader + int{proto::kIpv6HeaderBytes};
constexpr int kDestination = kHeader + int{proto::kIpv6DestinationOffset};
// The key to look up needs no copy: its length takes the place of the last bytes of the source.
constexpr int kKey = kDestination - int{sizeof(std::uint32_t)};
// ICMPv6 types of router and neighbor discovery and of Redirect, RFC 4861 4.
constexpr int kFirstType = 133, kLastType = 137;
constexpr int kMulticastByte = 0xff;

/// A key of the map: struct bpf_lpm_trie_key.
struct Key {
  std::uint32_t length_bits = 0;
  proto::Ipv6Address address{};
};
static_assert(sizeof(Key) == 20);

/// Ends the program unless it is a message of neighbor discovery to a unicast address.
void check_message(bpf::Text& text) {
  using namespace bpf;
  text.add(load(BPF_B, BPF_REG_2, BPF_REG_10, kHeader + int{proto::kIpv6NextHeaderOffset}));
  text.leave_unless(jump_if(BPF_JEQ, BPF_REG_2, proto::kProtocolIcmpv6, 2), kNext);
  text.add(load(BPF_B, BPF_REG_2, BPF_REG_10, kType));
  text.leave_unless(jump_if(BPF_JGE, BPF_REG_2, kFirstType, 2), kNext);
  text.leave_unless(jump_if(BPF_JLE, BPF_REG_2, kLastType, 2), kNext);
  text.add(load(BPF_B, BPF_REG_2, BPF_REG_10, kDestination));
  text.leave_unless(jump_if(BPF_JNE, BPF_REG_2, kMulticastByte, 2), kNext);
}

/// Marks the packet and makes IPv6 ignore it, if the longest prefix of its destination says so.
void bypass_by_prefix(bpf::Text& text, int map) {
  using namespace bpf;
  text.add(compute(BPF_MOV, BPF_REG_2, 128));
  text.add(store(BPF_W, BPF_REG_10, kKey, BPF_REG_2));
  bypass::look_up(text, map, kKey);
  text.add(load(BPF_B, BPF_REG_2, BPF_REG_0, 0));
  text.leave_unless(jump_if(BPF_JNE, BPF_REG_2, 0, 2), kNext);
  bypass::bypass_stack(text, kNdpBypassMark);
}

}  // namespace

Result<NdpBypassProgram> NdpBypassProgram::open() {
  NdpBypassProgram program;
  auto map = create_prefix_map(sizeof(Key), kMaxPrefixes, "culvert_ndp");
  if (!map) return Unexpected{map.error()};
  program.map_ = std::move(*map);
  bpf::Text text;
  bypass::load_header(text, ETH_P_IPV6, kHeader, kLoadedBytes);
  check_message(text);
  bypass_by_prefix(text, program.map_.get());
  auto loaded = load_program(BPF_PROG_TYPE_SCHED_CLS, text.instructions(), "culvert_ndp");
  if (!loaded) return Unexpected{loaded.error()};
  program.program_ = std::move(*loaded);
  return program;
}

Result<void> NdpBypassProgram::attach(unsigned interface_index) {
  if (link_ && is_attached(link_, interface_index)) return {};
  auto link = io::attach(program_, TcxHook::ingress, interface_index);
  if (!link) return Unexpected{link.error()};
  link_ = std::move(*link);
  return {};
}

Result<void> NdpBypassProgram::set_prefixes(Prefixes prefixes) {
  const auto bytes_of = [](const Key& key) { return std::as_bytes(std::span{&key, 1}); };
  for (const auto& [prefix, bypasses] : prefixes) {
    const auto before = prefixes_.find(prefix);
    if (before != prefixes_.end() && before->second == bypasses) continue;
    const Key key{prefix.length_bits, prefix.address};
    if (auto set = add_key(map_, bytes_of(key), std::byte{bypasses}); !set) return set;
  }
  for (const auto& [prefix, bypasses] : prefixes_) {
    const Key key{prefix.length_bits, prefix.address};
    if (!prefixes.contains(prefix)) remove_key(map_, bytes_of(key));
  }
  prefixes_ = std::move(prefixes);
  return {};
}

}  // namespace culvert::io
