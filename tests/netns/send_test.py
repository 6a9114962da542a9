#!/usr/bin/python3
r"""Packets to the next hop by packet sockets, and how culvert falls back to raw ones and comes back.

    a 192.0.2.1 culvert --- veth, checksums and segmentation off --- culvert 192.0.2.2 b

With the veth's offloads off the kernel may encapsulate and cut super-packets (not in the variant `refused`,
where bpf() is).
"""

import json

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Raw

from support import traffic
from support.culvert import IO, Culvert, is_sanitized, refusing_super_packets
from support.net import Namespace, veth
from support.rig import A, B, Pair, families, wire_rig
from support.wire import Capture, Injector, dissect
from support.world import expect, expect_equal, parametrize, run_all, scenario, wait_until

TCP_BYTES = 8 << 20
FORMS = [("sit", "mode sit", "fd00::2", "fd00::1"), ("gre", "mode gre", "fd00::2", "fd00::1"),
         ("gre key", "mode gre key 42", "fd00::2", "fd00::1"),
         ("IPv4 in gre key", "mode gre key 42", "10.9.0.2", "10.9.0.1"), ("ipip", "mode ipip", "10.9.0.2", "10.9.0.1"),
         ("gre csum", "mode gre csum", "fd00::2", "fd00::1")]


def offloads_off(namespace, interface):
    namespace.run(["ethtool", "-K", interface, "tx", "off"])


def sends(culvert, way, reason=""):
    """Whether `show` says so."""
    tunnel = culvert.tunnel()
    return tunnel["send"] == way and reason in tunnel["send_reason"]


def wait_for_send(culvert, way, reason=""):
    try:
        wait_until(lambda: sends(culvert, way, reason), f"send {way} ({reason})", 30)
    except AssertionError:
        tunnel = culvert.tunnel()
        raise AssertionError(f"send {way} ({reason}), not {tunnel['send']} ({tunnel['send_reason']})") from None


def packet_pair(words="mode sit", **how):
    """A Pair whose ends send by packet sockets, on a veth with its offloads off."""
    pair = Pair(words, start=False, **{"send": "packet", **how})
    offloads_off(pair.a, "to_b")
    offloads_off(pair.b, "to_a")
    pair.start()
    for culvert in (pair.culvert_a, pair.culvert_b):
        wait_for_send(culvert, "packet")
    return pair


def count_chain(namespace, family, hook):
    """A chain that counts what is tunnelled, or is about to be; returns what reads the counter."""
    namespace.run(["nft", f"add table {family} count; add chain {family} count c {{ type filter hook {hook} "
                          f"priority 0; }}; add rule {family} count c counter"])

    def packets():
        rules = json.loads(namespace.run(["nft", "-j", "list", "table", family, "count"]).stdout)["nftables"]
        return next(part["counter"]["packets"] for item in rules if "rule" in item
                    for part in item["rule"]["expr"] if "counter" in part)

    return packets


def tcp_both_ways(pair, to_b="fd00::2", to_a="fd00::1", count=TCP_BYTES):
    traffic.tcp(pair.a, pair.b, to_b, count)
    traffic.tcp(pair.b, pair.a, to_a, count)


def expect_finished(capture, mtu=1500):
    """What came by the wire needs nothing more: no packet to be cut, no checksum to be completed."""
    expect(len(capture.frames) > 1000, f"{len(capture.frames)} packets captured")
    unfinished = [f for f in capture.frames if len(f.ip) > mtu or f.gso_type != 0 or f.needs_checksum]
    expect(not unfinished, f"{len(unfinished)} of {len(capture.frames)} packets, the first {unfinished[:1]}")


# ---- what is on the wire ------------------------------------------------------------------------


