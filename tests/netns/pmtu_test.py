#!/usr/bin/python3
r"""A path with a smaller MTU than its ends know of: the sender is told, and nothing is black-holed.

    h1 2001:db8:1::2 --- a 192.0.2.1 --- r1 --- small MTU --- r2 --- 198.51.100.1 b --- h2 2001:db8:2::2
       10.1.0.2            culvert                                    culvert            10.2.0.2

a and b see interfaces of 1500 bytes. r1 and r2 answer an outer packet with DF that is too long with
ICMPv4 fragmentation needed, and fragment one without DF.
"""

from scapy.layers.inet6 import ICMPv6PacketTooBig, IPv6

from support import traffic
from support.culvert import Culvert, program
from support.net import Namespace, veth
from support.rig import HOST_ROUTES, HOST_ROUTES_6, Pair, connect_host
from support.wire import Capture
from support.world import expect, expect_equal, parametrize, run_all, scenario

A, B = "192.0.2.1", "198.51.100.1"
TCP_BYTES = 8 << 20


class Path:
    def __init__(self, small_mtu, words, more="", receive=None):
        a, r1, r2, b = (Namespace(name) for name in ("a", "r1", "r2", "b"))
        self.a, self.b = a, b
        veth(a, r1, f"{A}/24", "192.0.2.254/24")
        veth(r1, r2, "203.0.113.1/24", "203.0.113.2/24", mtu=small_mtu)
        veth(r2, b, "198.51.100.254/24", f"{B}/24")
        for router, net, via in ((r1, "198.51.100.0/24", "203.0.113.2"), (r2, "192.0.2.0/24", "203.0.113.1")):
            router.forwards()
            router.ip(f"route add {net} via {via}")
        a.ip("route add default via 192.0.2.254")
        b.ip("route add default via 198.51.100.254")
        self.h1, self.h2 = Namespace("h1"), Namespace("h2")
        for host, end, net in ((self.h1, a, 1), (self.h2, b, 2)):
            connect_host(host, end, net)
        routes = HOST_ROUTES if "gre" in words else HOST_ROUTES_6
        four = (" address 10.9.0.1/30", " address 10.9.0.2/30") if "gre" in words else ("", "")
        self.culvert_a = Culvert(a, f"tun {words} remote {B} local {A} {more} address fd00::1/64{four[0]} {routes[0]}",
                                 receive=receive)
        self.culvert_b = Culvert(b, f"tun {words} remote {A} local {B} {more} address fd00::2/64{four[1]} {routes[1]}",
                                 receive=receive)

    def stop(self):
        for culvert in (self.culvert_a, self.culvert_b):
            culvert.expect_conserved()
            culvert.stop()


def learn(place, to, size):
    """The first packet teaches the sender of the request, the next that of the reply; then they get through."""
    for _ in range(2):
        traffic.ping_lost(place, to, str(size), timeout=0.4)
    traffic.ping(place, to, str(size))


def is_packet_too_big(frame):
    return ICMPv6PacketTooBig in IPv6(frame.ip)


def packets_too_big(capture):
    found = []
    for frame in capture.frames:
        packet = IPv6(frame.ip)
        if ICMPv6PacketTooBig in packet:
            found.append((packet[ICMPv6PacketTooBig].mtu, packet.src))
    return found


@parametrize([("sit", "mode sit", 20), ("gre key", "mode gre key 42", 28)])
def path_of_1400_bytes(words, overhead):
    """RFC 4213 3.2.2 and 3.4: fragmentation needed becomes Packet Too Big with the path MTU less the overhead."""
    path = Path(1400, words)
    with Capture(path.h1, "to_a", lambda f: f.ip[0] >> 4 == 6) as at_host:
        traffic.ping(path.h1, "2001:db8:2::2", f"1300,{1400 - overhead}", window=1)
        traffic.ping_lost(path.h1, "2001:db8:2::2", f"{1500 - overhead}", timeout=0.5)
        at_host.wait_for(1, "Packet Too Big at the inner sender", where=is_packet_too_big)
        told = packets_too_big(at_host)
        expect(told, "no Packet Too Big came to the inner sender")
        expect_equal({mtu for mtu, _ in told}, {1400 - overhead}, "MTU told")
    # Now the host knows, and soon the other: what they send is fragmented to fit, every ping is answered.
    learn(path.h1, "2001:db8:2::2", 1500)
    traffic.ping(path.h1, "2001:db8:2::2", f"{1400 - overhead}-1500,3000", window=4)
    traffic.tcp(path.h1, path.h2, "2001:db8:2::2", TCP_BYTES)
    traffic.tcp(path.h2, path.h1, "2001:db8:1::2", TCP_BYTES)
    # The same for a program on the end itself.
    traffic.tcp(path.a, path.b, "fd00::2", TCP_BYTES)
    if "gre" in words:
        traffic.tcp(path.h1, path.h2, "10.2.0.2", TCP_BYTES)
        traffic.tcp(path.h2, path.h1, "10.1.0.2", TCP_BYTES)
        for size in (1500, 1400 - overhead + 1):
            learn(path.h1, "10.2.0.2", size)
        traffic.ping(path.h1, "10.2.0.2", f"{1400 - overhead}-{1400 - overhead + 3},1500,3000", window=1)
    path.stop()


