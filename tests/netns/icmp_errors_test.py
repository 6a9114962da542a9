#!/usr/bin/python3
r"""ICMPv4 errors about outer packets, relayed inward; and what must not be answered, or not that often.

    h1 2001:db8:1::2 --- near 192.0.2.1 culvert --- veth --- wire: packets by hand
       10.1.0.2
"""

import signal

from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6PacketTooBig, IPv6
from scapy.packet import Raw

from support.culvert import Culvert
from support.net import Namespace
from support.rig import connect_host, wire_rig
from support.wire import Capture, Injector
from support.world import expect, expect_equal, parametrize, run_all, scenario, wait_until

NEAR, FAR, ROUTER = "192.0.2.1", "192.0.2.2", "192.0.2.77"
HOST, THERE, HOST4, THERE4 = "2001:db8:1::2", "2001:db8:2::2", "10.1.0.2", "10.2.0.2"
UNREACHABLE = {"net": 0, "host": 1, "protocol": 2, "admin": 13}
FRAGMENTATION_NEEDED = 4


def start(words):
    wire = wire_rig()
    host = Namespace("h1")
    connect_host(host, wire.near, 1)
    four = " route 10.2.0.0/24 address 10.9.0.1/30" if "gre" in words else ""
    culvert = Culvert(wire.near, f"tun {words} remote {FAR} local {NEAR} address fd00::1/64 "
                                 f"route 2001:db8:2::/64{four}")
    return wire, host, culvert


def inner(count=1400, six=True):
    header = IPv6(src=HOST, dst=THERE) if six else IP(src=HOST4, dst=THERE4, flags="DF")
    return bytes(header / UDP(sport=1000, dport=2000) / Raw(bytes(count)))


def outer(wire, packet):
    """The outer packet that culvert makes of an inner one."""
    with wire.capture() as capture:
        Injector(wire.near, "tun").send(packet)
        return capture.wait_for(1, where=lambda f: f.ip.endswith(packet))[0].ip


def error(quoted, code, mtu=0, count=548):
    """RFC 1812 4.3.2.3: as much of the packet as fits into 576 bytes."""
    return IP(src=ROUTER, dst=NEAR) / ICMP(type=3, code=code, nexthopmtu=mtu) / Raw(quoted[:count])


def at_host(host):
    return Capture(host, "to_near", lambda f: f.ip[0] >> 4 == 6 and f.ip[6] == 58 and f.ip[40] < 128)


@parametrize([(f"{mode}, {name}", f"mode {mode}", code)
              for mode in ("sit", "gre key 42") for name, code in UNREACHABLE.items()])
def unreachable_becomes_icmpv6(words, code):
    """RFC 4213 3.4, RFC 2473 8.1: destination unreachable, code 3, with the inner packet quoted."""
    wire, host, culvert = start(words)
    packet = inner(100)
    quoted = outer(wire, packet)
    with at_host(host) as capture:
        wire.send(error(quoted, code))
        got = IPv6(capture.wait_for(1, "ICMPv6 errors at the inner source")[0].ip)
    expect(ICMPv6DestUnreach in got, f"not a destination unreachable: {got.summary()}")
    expect_equal((got.dst, got[ICMPv6DestUnreach].code), (HOST, 3), "destination and code")
    quote = bytes(got[ICMPv6DestUnreach].payload)
    # The hop limit and the like are those of the packet as it went into the tunnel.
    expect_equal(quote.hex(" ", 4), packet[:len(quote)].hex(" ", 4), "quoted packet")
    checked = IPv6(bytes(got))
    del checked[ICMPv6DestUnreach].cksum
    expect_equal(IPv6(bytes(checked))[ICMPv6DestUnreach].cksum, got[ICMPv6DestUnreach].cksum, "ICMPv6 checksum")
    expect_equal(culvert.drops(), {}, "drops")
    expect_equal(culvert.tunnel()["errors_relayed"], 1, "errors_relayed")
    culvert.expect_conserved()
    culvert.stop()


@parametrize([("sit", "mode sit", 20), ("gre key", "mode gre key 42", 28)])
def fragmentation_needed_becomes_packet_too_big(words, overhead):
    wire, host, culvert = start(words)
    quoted = outer(wire, inner())
    with at_host(host) as capture:
        wire.send(error(quoted, FRAGMENTATION_NEEDED, 1420))
        got = IPv6(capture.wait_for(1, "ICMPv6 errors at the inner source")[0].ip)
        expect_equal(got[ICMPv6PacketTooBig].mtu, 1420 - overhead, "MTU told")
        expect_equal(culvert.tunnel()["mtu"], 1420 - overhead, "tunnel MTU that `show` prints")
        # From now on the end itself answers, without a packet on the wire.
        capture.frames.clear()
        with wire.capture() as outside:
            large = inner(1420)
            Injector(wire.near, "tun").send(large)
            got = IPv6(capture.wait_for(1, "Packet Too Big")[0].ip)
            expect_equal(got[ICMPv6PacketTooBig].mtu, 1420 - overhead, "MTU told")
            outside.expect_none("the packet that does not fit", lambda f: f.ip.endswith(large[-100:]))
    expect_equal(culvert.drops(), {"packet_too_big": 1}, "drops")
    culvert.expect_conserved()
    culvert.stop()


