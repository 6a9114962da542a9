#!/usr/bin/python3
r"""What the outer header says for each inner one, and what the inner one says after it: TTL, TOS, DF, ID, ECN; MSS.

    near: inner packets into TUN by hand -> culvert 192.0.2.1 --- veth --- wire: captured; and the way back
"""

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import GRE
from scapy.packet import Raw

from support.culvert import Culvert
from support.rig import wire_rig
from support.wire import Capture, Injector
from support.world import expect_equal, parametrize, run_all, scenario

NEAR, FAR = "192.0.2.1", "192.0.2.2"
HERE, THERE = "2001:db8::1", "2001:db8::2"
NOT_ECT, ECT1, ECT0, CE = range(4)
DROP = None


def six(tc=0, hlim=64, source=HERE, destination=THERE, count=20):
    return bytes(IPv6(src=source, dst=destination, tc=tc, hlim=hlim) / UDP(sport=1, dport=2) / Raw(bytes(count)))


def start(wire, words):
    return Culvert(wire.near, f"tun {words} remote {FAR} local {NEAR} address {HERE}/64")


def sent(wire, packet, tun=None):
    """The outer header around `packet`."""
    with wire.capture() as capture:
        (tun or Injector(wire.near, "tun")).send(packet)
        return IP(capture.wait_for(1, where=lambda f: f.ip.endswith(packet))[0].ip)


OUTER = [
    # words, inner traffic class and hop limit, outer TOS, TTL and flags
    ("ttl 64", 0, 33, 0, 64, "DF"),
    ("ttl 255", 0xB8, 33, 0, 255, "DF"),
    ("ttl inherit", 0, 33, 0, 33, "DF"),
    ("ttl 64 tos 0x10", 0xB8, 33, 0x10, 64, "DF"),
    ("ttl 64 tos inherit", 0xB8, 33, 0xB8, 64, "DF"),
    ("ttl 64 tos inherit", 0xB8 | ECT0, 33, 0xB8 | ECT0, 64, "DF"),
    ("ttl 64 nopmtudisc", 0, 33, 0, 64, ""),
]


@parametrize([(f"{row[0]} tc {row[1]:#x}", *row) for row in OUTER])
def fields(words, traffic_class, hop_limit, tos, ttl, flags):
    wire = wire_rig()
    for mode in ("mode sit", "mode gre"):
        culvert = start(wire, f"{mode} {words}")
        outer = sent(wire, six(traffic_class, hop_limit))
        got = (outer.tos, outer.ttl, str(outer.flags))
        expect_equal(got, (tos, ttl, flags), f"TOS, TTL, flags with {mode} {words}")
        expect_equal(outer.ihl, 5, "IHL")
        culvert.stop()


@scenario()
def hellos_with_a_hop_limit_of_one():
    """OSPF: the tunnel is one hop, however many its path has. A fixed TTL stays as it is."""
    wire = wire_rig()
    for words, wanted in (("ttl inherit", 64), ("ttl 5", 5)):
        culvert = start(wire, f"mode sit {words}")
        for destination in ("ff02::5", "fe80::2"):
            outer = sent(wire, six(hlim=1, source="fe80::1", destination=destination))
            expect_equal(outer.ttl, wanted, f"TTL to {destination} with {words}")
        culvert.stop()


@scenario()
def ecn_on_the_way_out():
    """RFC 6040 4.1: normal mode copies the field, compatibility mode sends Not-ECT. DSCP stays as configured."""
    wire = wire_rig()
    for words, wanted in (("", [NOT_ECT, ECT1, ECT0, CE]), ("ecn normal", [NOT_ECT, ECT1, ECT0, CE]),
                          ("ecn compatibility", [NOT_ECT] * 4), ("tos 0x10", [NOT_ECT, ECT1, ECT0, CE])):
        culvert = start(wire, f"mode sit {words}")
        dscp = 0x10 if "tos" in words else 0
        got = [sent(wire, six(0xA0 | ecn)).tos for ecn in (NOT_ECT, ECT1, ECT0, CE)]
        expect_equal(got, [dscp | ecn for ecn in wanted], f"outer TOS with `{words}`")
        culvert.stop()


# RFC 6040 4.2, figure 4: rows are the inner field, columns the outer: Not-ECT, ECT(1), ECT(0), CE.
EGRESS = {
    NOT_ECT: [NOT_ECT, NOT_ECT, NOT_ECT, DROP],
    ECT1: [ECT1, ECT1, ECT1, CE],
    ECT0: [ECT0, ECT1, ECT0, CE],
    CE: [CE, CE, CE, CE],
}


@parametrize([("sit", "mode sit", 41), ("gre", "mode gre", 47)])
def ecn_on_the_way_in(words, protocol):
    wire = wire_rig()
    culvert = start(wire, words)
    with Capture(wire.near, "tun") as inside:
        for inner, row in EGRESS.items():
            for outer, wanted in enumerate(row):
                inside.frames.clear()
                packet = six(0xA0 | inner, source=THERE, destination=HERE)
                gre = b"\0\0\x86\xdd" if protocol == 47 else b""
                wire.send(IP(src=FAR, dst=NEAR, proto=protocol, tos=0x10 | outer) / Raw(gre + packet))
                what = f"inner {inner}, outer {outer}"
                if wanted is DROP:
                    culvert.wait_for_drops({"ecn_ce_on_not_ect": 1})
                    inside.expect_none(what)
                else:
                    got = IPv6(inside.wait_for(1, what)[0].ip)
                    # The DSCP of the way is not that of the packet: RFC 2983, pipe model.
                    expect_equal((got.tc, got.hlim), (0xA0 | wanted, 64), f"traffic class and hop limit: {what}")
    expect_equal(culvert.drops(), {"ecn_ce_on_not_ect": 1}, "drops")
    culvert.expect_conserved()
    culvert.stop()


