// The first and the last part of the programs that make the kernel's IP stack ignore packets: see
// bypass_program.h and ndp_bypass_program.h. They run at tcx ingress. Pure functions; any thread.
#pragma once

#include <arpa/inet.h>
#include <linux/if_packet.h>

#include <cstddef>
#include <cstdint>

#include "io/bpf/bpf.h"

namespace culvert::io::bypass {

inline constexpr int kNext = -1;  // TCX_NEXT, newer than the headers of Debian 12
inline constexpr int kPacket = BPF_REG_6;

/// Ends the program unless the packet has this EtherType and goes to this host's link-layer address. A
/// packet with a VLAN tag belongs to another interface. Then loads its first `header_bytes` bytes from
/// the IP header on to the stack at `header`.
inline void load_header(bpf::Text& text, std::uint16_t ether_type, int header, int header_bytes) {
  using namespace bpf;
  const auto field = [&](std::size_t offset) {
    text.add(load(BPF_W, BPF_REG_2, kPacket, static_cast<int>(offset)));
  };
  text.add(compute_with(BPF_MOV, kPacket, BPF_REG_1));
  field(offsetof(__sk_buff, protocol));
  text.leave_unless(jump_if(BPF_JEQ, BPF_REG_2, htons(ether_type), 2), kNext);
  field(offsetof(__sk_buff, pkt_type));
  text.leave_unless(jump_if(BPF_JEQ, BPF_REG_2, PACKET_HOST, 2), kNext);
  field(offsetof(__sk_buff, vlan_present));
  text.leave_unless(jump_if(BPF_JEQ, BPF_REG_2, 0, 2), kNext);
  text.add(compute_with(BPF_MOV, BPF_REG_1, kPacket));
  text.add(compute(BPF_MOV, BPF_REG_2, 0));
  text.add(compute_with(BPF_MOV, BPF_REG_3, BPF_REG_10));
  text.add(compute(BPF_ADD, BPF_REG_3, header));
  text.add(compute(BPF_MOV, BPF_REG_4, header_bytes));
  text.add(compute(BPF_MOV, BPF_REG_5, BPF_HDR_START_NET));
  text.add(call(BPF_FUNC_skb_load_bytes_relative));
  text.leave_unless(jump_if(BPF_JEQ, BPF_REG_0, 0, 2), kNext);
}

/// Ends the program unless the map has the key that is on the stack at `key`. Register 0 is the address
/// of its value.
inline void look_up(bpf::Text& text, int map, int key) {
  using namespace bpf;
  text.add(compute_with(BPF_MOV, BPF_REG_2, BPF_REG_10));
  text.add(compute(BPF_ADD, BPF_REG_2, key));
  text.add(load_map(BPF_REG_1, map));
  text.add(load_map_end());
  text.add(call(BPF_FUNC_map_lookup_elem));
  text.leave_unless(jump_if(BPF_JNE, BPF_REG_0, 0, 2), kNext);
}

/// Marks the packet, makes the IP stack ignore it, and ends the program.
inline void bypass_stack(bpf::Text& text, std::uint32_t mark) {
  using namespace bpf;
  text.add(compute_with(BPF_MOV, BPF_REG_1, kPacket));
  text.add(compute(BPF_MOV, BPF_REG_2, PACKET_OTHERHOST));
  text.add(call(BPF_FUNC_skb_change_type));
  text.leave_unless(jump_if(BPF_JEQ, BPF_REG_0, 0, 2), kNext);
  text.add(compute(BPF_MOV, BPF_REG_2, static_cast<std::int32_t>(mark)));
  text.add(store(BPF_W, kPacket, offsetof(__sk_buff, mark), BPF_REG_2));
  text.add(compute(BPF_MOV, BPF_REG_0, kNext));
  text.add(exit());
}

}  // namespace culvert::io::bypass
