#include "io/bpf/bypass_program.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <iterator>
#include <span>
#include <utility>

#include "io/bpf/bpf.h"
#include "io/bpf/bypass_text.h"
#include "io/sort_unique.h"
#include "proto/ipv4.h"
#include "proto/tcp_fields.h"

namespace culvert::io {
namespace {

using bypass::kNext;

// On the stack: the outer header and the first bytes behind it, then the key to look up.
constexpr int kHeaderBytes = int{proto::kIpv4HeaderBytes} + proto::kDemuxBytes;
constexpr int kHeader = -kHeaderBytes;
constexpr int kKey = kHeader - int{sizeof(BypassEndpoints)} - 4;  // aligned to 8
constexpr int kBehindHeader = kHeader + int{proto::kIpv4HeaderBytes};
constexpr int kProtocol = BPF_REG_7, kFoundKey = BPF_REG_3, kHasKey = BPF_REG_4;

/// Ends the program unless the packet is a whole IPv4 packet without options to this host.
void check_packet(bpf::Text& text) {
  using namespace bpf;
  bypass::load_header(text, ETH_P_IP, kHeader, kHeaderBytes);
  // Version 4, no options.
  text.add(load(BPF_B, BPF_REG_2, BPF_REG_10, kHeader + int{proto::kIpVersionOffset}));
  text.leave_unless(jump_if(BPF_JEQ, BPF_REG_2, proto::kIpv4VersionAndMinimumIhl, 2), kNext);
  // Not a fragment.
  text.add(load(BPF_H, BPF_REG_2, BPF_REG_10, kHeader + int{proto::kIpv4FragmentOffset}));
  text.add(compute(BPF_AND, BPF_REG_2, htons(proto::kIpv4MoreFragments | proto::kIpv4OffsetMask)));
  text.leave_unless(jump_if(BPF_JEQ, BPF_REG_2, 0, 2), kNext);
}

/// kFoundKey = the tunnel's key, if the packet has one at this place.
void load_key(bpf::Text& text, const proto::KeyPlace& place) {
  using namespace bpf;
  assert(place.offset_bytes + sizeof(std::uint32_t) <= proto::kDemuxBytes);
  text.add(load(BPF_W, BPF_REG_2, BPF_REG_10, kBehindHeader));
  text.add(compute_32(BPF_AND, BPF_REG_2, static_cast<std::int32_t>(htonl(place.mask))));
  const auto is_elsewhere =
      text.add_jump(jump_if_32(BPF_JNE, BPF_REG_2, static_cast<std::int32_t>(htonl(place.value))));
  text.add(load(BPF_W, kFoundKey, BPF_REG_10, kBehindHeader + place.offset_bytes));
  text.add(instruction(BPF_ALU | BPF_END | BPF_TO_BE, kFoundKey, 0, 0, 32));  // to host order
  text.add(compute(BPF_MOV, kHasKey, 1));
  text.land(is_elsewhere);
}

/// Ends the program if the encapsulation cannot decapsulate the packet: it may be meant for another
/// program's raw socket, such as gretap or MPLS in GRE.
void check_payload(bpf::Text& text, const proto::DemuxRule& rule) {
  using namespace bpf;
  if (rule.protocol_types.empty()) return;
  text.add(load(BPF_W, BPF_REG_2, BPF_REG_10, kBehindHeader));
  text.add(compute_32(BPF_AND, BPF_REG_2, static_cast<std::int32_t>(htonl(rule.zero_bits))));
  text.leave_unless(jump_if(BPF_JEQ, BPF_REG_2, 0, 2), kNext);
  text.add(load(BPF_H, BPF_REG_2, BPF_REG_10, kBehindHeader + 2));
  std::vector<Text::Jump> known;
  for (const std::uint16_t type : rule.protocol_types.first(rule.protocol_types.size() - 1))
    known.push_back(text.add_jump(jump_if(BPF_JEQ, BPF_REG_2, htons(type), 0)));
  text.leave_unless(jump_if(BPF_JEQ, BPF_REG_2, htons(rule.protocol_types.back()), 2), kNext);
  for (const Text::Jump jump : known) text.land(jump);
}

/// Builds the map key from the headers.
void make_key(bpf::Text& text, std::span<const proto::DemuxRule> rules) {
  using namespace bpf;
  const auto store_word = [&](std::size_t offset, int source) {
    text.add(store(BPF_W, BPF_REG_10, kKey + static_cast<int>(offset), source));
  };
  text.add(load(BPF_W, BPF_REG_2, BPF_REG_10, kHeader + int{proto::kIpv4SourceOffset}));
  store_word(offsetof(BypassEndpoints, remote), BPF_REG_2);
  text.add(load(BPF_W, BPF_REG_2, BPF_REG_10, kHeader + int{proto::kIpv4DestinationOffset}));
  store_word(offsetof(BypassEndpoints, local), BPF_REG_2);
  text.add(load(BPF_B, kProtocol, BPF_REG_10, kHeader + int{proto::kIpv4ProtocolOffset}));
  store_word(offsetof(BypassEndpoints, protocol), kProtocol);
  text.add(compute(BPF_MOV, kFoundKey, 0));
  text.add(compute(BPF_MOV, kHasKey, 0));
  for (const proto::DemuxRule& rule : rules) {
    if (rule.keys.empty() && rule.protocol_types.empty()) continue;
    const auto is_other = text.add_jump(jump_if(BPF_JNE, kProtocol, rule.ip_protocol, 0));
    check_payload(text, rule);
    for (const proto::KeyPlace& place : rule.keys) load_key(text, place);
    text.land(is_other);
  }
  store_word(offsetof(BypassEndpoints, key), kFoundKey);
  store_word(offsetof(BypassEndpoints, has_key), kHasKey);
}

/// Marks the packet and makes IPv4 ignore it, if the set has its key.
void bypass_if_ours(bpf::Text& text, int set) {
  bypass::look_up(text, set, kKey);
  bypass::bypass_stack(text, kBypassMark);
}

std::span<const std::byte> bytes_of(const BypassEndpoints& endpoints) {
  return std::as_bytes(std::span{&endpoints, 1});
}

}  // namespace

Result<BypassProgram> BypassProgram::open(std::span<const proto::DemuxRule> rules,
                                          std::size_t endpoints) {
  BypassProgram program;
  // Twice as many keys: set_endpoints() adds the new ones before it removes the old ones.
  auto set = create_set(sizeof(BypassEndpoints), static_cast<std::uint32_t>(2 * endpoints),
                        "culvert_take");
  if (!set) return Unexpected{set.error()};
  program.set_ = std::move(*set);
  bpf::Text text;
  check_packet(text);
  make_key(text, rules);
  bypass_if_ours(text, program.set_.get());
  auto loaded = load_program(BPF_PROG_TYPE_SCHED_CLS, text.instructions(), "culvert_take");
  if (!loaded) return Unexpected{loaded.error()};
  program.program_ = std::move(*loaded);
  return program;
}

Result<void> BypassProgram::attach(unsigned interface_index) {
  return links_.attach(program_, interface_index);
}

Result<void> BypassProgram::set_endpoints(std::vector<BypassEndpoints> endpoints) {
  sort_unique(endpoints);
  std::vector<BypassEndpoints> changed;
  std::set_difference(endpoints.begin(), endpoints.end(), endpoints_.begin(), endpoints_.end(),
                      std::back_inserter(changed));
  for (const BypassEndpoints& each : changed) {
    if (auto added = add_key(set_, bytes_of(each)); !added) return added;
  }
  changed.clear();
  std::set_difference(endpoints_.begin(), endpoints_.end(), endpoints.begin(), endpoints.end(),
                      std::back_inserter(changed));
  for (const BypassEndpoints& each : changed) remove_key(set_, bytes_of(each));
  endpoints.shrink_to_fit();
  endpoints_ = std::move(endpoints);
  return {};
}

bool BypassProgram::covers(const BypassEndpoints& endpoints) const noexcept {
  return std::binary_search(endpoints_.begin(), endpoints_.end(), endpoints);
}

}  // namespace culvert::io
