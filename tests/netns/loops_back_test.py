#!/usr/bin/python3
r"""Packets from the tunnel for addresses that nobody has: the default route would send them back into it.

    h1 2001:db8:1::2, 10.1.0.2 --- near 192.0.2.1 culvert, ::/0 and 10.0.0.0/8 by the tunnel --- wire: packets by hand
       of 2001:db8:1::/48, 10.1.0.0/16, which the remote endpoint routes into the tunnel
"""

from scapy.layers.inet import GRE, ICMP, IP
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ND_Redirect, IPv6

from support.culvert import Culvert
from support.net import Namespace
from support.rig import connect_host, wire_rig
from support.world import expect, expect_equal, run_all, scenario, wait_until

NEAR, FAR = "192.0.2.1", "192.0.2.2"
THERE, THERE4 = "2001:db8:2::7", "10.2.0.7"
GRE_BYTES = 24


def start(words=""):
    wire, host = wire_rig(), Namespace("h1")
    connect_host(host, wire.near, 1)
    culvert = Culvert(wire.near, f"tun mode gre remote {FAR} local {NEAR} address fd00::1/64 address 10.9.0.1/24 "
                                 f"route ::/0 route 10.0.0.0/8 {words}")
    return wire, culvert


def echo(to):
    if ":" in to:
        inner = IPv6(src=THERE, dst=to, hlim=64) / ICMPv6EchoRequest(id=1, seq=1)
        return IP(src=FAR, dst=NEAR) / GRE(proto=0x86DD) / inner
    return IP(src=FAR, dst=NEAR) / GRE(proto=0x0800) / IP(src=THERE4, dst=to, ttl=64) / ICMP(id=1, seq=1)


def expect_answer(wire, to, layer, code):
    """The only outer packet after an echo request from the remote endpoint: ICMP `layer` with this type or code."""

    def answers(capture):
        frames = [f.ip[GRE_BYTES:] for f in capture.frames if f.protocol == 47]
        inner = [IPv6(ip) if ip[0] >> 4 == 6 else IP(ip) for ip in frames]
        # Before the kernel passes the request on it sends redirects: it takes the tunnel for a link.
        return [ip for ip in inner if ip.dst in (THERE, THERE4, to) and ICMPv6ND_Redirect not in ip
                and not (ICMP in ip and ip[ICMP].type == 5)]

    with wire.capture() as outside:
        wire.send(echo(to))
        wait_until(lambda: answers(outside), f"the answer about {to}", interval=0.01)
        expect_equal(len(answers(outside)), 1, f"{to}: {answers(outside)}")
        answer = answers(outside)[0]
    expect(layer in answer, f"{to}: {answer.summary()}")
    expect_equal((answer.dst, answer[layer].type, answer[layer].code), (THERE if ":" in to else THERE4, *code), to)


@scenario()
def one_error_and_no_ping_pong():
    """RFC 4443 3.1: not back onto the link from which it came, but address unreachable."""
    wire, culvert = start()
    # In the /48 and not on the LAN; in the tunnel's own network; the same of IPv4.
    unused = ("2001:db8:1:9::5", "fd00::5", "10.1.9.5", "10.9.0.5")
    for count, to in enumerate(unused, 1):
        expect_answer(wire, to, *((ICMPv6DestUnreach, (1, 3)) if ":" in to else (ICMP, (3, 1))))
        culvert.wait_for_drops({"loops_back": count})
    expect_equal(culvert.tunnel()["unreachable_sent"], 4, "unreachable_sent")
    expect_answer(wire, "2001:db8:1::2", ICMPv6EchoReply, (129, 0))
    expect_answer(wire, "10.1.0.2", ICMP, (0, 0))
    expect_equal(culvert.drops(), {"loops_back": 4}, "drops")
    culvert.expect_conserved()
    culvert.stop()


def unreachable_routes(wire):
    return [sorted(r["dst"] for r in wire.near.ip_json(f"-{v} route show type unreachable")) for v in (6, 4)]


@scenario()
def routed_prefixes_are_answered_by_the_kernel():
    wire, culvert = start("routed 2001:db8:1::/48 routed 10.1.0.0/16")
    expect_equal(unreachable_routes(wire), [["2001:db8:1::/48"], ["10.1.0.0/16"]], "routes")
    expect_answer(wire, "2001:db8:1:9::5", ICMPv6DestUnreach, (1, 0))
    expect_answer(wire, "10.1.9.5", ICMP, (3, 1))
    expect_answer(wire, "2001:db8:1::2", ICMPv6EchoReply, (129, 0))
    expect_equal(culvert.drops(), {}, "drops")
    wire.near.ip("-6 route flush type unreachable")
    wire.near.ip("route flush type unreachable")
    wait_until(lambda: unreachable_routes(wire) == [["2001:db8:1::/48"], ["10.1.0.0/16"]], "the routes again")
    culvert.process.kill()  # and its routes stay
    expect_equal(unreachable_routes(wire), [["2001:db8:1::/48"], ["10.1.0.0/16"]], "routes after SIGKILL")
    again = Culvert(wire.near, f"tun mode gre remote {FAR} local {NEAR} routed 2001:db8:1::/48 routed 10.1.0.0/16")
    again.stop()
    expect_equal(unreachable_routes(wire), [[], []], "routes after the end")


run_all()
