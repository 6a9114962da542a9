#!/usr/bin/python3
r"""The outer interface goes down and up, loses its address and gets another, while traffic flows.

    a 192.0.2.1 culvert --- veth --- culvert 192.0.2.2 b
"""

import time

from support import traffic
from support.net import veth
from support.rig import CORE, Pair
from support.world import expect, parametrize, run_all, scenario, wait_until


def answers(place, to):
    return not traffic.ping_lost(place, to, "64", timeout=0.3)


@parametrize([(f"{label}, {way}", words, way) for label, words, _ in CORE for way in ("own", "peer")])
def down_and_up(words, way):
    """`own`: the interface itself is taken down; `peer`: it loses its carrier."""
    pair = Pair(words)
    traffic.ping(pair.a, "fd00::2")
    load = traffic.start(pair.a, "udp-send", to="fd00::2", count=20000, flows=1, bytes=200, rate=4000)
    place, interface = (pair.a, "to_b") if way == "own" else (pair.b, "to_a")
    for _ in range(2):
        place.ip(f"link set {interface} down")
        time.sleep(0.5)
        expect(pair.alive(), "an engine ended with its interface")
        place.ip(f"link set {interface} up")
        wait_until(lambda: answers(pair.a, "fd00::2"), "pings after the interface came back", 10)
        wait_until(lambda: answers(pair.b, "fd00::1"), "pings after the interface came back", 10)
    traffic.finish(load)
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
    time.sleep(0.3)
    expect(pair.alive(), "an engine ended with its interface")
    veth(pair.a, pair.b, "192.0.2.1/24", "192.0.2.2/24")
    wait_until(lambda: answers(pair.a, "fd00::2"), "pings on the new interface", 10)
    traffic.tcp(pair.a, pair.b, "fd00::2", 4 << 20)
    for culvert in (pair.culvert_a, pair.culvert_b):
        culvert.expect_conserved()
    pair.stop()


run_all()