@scenario()
def marked_by_the_path_and_cleared_in_front_of_culvert():
    """A provider overwrites the TOS field: with the rule of the man page and `--receive raw` the tunnel works."""
    wire = wire_rig()
    wire.near.rule("prerouting", "ip protocol { 4, 41, 47 } ip ecn set not-ect", family="ip")
    culvert = Culvert(wire.near, f"tun mode sit remote {FAR} local {NEAR} address {HERE}/64", receive="raw")
    with Capture(wire.near, "tun") as inside:
        packet = six(0xA0 | NOT_ECT, source=THERE, destination=HERE)
        wire.send(IP(src=FAR, dst=NEAR, proto=41, tos=0x10 | CE) / Raw(packet))
        expect_equal(IPv6(inside.wait_for(1, "the marked packet")[0].ip).tc, 0xA0 | NOT_ECT, "traffic class")
    expect_equal(culvert.drops(), {}, "drops")
    culvert.stop()


@scenario()
def identification_is_unique_where_it_counts():
    """RFC 6864 4.1: with DF clear a path may fragment, and an ID must not come twice within its lifetime."""
    wire = wire_rig()
    culvert = start(wire, "mode sit nopmtudisc")
    tun, count = Injector(wire.near, "tun"), 500
    with wire.capture() as capture:
        for index in range(count):
            tun.send(six(count=index))
        frames = capture.wait_for(count)
    expect_equal(len({IP(f.ip).id for f in frames}), count, "different IDs")
    culvert.stop()


def syn(mss, source, destination):
    header = IPv6(src=source, dst=destination) if ":" in source else IP(src=source, dst=destination)
    return bytes(header / TCP(sport=1, dport=2, flags="S", seq=1, options=[("MSS", mss), ("WScale", 7)]))


CLAMP = [
    # words, MSS offered, MSS that goes on; MTU of the tunnel: 1480 (sit), 1476 (gre)
    ("mode sit", HERE, THERE, 8940, 1420),
    ("mode sit", HERE, THERE, 1420, 1420),
    ("mode sit", HERE, THERE, 536, 536),
    ("mode sit nomssclamp", HERE, THERE, 8940, 8940),
    ("mode gre", HERE, THERE, 8940, 1416),
    ("mode gre", "10.9.0.1", "10.9.0.2", 8960, 1436),
    ("mode gre nomssclamp", "10.9.0.1", "10.9.0.2", 8960, 8960),
]


@parametrize([(f"{row[0]} {row[1]} {row[3]}", *row) for row in CLAMP])
def mss(words, here, there, offered, wanted):
    wire = wire_rig()
    culvert = start(wire, words)
    gre = b"" if "sit" in words else b"\0\0\x86\xdd" if ":" in here else b"\0\0\x08\0"
    protocol = 41 if "sit" in words else 47
    expected = syn(wanted, here, there)  # scapy sums it: the checksum must be right, too
    with wire.capture() as outside:
        Injector(wire.near, "tun").send(syn(offered, here, there))
        got = outside.wait_for(1, where=lambda f: len(f.ip) == 20 + len(gre) + len(expected))[0].ip[20 + len(gre):]
        expect_equal(got.hex(" ", 4), expected.hex(" ", 4), "SYN on the way out")
    expected = syn(wanted, there, here)
    with Capture(wire.near, "tun") as inside:
        wire.send(IP(src=FAR, dst=NEAR, proto=protocol) / Raw(gre + syn(offered, there, here)))
        got = inside.wait_for(1, where=lambda f: len(f.ip) == len(expected))[0].ip
        expect_equal(got.hex(" ", 4), expected.hex(" ", 4), "SYN on the way in")
    culvert.stop()


@scenario()
def what_does_not_go_out():
    """What a program may write to the device although no tunnel can carry it: dropped, and counted."""
    wire = wire_rig()
    culvert = start(wire, "mode sit")
    tun = Injector(wire.near, "tun")
    for packet, reason in ((bytes(IP(src="10.0.0.1", dst="10.0.0.2") / UDP() / b"x"), "payload_unsupported"),
                           (b"\x60" + bytes(10), "tun_packet_malformed"),
                           (six()[:30], "tun_packet_malformed")):
        before = culvert.drops().get(reason, 0)
        others = {k: v for k, v in culvert.drops().items() if k != reason}
        with wire.capture() as outside:
            tun.send(packet)
            culvert.wait_for_drops({**others, reason: before + 1})
            outside.expect_none(f"a packet that is {reason}", lambda f: f.ip.endswith(packet))
        expect_equal(culvert.drops(), {**others, reason: before + 1}, "drops")
    culvert.stop()
    culvert = start(wire, "mode gre")
    outer = bytes(IP(src=NEAR, dst=FAR, proto=47) / GRE(proto=0x86DD) / Raw(six()))
    with wire.capture() as outside:
        Injector(wire.near, "tun").send(outer)
        culvert.wait_for_drops({"routing_loop": 1})
        outside.expect_none("our own outer packet, in the tunnel", lambda f: f.ip.endswith(outer))
    expect_equal(culvert.drops(), {"routing_loop": 1}, "drops")
    culvert.stop()


run_all()
