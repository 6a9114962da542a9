#!/usr/bin/python3
r"""A host with many interfaces and routes, of which thousands change every second: none of them concerns culvert.

    host 2001:db8:0:1::aa eth0 --- up0 a 192.0.2.1 --- b 192.0.2.2
                                       a 198.51.100.1 - b 198.51.100.2     and pairs of interfaces in a alone
    TUN tun of a fd00::1, [ndp.up0] auto                TUN tun of b fd00::2

CULVERT_TEST_STORM_SIZE=full: 5,000 interfaces and 200,000 routes.
"""

import os
import socket
import struct
import time

from support import traffic
from support.culvert import Culvert
from support.ndp import AUTO, Link, address_bytes
from support.net import Namespace, veth
from support.world import WORK, expect, run_all, scenario, wait_until

PAIRS, ROUTES = (2_500, 200_000) if os.environ.get("CULVERT_TEST_STORM_SIZE") == "full" else (250, 20_000)
RATE, SECONDS = 5_000, 4
MISSED = 10  # seconds: to follow a change takes less than one, and other tests run beside this one
NEWROUTE, DELROUTE, REQUEST, CREATE = 24, 25, 1, 0x400
CONFIG = """
[device.tun]
address = ["fd00::1/64"]
[[device.tun.tunnel]]
name = "b"
mode = "sit"
local = "192.0.2.1"
remote = "192.0.2.2"
""" + AUTO
KNOWN = "2001:db8:0:1::77"


def change(kind, index, family, prefix, bits):
    """A netlink message that adds or removes a route by an interface."""
    payload = struct.pack("BBBBBBBBI", family, bits, 0, 0, 254, 4, 0 if family == socket.AF_INET6 else 253, 1, 0)
    payload += struct.pack("HH", 4 + len(prefix), 1) + prefix + struct.pack("HHI", 8, 4, index)
    return struct.pack("IHHII", 16 + len(payload), kind, REQUEST | (CREATE if kind == NEWROUTE else 0), 0, 0) + payload


def storm(interface, rate, count):
    """Adds and removes routes by one interface, IPv4 and IPv6 by turns. `rate`: changes a second; 0: as many as can be."""
    index = socket.if_nametoindex(interface)
    changes = [change(kind, index, family, prefix, 8 * len(prefix))
               for family, prefix in ((socket.AF_INET, bytes([10, 250, 0, 1])),
                                      (socket.AF_INET6, address_bytes("2001:db8:fa::1")))
               for kind in (NEWROUTE, DELROUTE)]
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as netlink:
        started = time.monotonic()
        for done in range(0, count, 20):
            for each in range(20):
                netlink.send(changes[(done + each) % 4])
            ahead = started + (done + 20) / rate - time.monotonic() if rate else 0
            if ahead > 0:
                time.sleep(ahead)
        print(f"{count / (time.monotonic() - started):.0f} changes a second")


class Busy(Link):
    def __init__(self):
        super().__init__()
        self.a, self.b = self.near, Namespace("b")
        veth(self.a, self.b, "192.0.2.1/24", "192.0.2.2/24", "to_b", "eth0")
        veth(self.a, self.b, "198.51.100.1/24", "198.51.100.2/24", "other", "eth1")
        started = time.monotonic()
        self.a.ip_batch(*(line for i in range(PAIRS) for line in (
            f"link add p{i} type veth peer name q{i}", f"addr add 10.{i >> 8}.{i & 255}.1/32 dev p{i}",
            f"link set p{i} up", f"link set q{i} up")))
        self.a.ip_batch(*(f"route add 11.{i >> 16}.{i >> 8 & 255}.{i & 255}/32 dev p0" for i in range(ROUTES // 2)),
                        *(f"route add 2001:db8:{i >> 12:x}:{i & 4095:x}::/64 dev p0" for i in
                          range(1 << 16, (1 << 16) + ROUTES // 2)))
        print(f"{2 * PAIRS} interfaces and {ROUTES} routes took {time.monotonic() - started:.1f} s")
        with open(f"{WORK}/storm.toml", "w") as file:
            file.write(CONFIG)
        self.culvert = Culvert(self.a, ["--config", f"{WORK}/storm.toml"])
        self.remote = Culvert(self.b, "tun mode sit remote 192.0.2.1 local 192.0.2.2 address fd00::2/64")

    def start_storm(self, rate, count):
        return self.a.start(["storm"], function=lambda: storm("q0", rate, count))

    def is_at_rest(self):
        before = self.culvert.cpu_seconds()
        time.sleep(0.5)
        return self.culvert.cpu_seconds() - before < 0.02

    def next_hop(self):
        return self.culvert.tunnel()["send_reason"]


@scenario()
def costs_little_and_misses_nothing():
    busy = Busy()
    wait_until(busy.is_at_rest, "culvert to be done with its start", 60, 0.1)
    flood = busy.start_storm(0, 40_000)  # more than a socket can hold (ENOBUFS)
    flood.wait()
    changes = busy.start_storm(RATE, RATE * (SECONDS + 2))
    before, started = busy.culvert.cpu_seconds(), time.monotonic()
    datagrams = traffic.udp(busy.a, busy.b, "fd00::2", flows=4, count=1_000, bytes=256, rate=4_000.0 / SECONDS)
    time.sleep(max(0, SECONDS - (time.monotonic() - started)))
    used = (busy.culvert.cpu_seconds() - before) / (time.monotonic() - started)
    traffic.expect_exactly_once(datagrams)
    print(f"culvert used {100 * used:.1f} % of a processor; {changes.wait().stdout.strip()}")
    busy.culvert.expect_conserved()
    expect(used < 0.05, f"culvert used {100 * used:.1f} % of a processor")
    busy.a.ip("route add 192.0.2.2/32 via 198.51.100.2 dev other")
    wait_until(lambda: "198.51.100.2" in busy.next_hop() and "resolved" not in busy.next_hop(), "the new next hop",
               MISSED, 0.02)
    busy.a.ip(f"-6 route add {KNOWN}/128 dev q0")
    wait_until(lambda: busy.resolve(KNOWN, 0.3) == busy.mac(), "an answer for a new route", MISSED, 0.02)
    busy.culvert.stop()


run_all()