@parametrize(FORMS)
def tcp_is_whole(words, to_b, to_a):
    pair = packet_pair(words)
    at_egress = count_chain(pair.a, "netdev", "egress device to_b")
    before = pair.counts()
    with Capture(pair.b, "to_a") as at_b, Capture(pair.a, "to_b") as at_a:
        tcp_both_ways(pair, to_b, to_a)
    expect_finished(at_b)
    expect_finished(at_a)
    # The payload alone is that many packets one way; the other way go as many that acknowledge a few each.
    pair.expect_nothing_lost(before, at_least=TCP_BYTES // 1480)
    sent, seen = pair.counts()[0][0] - before[0][0], at_egress()
    expect(pair.culvert_a.tunnel()["send_reason"].endswith("cut there") == (IO != "refused" and "csum" not in words),
           pair.culvert_a.show_text())
    if IO == "refused" or "csum" in words:
        expect(seen >= sent, f"{sent} packets were sent, but the egress hook saw {seen}")
    else:
        expect(seen < sent // 2, f"super-packets were cut before the egress hook: it saw {seen} of {sent}")
    for name in ("TcpInCsumErrors", "TcpInErrs", "IpInHdrErrors"):
        expect_equal(pair.b.kernel_counter(name), 0, f"{name} at b")
    pair.stop()


@scenario()
def a_kernel_that_refuses_super_packets():
    """Each refused one is cut and sent again; after four of them there are no more."""
    if IO == "refused" or is_sanitized():
        return  # no super-packets are sent; or the sanitizer's library must be the first one
    pair = packet_pair(prefix=refusing_super_packets())
    expect(sends(pair.culvert_a, "packet", "cut there"), pair.culvert_a.show_text())
    before = pair.counts()
    with Capture(pair.b, "to_a") as at_b:
        tcp_both_ways(pair)
    expect_finished(at_b)
    pair.expect_nothing_lost(before, at_least=TCP_BYTES // 1480)
    for culvert in (pair.culvert_a, pair.culvert_b):
        expect(sends(culvert, "packet", "the kernel refuses super-packets"), culvert.show_text())
        lines = [line for line in culvert.process.stderr().splitlines() if "on the packet socket" in line]
        expect_equal(len(lines), 1, f"log lines: {lines}")
    pair.stop()


def inner_packets(words):
    """(what, packet): of several kinds and lengths."""
    six, four = dict(src="fd00::1", dst="fd00::2"), dict(src="10.9.0.1", dst="10.9.0.2", id=7)
    data = Raw(bytes(i * 7 & 0xFF for i in range(1000)))
    ipv6 = [("UDP", IPv6(**six) / UDP(sport=1, dport=2) / Raw(b"x")),
            ("TCP", IPv6(**six, tc=0x2E) / TCP(sport=1, dport=2, flags="PA") / data)]
    ipv4 = [("IPv4 UDP", IP(**four) / UDP(sport=1, dport=2) / data),
            ("IPv4 ICMP", IP(**four, flags="DF") / ICMP(id=1, seq=2) / data)]
    return [(what, bytes(packet)) for packets in families(words, ipv6, ipv4) for what, packet in packets]


@parametrize([(label, words) for label, words, *_ in FORMS])
def same_bytes_by_raw_and_packet_sockets(words):
    wire = wire_rig()
    frames = {}
    own = " ".join(families(words, "address fd00::1/64", "address 10.9.0.1/30"))
    for send in ("raw", "packet"):
        culvert = Culvert(wire.near, f"tun {words} remote {B} local {A} ttl 9 {own}", send=send)
        wait_for_send(culvert, send)
        tun = Injector(wire.near, "tun")
        inner = inner_packets(words)
        with wire.capture() as capture:
            for _, packet in inner:
                tun.send(packet)
            frames[send] = [capture.wait_for(1, f"outer packet of {what}", where=lambda f: f.ip.endswith(packet))[0]
                            for what, packet in inner]
        dissect([frame.ip for frame in capture.frames])
        culvert.stop()
    for by_raw, by_packet in zip(frames["raw"], frames["packet"]):
        expect_equal(by_packet.link.hex(), by_raw.link.hex(), "Ethernet header")
        # The identification, which means nothing with DF set (RFC 6864 4.1), and the checksum with it.
        for frame in (by_raw, by_packet):
            expect_equal(frame.ip[6] & 0x40, 0x40, "DF")
            frame.ip = frame.ip[:4] + bytes(2) + frame.ip[6:10] + bytes(2) + frame.ip[12:]
        expect_equal(by_packet.ip.hex(" ", 4), by_raw.ip.hex(" ", 4), "outer packet")


@scenario()
def raw_opens_no_packet_socket():
    pair = Pair("mode sit", send="raw", receive="raw")
    traffic.ping(pair.a, "fd00::2")
    expect(sends(pair.culvert_a, "raw", "asked for"), f"{pair.culvert_a.tunnel()}")

    def packet_sockets():
        lines = pair.a.run(["cat", f"/proc/{pair.culvert_a.process.pid}/net/packet"]).stdout.splitlines()
        return len(lines) - 1

    expect_equal(packet_sockets(), 0, "packet sockets with send raw")
    pair.stop()


# ---- what changes -------------------------------------------------------------------------------


@parametrize([("tells", True), ("is replaced", False)])
def the_next_hop_changes_its_address(tells):
    pair = packet_pair()
    traffic.ping(pair.a, "fd00::2")
    new = "02:00:00:00:00:77"
    pair.b.ip(f"link set to_a address {new}")
    if tells:  # b asks for a with its new address
        # It "fails" if the neighbor is found anew while `ip` still flushes.
        pair.b.ip("neigh flush dev to_a", check=False)
        wait_until(lambda: traffic.answers(pair.b, A), "b's ping by the wire itself")
    else:
        pair.a.ip(f"neigh replace {B} lladdr {new} dev to_b nud reachable")
    wait_until(lambda: traffic.answers(pair.a, "fd00::2"), "pings to the new address")
    with Capture(pair.b, "to_a") as capture:
        tcp_both_ways(pair)
    outer = [f for f in capture.frames if f.ip[0] >> 4 == 4 and f.protocol == 41]
    wrong = [f for f in outer if f.link[:6] != bytes.fromhex(new.replace(":", ""))]
    expect(not wrong, f"{len(wrong)} frames to another address, the first to {wrong and wrong[0].link[:6].hex(':')}")
    wait_for_send(pair.culvert_a, "packet")
    pair.stop()


@parametrize([("own interface", "a", "to_b"), ("the far one", "b", "to_a")])
def an_interface_is_down_for_a_while(end, interface):
    pair = packet_pair()
    place = getattr(pair, end)
    traffic.ping(pair.a, "fd00::2")
    for _ in range(2):
        place.ip(f"link set {interface} down")
        wait_for_send(getattr(pair, f"culvert_{end}"), "raw")
        place.ip(f"link set {interface} up")
        for culvert in (pair.culvert_a, pair.culvert_b):
            # Who lost only its carrier sends something, and then learns whether its neighbor is there still.
            wait_until(lambda: traffic.answers(pair.a, "fd00::2"), "pings after the interface came back")
            wait_for_send(culvert, "packet", "next hop")
    tcp_both_ways(pair)
    for culvert in (pair.culvert_a, pair.culvert_b):
        culvert.expect_conserved()
    pair.stop()


@scenario()
def the_neighbor_fails():
    pair = packet_pair()
    traffic.ping(pair.a, "fd00::2")
    pair.a.ip(f"neigh replace {B} nud failed dev to_b")
    wait_for_send(pair.culvert_a, "packet")  # it was asked for again, and answered
    pair.b.ip("link set to_a arp off")
    pair.a.ip(f"neigh replace {B} nud failed dev to_b")
    wait_for_send(pair.culvert_a, "raw", f"next hop {B} on to_b is not resolved")
    pair.b.ip("link set to_a arp on")
    wait_until(lambda: traffic.answers(pair.a, "fd00::2"), "pings after the neighbor came back")
    wait_for_send(pair.culvert_a, "packet")
    tcp_both_ways(pair, count=1 << 20)
    pair.stop()


@parametrize([("nftables", "ip", "output"), ("NAT", "ip", "postrouting"), ("egress", "netdev", "egress device to_b")])
def a_firewall_comes_and_goes(family, hook):
    """With `send auto` the user's chain sees every packet, from soon after it is there."""
    pair = packet_pair(send="auto")
    traffic.ping(pair.a, "fd00::2")
    counted = count_chain(pair.a, family, hook)
    wait_for_send(pair.culvert_a, "raw", "would bypass nftables, chain count c")
    expect("raw (would bypass nftables" in pair.culvert_a.show_text(), pair.culvert_a.show_text())
    before, sent = counted(), pair.counts()[0][0]
    traffic.tcp(pair.a, pair.b, "fd00::2", 1 << 20)
    sent = pair.counts()[0][0] - sent
    expect(counted() - before >= sent > 700, f"the chain saw {counted() - before} of {sent} packets")
    pair.a.run(["nft", "delete", "table", family, "count"])
    wait_for_send(pair.culvert_a, "packet")
    tcp_both_ways(pair)
    pair.stop()


@parametrize([("another index", False), ("the same index", True)])
def the_interface_is_made_anew(same_index):
    """With the same index it must not be taken for the one that had our program."""
    pair = packet_pair()
    tcp_both_ways(pair, count=1 << 20)
    index = pair.a.ip_json("link show dev to_b")[0]["ifindex"]
    pair.a.ip("link del to_b")
    wait_for_send(pair.culvert_a, "raw")
    choose = f"index {index if same_index else index + 100}"
    pair.a.ip(f"link add to_b {choose} type veth peer name to_a netns /run/netns/b")
    for namespace, interface, address in ((pair.a, "to_b", A), (pair.b, "to_a", B)):
        offloads_off(namespace, interface)
        namespace.ip(f"addr add {address}/24 dev {interface}")
        namespace.ip(f"link set {interface} up")
    wait_until(lambda: traffic.answers(pair.a, "fd00::2"), "pings on the new interface")
    for culvert in (pair.culvert_a, pair.culvert_b):
        wait_for_send(culvert, "packet")
    with Capture(pair.b, "to_a") as at_b:
        tcp_both_ways(pair)
    stray = [f for f in at_b.frames if f.ip[0] >> 4 != 4]
    expect(not [f for f in stray if f.protocol == 6], "TCP came to b without an outer header")
    expect_finished(at_b)
    pair.stop()


@scenario()
def offloads_are_switched_on():
    """What was left to the kernel to cut is not to leave a veth that would leave it to its peer."""
    pair = packet_pair()
    tcp_both_ways(pair, count=1 << 20)
    pair.a.run(["ethtool", "-K", "to_b", "tx", "on"])
    pair.a.run(["ethtool", "-K", "to_b", "tso", "on"])
    wait_until(lambda: "cut there" not in pair.culvert_a.tunnel()["send_reason"], "super-packets to be cut here")
    expect(sends(pair.culvert_a, "packet"), "send packet")
    with Capture(pair.b, "to_a") as at_b:
        tcp_both_ways(pair)
    expect_finished(at_b)
    pair.a.run(["ethtool", "-K", "to_b", "tx", "off"])
    if IO != "refused":
        wait_until(lambda: "cut there" in pair.culvert_a.tunnel()["send_reason"], "super-packets to be cut there again")
    pair.stop()


@scenario()
def a_route_moves_to_another_interface():
    a, b = Namespace("a"), Namespace("b")
    veth(a, b, "192.0.2.1/24", "192.0.2.2/24")
    veth(a, b, "198.51.100.1/24", "198.51.100.2/24", left_name="to_b2", right_name="to_a2")
    for namespace, own, other, net in ((a, 1, 2, 2), (b, 2, 1, 1)):
        for scope in ("all", "default", *(f"to_{'b' if namespace is a else 'a'}{n}" for n in ("", 2))):
            namespace.sysctl(f"net.ipv4.conf.{scope}.rp_filter", 0)
        namespace.ip(f"addr add 203.0.113.{own}/32 dev lo")
        namespace.ip(f"route add 203.0.113.{other} via 192.0.2.{net} src 203.0.113.{own}")
    for interface in ("to_b", "to_b2"):
        offloads_off(a, interface)
    near = Culvert(a, "tun mode gre remote 203.0.113.2 local 203.0.113.1 address fd00::1/64", send="packet")
    far = Culvert(b, "tun mode gre remote 203.0.113.1 local 203.0.113.2 address fd00::2/64", send="packet")
    wait_for_send(near, "packet", "next hop 192.0.2.2 on to_b")
    traffic.tcp(a, b, "fd00::2", TCP_BYTES)
    a.ip("route replace 203.0.113.2 via 198.51.100.2 src 203.0.113.1")
    wait_until(lambda: traffic.answers(a, "fd00::2"), "pings by the other interface")
    wait_for_send(near, "packet", "next hop 198.51.100.2 on to_b2")
    with Capture(b, "to_a") as first, Capture(b, "to_a2") as second:
        traffic.tcp(a, b, "fd00::2", TCP_BYTES)
    expect(not [f for f in first.frames if f.ip[0] >> 4 == 4], "packets by the old interface")
    expect_finished(second)
    a.ip("route del 203.0.113.2")
    wait_for_send(near, "raw", "there is no route to 203.0.113.2")
    near.stop()
    far.stop()


@scenario()
def the_remote_is_behind_a_gateway():
    a, r, b = Namespace("a"), Namespace("r"), Namespace("b")
    veth(a, r, "192.0.2.1/24", "192.0.2.254/24")
    veth(r, b, "198.51.100.254/24", "198.51.100.2/24")
    r.forwards()
    a.ip("route add default via 192.0.2.254")
    b.ip("route add default via 198.51.100.254")
    offloads_off(a, "to_r")
    offloads_off(b, "to_r")
    near = Culvert(a, "tun mode sit remote 198.51.100.2 local 192.0.2.1 address fd00::1/64", send="packet")
    far = Culvert(b, "tun mode sit remote 192.0.2.1 local 198.51.100.2 address fd00::2/64", send="packet")
    wait_for_send(near, "packet", "next hop 192.0.2.254 on to_r")
    wait_for_send(far, "packet", "next hop 198.51.100.254 on to_r")
    with Capture(b, "to_r") as at_b:
        traffic.tcp(a, b, "fd00::2", TCP_BYTES)
        traffic.tcp(b, a, "fd00::1", TCP_BYTES)
    expect_finished(at_b)
    for culvert in (near, far):
        culvert.expect_conserved()
        culvert.stop()


@scenario()
def two_processes_on_one_interface():
    """Each has a program on it, and slots with the same marks."""
    pair = packet_pair("mode sit")
    gre = "tun2 mode gre key 7 remote {} local {} address fd01::{}/64"
    near = Culvert(pair.a, gre.format(B, A, 1), send="packet")
    far = Culvert(pair.b, gre.format(A, B, 2), send="packet")
    for culvert in (near, far):
        wait_for_send(culvert, "packet")
    servers = [(traffic.start(pair.b, "tcp-receive", bind="::", port=port, timeout=30),
                traffic.start(pair.a, "tcp-send", to=to, bytes=TCP_BYTES, port=port, timeout=30))
               for to, port in (("fd00::2", 5001), ("fd01::2", 5002))]
    for server, client in servers:
        sent, received = traffic.finish(client), traffic.finish(server)
        expect_equal(received["sha256"], sent["sha256"], "TCP by two processes")
    near.stop()
    far.stop()
    tcp_both_ways(pair, count=1 << 20)  # and the other's is there still
    pair.stop()


run_all()
