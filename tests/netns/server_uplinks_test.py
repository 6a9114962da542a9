#!/usr/bin/python3
r"""Two uplinks, and two tunnels for one prefix: who asks by the second is answered by the second.

                     +-- 198.18.1.1 (up1) --+
    server 2001:db8::1                      internet --- (wan) 203.0.113.1, .2  site 2001:db8:f::1
    or     10.1.0.1  +-- 198.18.2.1 (up2) --+                                   or   10.2.0.1 (ipip)

    first: 198.18.1.1 - 203.0.113.1, metric 1      second: 198.18.2.1 - 203.0.113.2, metric 2

The server's default route points to up1. The site sends by the tunnel that the test chooses.
"""

import json
from typing import NamedTuple

from support import traffic
from support.net import Namespace
from support.server import Internet, ask, start_server, write_config
from support.wire import Capture
from support.world import WORK, expect, expect_equal, parametrize, run_all, scenario, wait_until



class Inside(NamedTuple):
    """What the tunnels are, and the addresses and prefixes behind them."""

    mode: str
    protocol: int  # of the outer packets
    server: str
    site: str
    server_prefix: str
    site_prefix: str


SIT = Inside("sit", 41, "2001:db8::1", "2001:db8:f::1", "2001:db8::/48", "2001:db8:f::/48")
IPIP = Inside("ipip", 4, "10.1.0.1", "10.2.0.1", "10.1.0.0/24", "10.2.0.0/24")
MODES = [(inside.mode, inside) for inside in (SIT, IPIP)]
PROGRESS = {"in_packets": 5000, "out_packets": 20}  # of a transfer to the server, and what acknowledges it
TUNNELS = """
[device.tun]
address = ["{address}"]
pinning = "{pinning}"
[[device.tun.tunnel]]
name = "first"
mode = "{mode}"
local = "{local1}"
remote = "{remote1}"
prefix = ["{prefix}"]
metric = {metric1}
[[device.tun.tunnel]]
name = "second"
mode = "{mode}"
local = "{local2}"
remote = "{remote2}"
prefix = ["{prefix}"]
metric = {metric2}
"""


def server_toml(pinning="on", metrics=(1, 2), inside=SIT):
    return TUNNELS.format(mode=inside.mode, address=inside.server, pinning=pinning, prefix=inside.site_prefix,
                          local1="198.18.1.1", remote1="203.0.113.1", local2="198.18.2.1", remote2="203.0.113.2",
                          metric1=metrics[0], metric2=metrics[1])


def site_toml(metrics, inside):
    return TUNNELS.format(mode=inside.mode, address=inside.site, pinning="off", prefix=inside.server_prefix,
                          local1="203.0.113.1", remote1="198.18.1.1", local2="203.0.113.2", remote2="198.18.2.1",
                          metric1=metrics[0], metric2=metrics[1])


class Uplinks:
    def __init__(self, pinning="on", site_metrics=(2, 1), inside=SIT):
        internet = Internet()
        self.server, self.site = Namespace("server"), Namespace("site")
        for scope in ("all", "default"):
            self.server.sysctl(f"net.ipv4.conf.{scope}.rp_filter", 0)
        internet.connect(self.server, "198.18.1", "up1", metric=10)
        internet.connect(self.server, "198.18.2", "up2", metric=20)
        internet.connect(self.site, "203.0.113", addresses=(1, 2))
        self.culvert = start_server(self.server, server_toml(pinning, inside=inside))
        self.culvert_site = start_server(self.site, site_toml(site_metrics, inside))
        self.seen = {name: Capture(self.server, name, outgoing=True, keep=lambda frame: frame.outgoing and
                                   frame.ip[9] == inside.protocol) for name in ("up1", "up2")}

    def point_default_to(self, interface):
        """In one step: at no time is there none. Those of both uplinks stay behind it."""
        network = {"up1": "198.18.1", "up2": "198.18.2"}[interface]
        self.server.ip(f"route replace default via {network}.254 dev {interface} metric 5")

    def sent_by(self):
        """How many outer packets each tunnel has sent, by whatever uplink: the kernel's route decides that."""
        for capture in self.seen.values():
            capture.settle()
        sources = [frame.ip[12:16] for capture in self.seen.values() for frame in list(capture.frames)]
        return {name: sources.count(source) for name, source in
                (("first", bytes([198, 18, 1, 1])), ("second", bytes([198, 18, 2, 1])))}

    def left_by(self):
        """How many outer packets left by each uplink, each from its own address."""
        for capture in self.seen.values():
            capture.settle()
        frames = {name: list(capture.frames) for name, capture in self.seen.items()}
        for name, wanted in (("up1", bytes([198, 18, 1, 1])), ("up2", bytes([198, 18, 2, 1]))):
            sources = {frame.ip[12:16] for frame in frames[name]}
            expect(sources <= {wanted}, f"outer sources by {name}: {sources}")
        return {name: len(each) for name, each in frames.items()}

    def stop(self):
        for capture in self.seen.values():
            capture.__exit__()
        for end in (self.culvert, self.culvert_site):
            end.expect_conserved()
            end.stop()


