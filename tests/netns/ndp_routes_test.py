#!/usr/bin/python3
r"""`auto` follows the kernel's routes: an overlay or a container network behind this host.

    host 2001:db8:0:1::aa eth0 --- up0 near, culvert lan0 2001:db8:1:8::1 --- member 2001:db8:1:8::2
"""

from support import traffic
from support.culvert import program
from support.ndp import PREFIX, Link, Ndp, tunnel_to
from support.net import Namespace, veth
from support.wire import Capture
from support.world import WORK, expect, parametrize, run_all, scenario, wait_until

MEMBER = "2001:db8:1:8::2"
NDPPD = """route-ttl 30000
proxy up0 {
  router yes
  rule 2001:db8:1::/48 { auto }
}
"""


class Overlay(Link):
    def __init__(self):
        super().__init__()
        self.member = Namespace("member")
        veth(self.near, self.member, "2001:db8:1:8::1/64", f"{MEMBER}/64", "lan0", "eth0")
        self.near.ip(f"addr add {PREFIX}:2/64 dev up0 nodad")
        self.near.ip(f"-6 route add default via {PREFIX}:1 dev up0")
        self.near.sysctl("net.ipv6.conf.all.forwarding", 1)
        self.member.ip("-6 route add default via 2001:db8:1:8::1")
        self.host.ip("-6 route add 2001:db8:1::/48 dev eth0")

    def imported(self, *words):
        source = f"{WORK}/ndppd.conf"
        with open(source, "w") as file:
            file.write(NDPPD)
        return self.near.run([program(), "import", "ndppd", source, *words]).stdout


@parametrize([("answers pings", False), ("drops pings", True)])
def hosts_behind_another_interface(drops_pings):
    """The file of ndppd, unchanged."""
    overlay = Overlay()
    if drops_pings:
        overlay.member.sysctl("net.ipv6.icmp.echo_ignore_all", 1)
    ndp = Ndp(overlay.near, overlay.imported())
    ndp.says("answers for 2001:db8:1::/48 (auto)")
    overlay.expect_answered(MEMBER)
    overlay.expect_believed(MEMBER)  # packets that wait for a neighbor may leave in another order
    with Capture(overlay.member, "eth0", lambda frame: frame.protocol == 58 and frame.ip[7] == 254) as forwarded:
        overlay.solicit_unicast(MEMBER, f"{PREFIX}:aa")
        if drops_pings:
            counted = traffic.udp(overlay.host, overlay.member, MEMBER, flows=1, count=20, bytes=512, window=10)
            traffic.expect_exactly_once(counted)
        else:
            traffic.ping(overlay.host, MEMBER, "56,1280")
        forwarded.expect_none("solicitations that the kernel has forwarded")
    overlay.expect_silence(ndp, "2001:db8:1:9::2")  # the default route alone
    expect(ndp.show()["ignored"].get("no_route", 0) >= 1, f"{ndp.show()}")
    ndp.stop()


@scenario()
def routes_that_come_and_go():
    overlay = Overlay()
    ndp = Ndp(overlay.near, overlay.imported())
    ndp.says("answers for")
    target = "2001:db8:1:9::2"
    overlay.expect_silence(ndp, target)
    overlay.near.ip("-6 route add 2001:db8:1:9::/64 dev lan0 table 100")
    overlay.expect_silence(ndp, target)
    overlay.near.ip("-6 rule add to 2001:db8:1:9::/64 lookup 100")
    overlay.expect_answered(target)
    overlay.near.ip("-6 rule del to 2001:db8:1:9::/64 lookup 100")
    overlay.expect_silence(ndp, target)
    overlay.near.ip("-6 route add unreachable 2001:db8:1:8::7/128")
    overlay.expect_silence(ndp, "2001:db8:1:8::7")
    overlay.near.ip("link set lan0 down")
    overlay.expect_silence(ndp, MEMBER)
    ndp.stop()


@scenario()
def a_host_route_is_announced():
    """And the group of the target is joined: this rule needs no more than that."""
    overlay = Overlay()
    rule = '[ndp.up0]\n[[ndp.up0.rule]]\nprefix = "2001:db8:1::/48"\nanswer = "auto"\n'
    overlay.near.ip("-6 addr flush dev lan0 scope global")
    ndp = Ndp(overlay.near, rule)
    ndp.says("answers for")
    with overlay.solicited("2001:db8:1:9::2") as capture:
        capture.expect_none("who answers without a route")
        overlay.near.ip("-6 route add 2001:db8:1:9::2/128 dev lan0")
        capture.wait_for(1, "the announcement", 20)
    shown = ndp.show()
    expect(shown["announcements"] == 1 and shown["groups"] == 1 and not shown["all_multicast"], f"{shown}")
    overlay.expect_answered("2001:db8:1:9::2")
    ndp.stop()


@parametrize([("answers pings", 0), ("drops pings", 1)])
def probes_find_hosts_by_neighbor_discovery_too(drops_pings):
    overlay = Overlay()
    overlay.member.sysctl("net.ipv6.icmp.echo_ignore_all", drops_pings)
    rule = '[ndp.up0]\n[[ndp.up0.rule]]\nprefix = "2001:db8::/32"\nanswer = "probe"\n'
    ndp = Ndp(overlay.near, rule)
    ndp.says("answers for")
    overlay.expect_answered(MEMBER)
    overlay.expect_silence(ndp, "2001:db8:1:8::3")  # nobody has it
    expect(ndp.show()["ignored"].get("probe_unanswered", 0) >= 1, f"{ndp.show()}")
    probes = ndp.show()["probes"]
    overlay.expect_silence(ndp, "2001:db8:77::1")  # by the default route: the world is not probed
    overlay.expect_silence(ndp, f"{PREFIX}:77")  # the asking link itself
    shown = ndp.show()
    expect(shown["probes"] == probes and shown["ignored"].get("route_on_link", 0) >= 1 and
           shown["ignored"].get("no_route", 0) >= 1, f"{shown}")
    ndp.stop()


@scenario()
def flushed_routes_of_a_tunnel_attract_nothing():
    overlay = Overlay()
    overlay.give_tunnel_ends()
    ndp = Ndp(overlay.near, tunnel_to("2001:db8:1:9::/64", "he", "he") + overlay.imported())
    ndp.says("answers for")
    overlay.expect_answered("2001:db8:1:9::2")

    def is_silent():
        overlay.near.ip("-6 route flush dev he")  # culvert adds them again half a second later
        return not overlay.resolve("2001:db8:1:9::2", 1)

    wait_until(is_silent, "silence after the flush", 20)
    ndp.stop()


if __name__ == "__main__":
    run_all()
