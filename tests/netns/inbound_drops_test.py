#!/usr/bin/python3
r"""What must not get through a tunnel: each packet moves its one counter, and nothing else happens.

    near: culvert 192.0.2.1 --- veth --- wire: packets by hand, from 192.0.2.2 and others

Also what must get through although other implementations lose or misread it.
"""

from scapy.layers.inet import IP, UDP, IPOption_NOP, IPOption_RR
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import GRE
from scapy.packet import Raw

from support.culvert import Culvert
from support.rig import wire_rig
from support.wire import Capture
from support.world import expect_equal, parametrize, run_all

NEAR, FAR, STRANGER = "192.0.2.1", "192.0.2.2", "192.0.2.3"
HERE, THERE = "2001:db8::1", "2001:db8::2"
COPIES = 3


def six(source=THERE, **fields):
    return bytes(IPv6(src=source, dst=HERE, **fields) / UDP(sport=1000, dport=2000) / b"culvert")


def four(source="10.9.0.2", destination="10.9.0.1", **fields):
    return bytes(IP(src=source, dst=destination, **fields) / UDP(sport=1000, dport=2000) / b"culvert")


def sit(inner, **fields):
    return bytes(IP(**{"src": FAR, "dst": NEAR, "proto": 41, **fields}) / Raw(inner))


def gre(inner, header=None, **fields):
    """`header`: the GRE header's bytes, or the fields that scapy shall set."""
    if not isinstance(header, bytes):
        kind = 0x86DD if inner[:1] and inner[0] >> 4 == 6 else 0x0800
        header = bytes(GRE(**{"proto": kind, **(header or {})}) / Raw(inner))
        inner = b""
    return bytes(IP(**{"src": FAR, "dst": NEAR, "proto": 47, **fields}) / Raw(header + inner))


def with_flags(flags, inner=None):
    return gre(inner or six(), flags.to_bytes(2, "big") + b"\x86\xdd")


def bad_checksum():
    packet = bytearray(gre(six(), {"chksum_present": 1}))
    packet[24] ^= 0x55
    return bytes(packet)


SIT, GRE_PLAIN = "mode sit", "mode gre"
DROPPED = [
    # label, tunnel, packet, reason
    ("sit from a stranger", SIT, sit(six(), src=STRANGER), "tunnel_unknown"),
    ("gre from a stranger", GRE_PLAIN, gre(six(), src=STRANGER), "tunnel_unknown"),
    ("key where none is wanted", GRE_PLAIN, gre(six(), {"key_present": 1, "key": 42}), "tunnel_unknown"),
    ("key 0 is a key: RFC 2890 2.1", GRE_PLAIN, gre(six(), {"key_present": 1, "key": 0}), "tunnel_unknown"),
    ("no key", "mode gre key 42", gre(six()), "tunnel_unknown"),
    ("wrong key", "mode gre key 42", gre(six(), {"key_present": 1, "key": 43}), "tunnel_unknown"),
    ("the key of the way out", "mode gre ikey 1 okey 2", gre(six(), {"key_present": 1, "key": 2}), "tunnel_unknown"),
    ("GRE of 3 bytes", GRE_PLAIN, gre(b"", b"\0\0\x86"), "tunnel_header_truncated"),
    ("GRE ends before its key", GRE_PLAIN, gre(b"", b"\x20\0\x86\xdd\0"), "tunnel_header_truncated"),
    ("GRE version 1 (PPTP)", GRE_PLAIN, with_flags(0x0001), "tunnel_version_unknown"),
    ("GRE bit 1", GRE_PLAIN, with_flags(0x4000), "tunnel_reserved_bits_set"),
    ("GRE bit 4", GRE_PLAIN, with_flags(0x0800), "tunnel_reserved_bits_set"),
    ("GRE bit 5", GRE_PLAIN, with_flags(0x0400), "tunnel_reserved_bits_set"),
    ("bad checksum, csum not configured", GRE_PLAIN, bad_checksum(), "tunnel_checksum_bad"),
    ("bad checksum, csum configured", "mode gre csum", bad_checksum(), "tunnel_checksum_bad"),
    ("no checksum, csum configured", "mode gre csum", gre(six()), "tunnel_checksum_missing"),
    ("unknown protocol type", GRE_PLAIN, gre(six(), b"\0\0\x88\xbe"), "tunnel_protocol_type_unknown"),
    ("no sequence number, seq configured", "mode gre seq", gre(six()), "sequence_missing"),
    ("IPv4 in sit", SIT, sit(four()), "inner_header_malformed"),
    ("IP version 5", SIT, sit(b"\x50" + six()[1:]), "inner_header_malformed"),
    ("IPv6 of 39 bytes", SIT, sit(six()[:39]), "inner_header_malformed"),
    ("IPv6 longer than the datagram", SIT, sit(six()[:-1]), "inner_header_malformed"),
    ("IPv4 declared as IPv6", GRE_PLAIN, gre(four(), b"\0\0\x86\xdd"), "inner_header_malformed"),
    ("IPv4 header checksum", GRE_PLAIN, gre(four(chksum=1)), "inner_checksum_bad"),
    ("source ::ffff:10.0.0.1", SIT, sit(six("::ffff:10.0.0.1")), "inner_source_forbidden"),
    ("source ::10.0.0.1", SIT, sit(six("::10.0.0.1")), "inner_source_forbidden"),
    ("source ::1", SIT, sit(six("::1")), "inner_source_forbidden"),
    ("source ff02::1", SIT, sit(six("ff02::1")), "inner_source_forbidden"),
    ("source ::ffff:10.0.0.1 in GRE", GRE_PLAIN, gre(six("::ffff:10.0.0.1")), "inner_source_forbidden"),
    ("source 127.0.0.1 in GRE", GRE_PLAIN, gre(four("127.0.0.1")), "inner_source_forbidden"),
    ("source 224.0.0.1 in GRE", GRE_PLAIN, gre(four("224.0.0.1")), "inner_source_forbidden"),
    ("inner destination is who sent it", GRE_PLAIN, gre(four(destination=FAR)), "inner_destination_is_encapsulator"),
    ("outer CE, inner Not-ECT", SIT, sit(six(), tos=3), "ecn_ce_on_not_ect"),
    ("outer CE, inner Not-ECT, GRE", GRE_PLAIN, gre(six(), tos=3), "ecn_ce_on_not_ect"),
]