@parametrize(MODES)
def who_asks_by_the_second_is_answered_by_the_second(inside):
    rig = Uplinks(inside=inside)
    traffic.ping(rig.site, inside.server, "56-80,1280")
    traffic.tcp(rig.site, rig.server, inside.server, 10 << 20)
    left = rig.left_by()
    expect(left["up1"] == 0 and left["up2"] > 50, f"outer packets that left by each uplink: {left}")
    flows = json.loads(ask(rig.culvert, "show", "flows", "tun", "--json").stdout)["devices"][0]["list"]
    tcp = next(flow for flow in flows if flow["protocol"] == "tcp")
    expect_equal([tcp[key] for key in ("far", "near", "near_port", "tunnel", "opened", "local", "remote", "interface")],
                 [inside.site, inside.server, 5001, "second", "in", "198.18.2.1", "203.0.113.2", "up2"],
                 "the flow of the transfer")
    expect("second" in ask(rig.culvert, "show", "flows").stdout, "`show flows` does not list it")
    rig.stop()


@parametrize(MODES)
def without_pinning_they_leave_by_the_first(inside):
    """What the test above would see if there were no flow table."""
    rig = Uplinks(pinning="off", inside=inside)
    traffic.ping(rig.site, inside.server, "56-80")
    left = rig.left_by()
    expect(left["up2"] == 0 and left["up1"] >= 25, f"outer packets that left by each uplink: {left}")
    rig.stop()


@parametrize([("routes of the uplinks", False), ("metrics of the tunnels", True)])
def a_transfer_goes_on_where_it_is_when_routes_are_swapped(swaps_metrics):
    rig = Uplinks()
    port = 5001
    receiver = traffic.start(rig.server, "tcp-receive", bind="::", timeout=150, port=port)
    last_swap = f"{WORK}/last_swap"
    sender = traffic.start(rig.site, "tcp-send", to=SIT.server, bytes=16 << 30, until=last_swap, timeout=150, port=port)

    def wait_for_progress():
        """The transfer goes on by what would be noticed if it went the wrong way."""
        start = rig.culvert.tunnel("second")

        def went_on():
            now = rig.culvert.tunnel("second")
            return all(now[key] >= start[key] + packets for key, packets in PROGRESS.items())

        wait_until(went_on, "the transfer to go on", 60)

    for turn in range(4):
        wait_for_progress()
        if swaps_metrics:
            metrics = (2, 1) if turn % 2 == 0 else (1, 2)
            write_config(rig.server, server_toml(metrics=metrics))
            ask(rig.culvert, "reload")
        else:
            rig.point_default_to("up2" if turn % 2 == 0 else "up1")
    wait_for_progress()
    expect(sender.alive(), "the transfer ended before the routes were swapped")
    open(last_swap, "w").close()
    sent, received = traffic.finish(sender, 150), traffic.finish(receiver, 150)
    expect_equal(received["sha256"], sent["sha256"], "hash")
    left = rig.left_by()
    expect(left["up1"] == 0 and left["up2"] > 100, f"outer packets that left by each uplink: {left}")
    rig.stop()


@scenario()
def a_flow_that_the_server_began_stays_where_it_was_placed():
    """It was placed by metric; the other tunnel's metric becomes better meanwhile. Then its tunnel is declared down."""
    rig = Uplinks(site_metrics=(1, 2))
    server = traffic.start(rig.site, "udp-receive", bind=SIT.site, port=7000, count=1 << 20, idle=60, timeout=60,
                           answer=1)
    wait_until(lambda: "listening" in server.stdout(), "the UDP receiver")
    asking = {"to": SIT.site, "port": 7000, "from_port": 7700, "count": 50, "timeout": 5}
    answers = traffic.finish(traffic.start(rig.server, "udp-ask", **asking))
    expect_equal(answers["answered"], 50, "answers")
    sent = rig.sent_by()
    expect(sent["second"] == 0 and sent["first"] >= 50, f"placed by the lower metric: {sent}")
    write_config(rig.server, server_toml(metrics=(2, 1)))
    ask(rig.culvert, "reload")
    traffic.finish(traffic.start(rig.server, "udp-ask", **asking))
    sent = rig.sent_by()
    expect(sent["second"] == 0 and sent["first"] >= 100, f"it stays: {sent}")
    ask(rig.culvert, "tunnel", "set", "tun", "first", "down")
    ask(rig.culvert_site, "tunnel", "set", "tun", "first", "down")
    traffic.finish(traffic.start(rig.server, "udp-ask", **asking))
    moved = rig.sent_by()
    expect(moved["first"] == sent["first"] and moved["second"] >= 50, f"its tunnel is down: {moved}")
    server.kill()
    rig.stop()


run_all()