@parametrize([("sit", "mode sit"), ("gre key", "mode gre key 42")])
def path_too_small_for_ipv6(words):
    """RFC 4213 3.2.2: no inner sender is told less than 1280; what is left is fragmented outside, DF clear."""
    path = Path(1200, words)
    with Capture(path.h1, "to_a", lambda f: f.ip[0] >> 4 == 6) as at_host:
        # The first packets with DF teach the end what the path takes.
        for _ in range(3):
            traffic.ping_lost(path.h1, "2001:db8:2::2", "1280,1400", timeout=0.4, window=1)
        traffic.ping(path.h1, "2001:db8:2::2", "56,1180-1200,1279,1280,1400,3000", window=2)
        told = packets_too_big(at_host)
        expect_equal({mtu for mtu, _ in told}, {1280}, f"MTU told ({len(told)} times)")
    shown = path.culvert_a.show_text()
    expect("mtu 1280 (packets of that size leave as 2 fragments)" in shown, shown)
    traffic.tcp(path.h1, path.h2, "2001:db8:2::2", TCP_BYTES // 2)
    traffic.tcp(path.h2, path.h1, "2001:db8:1::2", TCP_BYTES // 2)
    path.stop()


@scenario()
def path_too_small_for_ipv6_and_ipv4_alone():
    """A GRE device with IPv4 alone follows a path of 1200 bytes: 1176, unfragmented, and IPv6 is off."""
    a, b = Namespace("a"), Namespace("b")
    veth(a, b, "192.0.2.1/24", "192.0.2.2/24", mtu=1200)
    far = Culvert(b, "tun mode gre remote 192.0.2.1 local 192.0.2.2 address 10.9.0.2/30")
    near = Culvert(a, "tun mode gre remote 192.0.2.2 local 192.0.2.1 address 10.9.0.1/30")
    expect_equal(a.mtu("tun"), 1176, "MTU of the device")
    log = near.process.stdout() + near.process.stderr()
    expect("IPv6 is off on tun, because its MTU of 1176 is below 1280" in log, log)
    expect_equal(a.ip("-6 addr show dev tun").stdout, "", "IPv6 addresses")
    traffic.ping(a, "10.9.0.2", "56,1140-1148", window=2)
    expect_equal(near.tunnel()["fragments"], 1, "fragments of a full packet")
    refused = a.run([program(), "tunnel", "set", "tun", "tun", "prefix", "2001:db8::/64", "--control", near.control],
                    check=False)
    expect(refused.status == 2 and "mtu 1176" in refused.stderr and "IPv6 needs 1280" in refused.stderr, refused)
    for culvert in (near, far):
        culvert.expect_conserved()
        culvert.stop()


@parametrize([("sit, packet", "mode sit", "packet"), ("sit, raw", "mode sit", "raw"),
              ("gre csum, packet", "mode gre csum", "packet"), ("gre csum, raw", "mode gre csum", "raw")])
def static_mtu_is_fragmented_on_the_path(words, receive):
    """RFC 4213 3.2.1: with a static MTU DF is never set. The path fragments, the remote endpoint reassembles."""
    path = Path(1000, words, "nopmtudisc mtu 1472", receive)
    learn(path.h1, "2001:db8:2::2", 1500)  # the device's own MTU
    traffic.ping(path.h1, "2001:db8:2::2", "56,960-1000,1280,1460-1472,3000", window=2)
    traffic.tcp(path.h1, path.h2, "2001:db8:2::2", TCP_BYTES // 2)
    traffic.tcp(path.h2, path.h1, "2001:db8:1::2", TCP_BYTES // 2)
    path.stop()


@parametrize([("sit, packet", "mode sit", "packet"), ("sit, raw", "mode sit", "raw"),
              ("gre key csum, packet", "mode gre key 42 csum", "packet")])
def fragmented_by_the_end_itself(words, receive):
    """A static MTU above that of the outer interface: culvert itself fragments the outer packets."""
    pair = Pair(words, "nopmtudisc mtu 4000", "nopmtudisc mtu 4000", receive=receive)
    traffic.ping(pair.a, "fd00::2", "56,1280,1460-1500,2000,2930-2970,3980-4000", window=2)
    traffic.ping(pair.a, "fd00::2", "4001,9000", window=1)
    traffic.tcp(pair.a, pair.b, "fd00::2", TCP_BYTES // 2)
    traffic.tcp(pair.b, pair.a, "fd00::1", TCP_BYTES // 2)
    pair.expect_no_drops()
    pair.stop()


@parametrize([("sit", "mode sit", 20), ("gre key", "mode gre key 42", 28)])
def jumbo_frames(words, overhead):
    pair = Pair(words, mtu=9000)
    mtu = 9000 - overhead
    expect_equal(pair.a.mtu("tun"), mtu, "tunnel MTU")
    traffic.ping(pair.a, "fd00::2", f"56,1480,{mtu - 8}-{mtu},{mtu + 1},30000", window=2)
    traffic.tcp(pair.a, pair.b, "fd00::2", TCP_BYTES)
    pair.expect_no_drops()
    pair.stop()


@scenario()
def tcp_needs_no_packet_too_big():
    """The MSS is clamped to the tunnel MTU, so TCP gets through where ICMP is filtered and the MTU is right."""
    path = Path(1500, "mode sit", "mtu 1380")
    for host in (path.h1, path.h2):
        host.rule("input", "icmpv6 type packet-too-big drop")
    for sender, receiver, to in ((path.h1, path.h2, "2001:db8:2::2"), (path.h2, path.h1, "2001:db8:1::2")):
        sent = traffic.tcp(sender, receiver, to, TCP_BYTES)
        expect(sent["mss"] <= 1320, f"MSS {sent['mss']} in a tunnel of 1380 bytes")
    path.stop()


run_all()
