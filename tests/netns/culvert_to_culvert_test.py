#!/usr/bin/python3
r"""culvert at both ends, all forms of all encapsulations, alone and forwarding for a host behind each.

    h1 2001:db8:1::2 --- a 192.0.2.1 --------- 192.0.2.2 b --- h2 2001:db8:2::2
       10.1.0.2            tun fd00::1 ....... tun fd00::2       10.2.0.2
                               10.9.0.1            10.9.0.2      (IPv4 in gre, ipip, any)
"""

from support import traffic
from support.rig import ENCAPSULATIONS, HOST_ROUTES, HOST_ROUTES_6, Pair, families
from support.world import expect, expect_equal, parametrize, run_all

TCP_BYTES = 8 << 20
FORWARDING = [form for form in ENCAPSULATIONS if form[0] in ("sit", "gre", "gre key csum seq")]


@parametrize(ENCAPSULATIONS)
def pings_of_every_size(words, overhead):
    pair = Pair(words)
    mtu = 1500 - overhead
    for end in (pair.a, pair.b):
        expect_equal(end.mtu("tun"), mtu, "tunnel MTU")
    before = pair.counts()
    beyond = f"{mtu + 1}-{mtu + 20},{2 * mtu},4000,9000,65000"
    ways = families(words, (pair.a, "fd00::2"), (pair.b, "10.9.0.1"))
    for end, to in ways:
        traffic.ping(end, to, f"56-{mtu}")
        traffic.ping(end, to, beyond, window=2)
    # RFC 4213 3.7: a link-local address on the tunnel, made of the outer address. Without IPv6 there is none.
    link_locals = families(words, (["fe80::c000:201"], ["fe80::c000:202"]), ([], []))[0]
    expect_equal((pair.a.link_locals("tun"), pair.b.link_locals("tun")), link_locals, "link-local")
    if link_locals[0]:
        traffic.ping(pair.a, "fe80::c000:202", f"56-60,{mtu},{mtu + 1}", interface="tun")
    pair.expect_nothing_lost(before, at_least=(mtu - 55) * len(ways))
    pair.stop()


@parametrize(ENCAPSULATIONS)
def tcp_both_ways_by_hash(words, _overhead):
    pair = Pair(words)
    for here, there in families(words, ("fd00::1", "fd00::2"), ("10.9.0.1", "10.9.0.2")):
        for sender, receiver, to in ((pair.a, pair.b, there), (pair.b, pair.a, here)):
            sent = traffic.tcp(sender, receiver, to, TCP_BYTES)
            expect(sent["retransmitted"] < 200, f"a retransmission storm: {sent}")
    pair.expect_no_drops()
    pair.stop()


@parametrize(FORWARDING)
def forwards_for_hosts(words, overhead):
    pair = Pair(words, *(HOST_ROUTES if "gre" in words else HOST_ROUTES_6))
    pair.hosts()
    mtu = 1500 - overhead
    hosts = families(words, ("2001:db8:1::2", "2001:db8:2::2"), ("10.1.0.2", "10.2.0.2"))
    before = pair.counts()
    for here, there in hosts:
        traffic.ping(pair.h1, there, f"56-80,{mtu - 10}-{mtu}")
        for sender, receiver, to in ((pair.h1, pair.h2, there), (pair.h2, pair.h1, here)):
            traffic.expect_exactly_once(
                traffic.udp(sender, receiver, to, count=1000, flows=4, bytes=512, rate=10000, window=512))
    pair.expect_nothing_lost(before, at_least=4000)
    for here, there in hosts:
        traffic.tcp(pair.h1, pair.h2, there, TCP_BYTES)
        traffic.tcp(pair.h2, pair.h1, here, TCP_BYTES)
        # The kernel of the end tells a host whose packet is longer than the device's MTU, first that
        # of the request and then that of the reply; from then on they fit.
        for _ in range(2):
            traffic.ping_lost(pair.h1, there, f"{mtu + 1}", timeout=0.3)
        traffic.ping(pair.h1, there, f"{mtu + 1},1500,4000", window=1)
    pair.expect_no_drops()
    pair.stop()


run_all()