@parametrize(DROPPED)
def dropped(tunnel, packet, reason):
    wire = wire_rig()
    culvert = start(wire, tunnel)
    received = culvert.tunnel()["in_received"]
    with Capture(wire.near, "tun") as inside, wire.capture((1,)) as icmp:
        for _ in range(COPIES):
            wire.send(packet)
        culvert.wait_for_drops({reason: COPIES})
        inside.expect_none("a packet got through")
        icmp.expect_none("an ICMP message was sent")
    expect_equal(culvert.drops(), {reason: COPIES}, "drops")
    tunnel_counts = culvert.tunnel()
    expect_equal(tunnel_counts["in_packets"], 0, "in_packets")
    own = sum(tunnel_counts["drops"].values())
    expect_equal(tunnel_counts["in_received"] - received, own, "in_received of the tunnel")
    culvert.expect_conserved()
    culvert.stop()


DELIVERED = [
    ("sit", SIT, sit(six())),
    ("outer options, 4 bytes", SIT, sit(six(), options=[IPOption_NOP()] * 4)),
    ("outer options, 40 bytes", GRE_PLAIN, gre(six(), options=[IPOption_RR(length=39, routers=["0.0.0.0"] * 9)])),
    ("source ::, of duplicate address detection", SIT, sit(six("::"))),
    ("source 0.0.0.0, of a DHCP client", GRE_PLAIN, gre(four("0.0.0.0", "255.255.255.255"))),
    ("GRE bits 6 to 12 are ignored: RFC 2784 2.3", GRE_PLAIN, with_flags(0x03F8)),
    ("checksum that was not asked for", GRE_PLAIN, gre(six(), {"chksum_present": 1})),
    ("sequence number that was not asked for", GRE_PLAIN, gre(six(), {"seqnum_present": 1, "sequence_number": 5})),
    ("checksum and sequence number before the payload", "mode gre key 42",
     gre(six(), {"key_present": 1, "key": 42, "chksum_present": 1, "seqnum_present": 1})),
    ("odd length under a checksum", GRE_PLAIN, gre(six(), {"chksum_present": 1})),
    ("IPv4 on the same tunnel", GRE_PLAIN, gre(four())),
    ("outer DF clear, ID 0, TTL 1", SIT, sit(six(), flags=0, id=0, ttl=1)),
    ("a TOS of the way", SIT, sit(six(), tos=0xB8)),
]


@parametrize(DELIVERED)
def delivered(tunnel, packet):
    wire = wire_rig()
    culvert = start(wire, tunnel)
    marker = b"culvert"
    with Capture(wire.near, "tun") as inside:
        for count in range(1, COPIES + 1):
            wire.send(packet)
            frames = inside.wait_for(count)  # one by one, or they come as one super-packet
    start_of_inner = packet.index(marker) - 8 - (40 if frames[0].ip[0] >> 4 == 6 else 20)
    expect_equal({f.ip.hex(" ", 4) for f in frames}, {packet[start_of_inner:].hex(" ", 4)}, "inner packets")
    expect_equal(culvert.drops(), {}, "drops")
    expect_equal(culvert.tunnel()["in_packets"], COPIES, "in_packets")
    culvert.expect_conserved()
    culvert.stop()


SEQUENCES = [
    # RFC 2890 2.2: 0 is the first in order after a start; older ones and doubles are dropped.
    ("doubles", [0, 1, 1, 2, 0], 2),
    ("a gap, then what was missing", [0, 5, 3, 6], 1),
    ("the remote endpoint has started anew", [90, *range(10)], 7),
    ("wraps around", [0x7FFFFFFE, 0xFFFFFFFC, 0xFFFFFFFF, 0, 1, 0xFFFFFFFF], 1),
]


@parametrize(SEQUENCES)
def sequence_numbers(numbers, old):
    wire = wire_rig()
    culvert = start(wire, "mode gre seq")
    received = culvert.tunnel()["in_received"]
    with Capture(wire.near, "tun") as inside:
        for count, number in enumerate(numbers, 1):
            wire.send(gre(six(), {"seqnum_present": 1, "sequence_number": number}))
            culvert.wait_received(received + count)  # one by one, or they come as one super-packet
        inside.wait_for(len(numbers) - old)
        inside.expect_none("more came than is in order", lambda f: len(inside.frames) > len(numbers) - old)
    expect_equal(culvert.drops(), {"sequence_old": old}, "drops")
    culvert.stop()


def start(wire, tunnel):
    addresses = f"address {HERE}/64" + (" address 10.9.0.1/30" if "gre" in tunnel else "")
    return Culvert(wire.near, f"tun {tunnel} remote {FAR} local {NEAR} {addresses}")


run_all()
