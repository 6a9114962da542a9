#!/usr/bin/python3
r"""The outer interface goes down and up, loses its address and gets another; traffic goes on.

    a 192.0.2.1 culvert --- veth --- culvert 192.0.2.2 b
"""

from support import traffic
from support.culvert import Culvert
from support.net import Namespace, veth
from support.rig import CORE, Pair
from support.world import expect, expect_equal, parametrize, run_all, scenario, wait_until


@parametrize([(f"{label}, {way}", words, way) for label, words, _ in CORE for way in ("own", "peer")])
def down_and_up(words, way):
    """`own`: the interface itself is taken down; `peer`: it loses its carrier."""
    pair = Pair(words)
    traffic.ping(pair.a, "fd00::2")
    load = traffic.start(pair.a, "udp-send", to="fd00::2", count=1 << 20, flows=1, bytes=200, rate=4000)
    place, interface = (pair.a, "to_b") if way == "own" else (pair.b, "to_a")
    for _ in range(2):
        place.ip(f"link set {interface} down")
        pair.culvert_a.wait_received(pair.culvert_a.tunnel()["out_received"] + 1000, "out")  # of the load
        expect(pair.alive(), "an engine ended with its interface")
        place.ip(f"link set {interface} up")
        wait_until(lambda: traffic.answers(pair.a, "fd00::2"), "pings after the interface came back", 30)
        wait_until(lambda: traffic.answers(pair.b, "fd00::1"), "pings after the interface came back", 30)
    expect(load.alive(), "the load ended too early")
    load.kill()
    traffic.tcp(pair.a, pair.b, "fd00::2", 4 << 20)
    traffic.tcp(pair.b, pair.a, "fd00::1", 4 << 20)
    for culvert in (pair.culvert_a, pair.culvert_b):
        # Packets that waited for the neighbor's address go out after later ones: sequence_old.
        allowed = ("send_", "icmp_error_", "sequence_old")
        other = [reason for reason in culvert.drops() if not reason.startswith(allowed)]
        expect(not other, f"drops {culvert.drops()}")
        culvert.expect_conserved()
    pair.stop()


@scenario()
def the_interface_is_replaced():
    """A veth pair is deleted and made anew: what was bound to its index must find the new one."""
    pair = Pair("mode sit")
    traffic.ping(pair.a, "fd00::2")
    pair.a.ip("link del to_b")
    # A packet that finds no interface.
    received = pair.culvert_a.tunnel()["out_received"]
    expect(not traffic.answers(pair.a, "fd00::2"), "an answer without an interface")
    pair.culvert_a.wait_received(received + 1, "out")
    expect(pair.alive(), "an engine ended with its interface")
    veth(pair.a, pair.b, "192.0.2.1/24", "192.0.2.2/24")
    wait_until(lambda: traffic.answers(pair.a, "fd00::2"), "pings on the new interface", 30)
    traffic.tcp(pair.a, pair.b, "fd00::2", 4 << 20)
    for culvert in (pair.culvert_a, pair.culvert_b):
        culvert.expect_conserved()
    pair.stop()


@scenario()
def another_address():
    """`local any` follows the address of the route to the remote endpoint, as after a new lease."""
    a, b = Namespace("a"), Namespace("b")
    veth(a, b, "192.0.2.1/24", "192.0.2.2/24")
    near = Culvert(a, "tun mode sit remote 192.0.2.2 local any address fd00::1/64")
    far = Culvert(b, "tun mode sit remote 192.0.2.11 local 192.0.2.2 address fd00::2/64")
    expect(not traffic.answers(a, "fd00::2"), "b answers somebody else than its remote endpoint")
    wait_until(lambda: far.drops().get("tunnel_unknown"), "a ping that is not from b's remote endpoint")
    a.ip("addr del 192.0.2.1/24 dev to_b")
    a.ip("addr add 192.0.2.11/24 dev to_b")
    wait_until(lambda: traffic.answers(a, "fd00::2"), "pings from the new address", 30)
    wait_until(lambda: near.tunnel()["local"] == "192.0.2.11", "`show` to print the new address")
    near.stop()
    far.stop()


@scenario()
def an_address_that_changes_often():
    """After each change the device has the link-local address of RFC 4213 3.7 that belongs to it, alone, and the engine
    the new local address. It takes a fraction of a second; what is one change behind stays so."""
    a, b = Namespace("a"), Namespace("b")
    veth(a, b, "192.0.2.1/24", "192.0.2.2/24")
    a.sysctl("net.ipv4.conf.to_b.promote_secondaries", 1)  # as systemd sets it
    near = Culvert(a, "tun mode sit remote 192.0.2.2 local any address fd00::1/64")
    for last in range(101, 121):
        a.ip(f"addr add 192.0.2.{last}/24 dev to_b")
        a.ip(f"addr del 192.0.2.{last - 1 if last > 101 else 1}/24 dev to_b")
        wanted = [f"fe80::c000:2{last:02x}"]
        wait_until(lambda: a.link_locals("tun") == wanted, f"{wanted} after the change", 10)
        wait_until(lambda: near.tunnel()["local"] == f"192.0.2.{last}", "`show` to print the new address", 10)
    near.stop()


@scenario()
def bound_to_an_interface():
    """`dev`: what comes in by another interface is not ours, and the route of the tunnel may cover the remote."""
    a, b, c = Namespace("a"), Namespace("b"), Namespace("c")
    veth(a, b, "192.0.2.1/24", "192.0.2.2/24")
    veth(a, c, "198.51.100.1/24", "198.51.100.2/24")
    near = Culvert(a, "tun mode gre remote 192.0.2.2 local 192.0.2.1 dev to_b address fd00::1/64 route 0.0.0.0/0")
    far = Culvert(b, "tun mode gre remote 192.0.2.1 local 192.0.2.2 address fd00::2/64")
    traffic.ping(a, "fd00::2", "56-100,1476")
    # A stranger behind the other interface, who says that he is b: reverse path filters are off.
    for scope in ("all", "to_c"):
        a.sysctl(f"net.ipv4.conf.{scope}.rp_filter", 0)
    c.ip("addr add 192.0.2.2/32 dev lo")
    c.ip("route add 192.0.2.1 via 198.51.100.1 src 192.0.2.2")
    stranger = Culvert(c, "tun mode gre remote 192.0.2.1 local 192.0.2.2 address fd00::2/64")
    before, sent = near.tunnel()["in_packets"], stranger.tunnel()["out_packets"]
    traffic.ping_lost(c, "fd00::1", "64,65,66", timeout=0.3)
    wait_until(lambda: stranger.tunnel()["out_packets"] >= sent + 3, "the stranger's packets")
    expect_equal(near.tunnel()["in_packets"], before, "in_packets after a stranger's packets")
    for culvert in (near, far, stranger):
        culvert.stop()


run_all()
