#!/usr/bin/python3
r"""More than a receiver takes: what is lost is counted, nobody is told that the tunnel is gone, and it goes on.

    near: culvert 192.0.2.1 --- veth --- wire: a flood by hand, from 192.0.2.2
"""

import signal

from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import GRE
from scapy.packet import Raw

from support.culvert import Culvert
from support.rig import wire_rig
from support.wire import Capture
from support.world import expect, expect_equal, parametrize, run_all, wait_until

NEAR, FAR, HERE, THERE = "192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"
COUNT = 60000  # of 1400 bytes: more than a receive buffer of tens of megabytes holds

FORMS = [(f"{mode}, {receive}", mode, receive) for mode in ("sit", "gre") for receive in ("packet", "raw")]


def datagram(mode, text):
    inner = IPv6(src=THERE, dst=HERE) / UDP(sport=1, dport=2) / Raw(text)
    outer = IP(src=FAR, dst=NEAR, proto=41) if mode == "sit" else IP(src=FAR, dst=NEAR) / GRE(proto=0x86DD)
    return bytes(outer / inner)


@parametrize(FORMS)
def a_receiver_that_falls_behind(mode, receive):
    """A full raw socket makes the kernel answer ICMP protocol unreachable, unless it is kept from it."""
    wire = wire_rig()
    culvert = Culvert(wire.near, f"tun mode {mode} remote {FAR} local {NEAR} address {HERE}/64", receive=receive)
    flood, last = datagram(mode, bytes(1320)), datagram(mode, b"the last one")
    with wire.capture((1,)) as icmp:
        culvert.send_signal(signal.SIGSTOP)
        for _ in range(COUNT):
            wire.send(flood)
        culvert.send_signal(signal.SIGCONT)
        icmp.expect_none("ICMP to the remote endpoint")
    with Capture(wire.near, "tun", lambda f: f.ip.endswith(b"the last one")) as inside:
        wait_until(lambda: wire.send(last) or inside.frames, "packets after the flood", 60)

    def known():
        shown = culvert.show()
        return shown["tunnels"][0]["in_received"] + shown["receive_queue_full"]

    wait_until(lambda: known() >= COUNT, "received and lost packets to add up", 60)
    expect(culvert.show()["receive_queue_full"] > 0, "nothing was lost: the flood is too small")
    expect_equal(culvert.drops().keys() - {"tun_queue_full"}, set(), "drops")
    culvert.expect_conserved()
    culvert.stop()


run_all()