@scenario()
def ipv4_in_gre_gets_icmpv4():
    """RFC 1191 in the tunnel: an inner IPv4 sender with DF is told, too."""
    wire, host, culvert = start("mode gre")
    quoted = outer(wire, inner(six=False))
    with Capture(host, "to_near", lambda f: f.ip[0] >> 4 == 4 and f.ip[9] == 1) as capture:
        wire.send(error(quoted, FRAGMENTATION_NEEDED, 1300))
        got = IP(capture.wait_for(1, "ICMPv4 errors at the inner source")[0].ip)
        expect_equal((got[ICMP].type, got[ICMP].code, got[ICMP].nexthopmtu), (3, 4, 1276), "type, code, MTU")
        capture.frames.clear()
        wire.send(error(quoted, UNREACHABLE["host"]))
        got = IP(capture.wait_for(1, "ICMPv4 errors at the inner source")[0].ip)
        expect_equal((got.dst, got[ICMP].type, got[ICMP].code), (HOST4, 3, 1), "destination, type, code")
    expect_equal(culvert.drops(), {}, "drops")
    culvert.stop()


def forged(**fields):
    return bytes(IP(**{"src": NEAR, "dst": FAR, "proto": 41, **fields}) / Raw(inner(100)))


NOT_RELAYED = [
    ("of another tunnel", lambda quoted: error(forged(dst="192.0.2.99"), 1), "icmp_error_not_ours"),
    ("quotes too little", lambda quoted: error(quoted, 1, count=28), "icmp_error_quotes_too_little"),
    ("about an ICMPv6 error", lambda quoted: error(bytes(
        IP(src=NEAR, dst=FAR, proto=41) / IPv6(src=HOST, dst=THERE) / ICMPv6DestUnreach() / Raw(inner(50))), 1),
     "icmp_error_not_answerable"),
    ("about a packet from ::", lambda quoted: error(bytes(
        IP(src=NEAR, dst=FAR, proto=41) / IPv6(src="::", dst="ff02::1:ff00:1") / UDP() / Raw(bytes(40))), 1),
     "icmp_error_not_answerable"),
    ("about a multicast packet", lambda quoted: error(bytes(
        IP(src=NEAR, dst=FAR, proto=41) / IPv6(src=HOST, dst="ff0e::1") / UDP() / Raw(bytes(40))), 1),
     "icmp_error_not_answerable"),
]


@parametrize(NOT_RELAYED)
def not_relayed(make, reason):
    """RFC 4443 2.4(e), and what may be forged or says nothing: counted, and nobody is told."""
    wire, host, culvert = start("mode sit")
    quoted = outer(wire, inner(100))
    with at_host(host) as capture, Capture(wire.near, "tun") as inside:
        for _ in range(3):
            wire.send(make(quoted))
        culvert.wait_for_drops({reason: 3})
        inside.expect_none("a packet out of TUN")
        capture.expect_none("an error at the host")
    expect_equal(culvert.drops(), {reason: 3}, "drops")
    culvert.expect_conserved()
    culvert.stop()


@scenario()
def forged_path_mtu_does_not_shred():
    """RFC 5927: a stranger who knows the addresses reports 68 bytes. Linux stops at net.ipv4.route.min_pmtu."""
    wire, host, culvert = start("mode gre")
    quoted = outer(wire, inner(1300, six=False))
    wire.send(error(quoted[:2] + b"\x01\x23" + quoted[4:], FRAGMENTATION_NEEDED, 68, 28))
    culvert.wait_for_drops({"icmp_error_implausible": 1})
    expect_equal(culvert.tunnel()["pmtu_below_minimum"], 0, "pmtu_below_minimum")
    wire.send(error(quoted, FRAGMENTATION_NEEDED, 68, 28))
    wait_until(lambda: culvert.tunnel()["pmtu_below_minimum"] == 1, "pmtu_below_minimum")
    with wire.capture() as outside:
        Injector(wire.near, "tun").send(bytes(IP(src=HOST4, dst=THERE4) / UDP(sport=1, dport=2) / Raw(bytes(1400))))

        def with_ipv4():  # the device sends IPv6 of its own
            return [frame for frame in outside.frames if frame.ip[22:24] == bytes([8, 0])]

        wait_until(lambda: len(with_ipv4()) >= 3, "the fragments")
        outside.settle()
        expect_equal(len(with_ipv4()), 3, "outer packets for 1,428 bytes")
    culvert.expect_conserved()
    culvert.stop()


@scenario()
def errors_are_rate_limited():
    """RFC 4443 2.4(f)."""
    wire, host, culvert = start("mode sit")
    quoted, count = outer(wire, inner(100)), 400
    with Capture(wire.near, "tun") as capture:
        for sent in (count // 2, count):  # the socket has room for half of them
            culvert.send_signal(signal.SIGSTOP)  # so that it finds them at once, however slowly they are sent
            for _ in range(count // 2):
                wire.send(error(quoted, UNREACHABLE["host"]))
            culvert.send_signal(signal.SIGCONT)
            wait_until(lambda sent=sent: culvert.tunnel()["errors_received"] == sent, f"{sent} errors", interval=0.01)
        capture.settle()
        drops = culvert.drops()
    expect(10 <= len(capture.frames) <= count // 2, f"{len(capture.frames)} of {count} errors were relayed")
    expect_equal(set(drops), {"icmp_error_rate_limited"}, "drops")
    expect(drops["icmp_error_rate_limited"] >= count // 2, f"drops {drops}")
    culvert.expect_conserved()
    culvert.stop()


run_all()
