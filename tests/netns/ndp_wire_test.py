#!/usr/bin/python3
r"""`interface` and `wire` of a rule: the same /64 on the link that asks and on bridges behind this host.

    host 2001:db8:0:1::aa eth0 --- up0 near, culvert lan0, lan1, lan2 --- eth0 first, second, third
"""

import ipaddress
import os
import signal

from support import traffic
from support.culvert import program
from support.ndp import PREFIX, Link, Ndp
from support.net import Namespace, veth
from support.wire import Capture
from support.world import WORK, expect, expect_equal, parametrize, run_all, scenario, wait_until

PROTOCOL = 141
MEMBER = f"{PREFIX}:5"
NDPPD = f"""proxy up0 {{
  autowire yes
  timeout 100
  ttl 800
  deadtime 100
  rule {PREFIX}:/64 {{ iface lan0 }}
  rule {PREFIX}:/64 {{ iface lan1 }}
  rule {PREFIX}:/64 {{ iface lan2 }}
}}
"""


def solicits_member(frame):
    return frame.protocol == 58 and frame.ip[40] == 135 and frame.ip[48:64] == ipaddress.IPv6Address(MEMBER).packed


class Bridges(Link):
    """The kernel's route to the /64 is the link that asks."""

    def __init__(self, count):
        super().__init__()
        self.near.ip(f"addr add {PREFIX}:2/64 dev up0 nodad metric 100")  # its route is the better one
        self.near.sysctl("net.ipv6.conf.all.forwarding", 1)
        self.members = [Namespace(name) for name in ("first", "second", "third")[:count]]
        for i, member in enumerate(self.members):
            veth(self.near, member, f"{PREFIX}:e{i}/64", None, f"lan{i}", "eth0")
            member.ip(f"-6 route add default via {PREFIX}:e{i} dev eth0 onlink")

    def place(self, index, address=MEMBER):
        """The host lives on this link, and on no other."""
        for member in self.members:
            member.ip(f"addr del {address}/128 dev eth0", check=False)
        self.members[index].ip(f"addr add {address}/128 dev eth0 nodad")

    def wired(self):
        routes = self.near.ip_json(f"-6 route show proto {PROTOCOL}")
        return {route["dst"]: route["dev"] for route in routes}

    def expect_wired(self, expected):
        wait_until(lambda: self.wired() == expected, f"routes {expected}, not {self.wired()}", 20, 0.02)


def rule(interfaces, *, wire=False, alive_ttl=30000):
    return f"""
[ndp.up0]
[ndp.up0.probe]
timeout = 100
alive_ttl = {alive_ttl}
dead_ttl = 100
[[ndp.up0.rule]]
prefix = "{PREFIX}:/64"
answer = "probe"
interface = {interfaces}
wire = {"true" if wire else "false"}
"""


@scenario()
def solicits_leave_by_the_interface_of_the_rule_only():
    bridges = Bridges(1)
    bridges.place(0)
    ndp = Ndp(bridges.near, rule('"lan0"'))
    ndp.says(f"answers for {PREFIX}:/64 (probe on lan0)")
    with Capture(bridges.host, "eth0", solicits_member) as upstream, \
            Capture(bridges.members[0], "eth0", solicits_member) as downstream:
        bridges.expect_answered(MEMBER)
        downstream.wait_for(1, "a solicitation on lan0", 10)
        upstream.expect_none("solicitations to the link that asks")
    bridges.expect_silence(ndp, f"{PREFIX}:6")
    expect_equal(bridges.wired(), {}, "routes without wire")
    ndp.stop()


@parametrize([("SIGTERM", signal.SIGTERM), ("SIGINT", signal.SIGINT)])
def routes_follow_hosts_and_end_with_culvert(number):
    """ndppd.conf with the same /64 on three interfaces, unchanged."""
    bridges = Bridges(3)
    bridges.place(1)
    source = f"{WORK}/ndppd.conf"
    with open(source, "w") as file:
        file.write(NDPPD)
    imported = bridges.near.run([program(), "import", "ndppd", source])
    ndp = Ndp(bridges.near, imported.stdout)
    ndp.says("(probe on lan0, lan1, lan2)")
    bridges.expect_answered(MEMBER)
    bridges.expect_wired({MEMBER: "lan1"})
    traffic.ping(bridges.host, MEMBER, "56")
    expect_equal(ndp.show()["wired"], [{"address": MEMBER, "interface": "lan1"}], "wired hosts in show")
    text = bridges.near.run([ndp.program, "show", "--control", ndp.control]).stdout
    expect(f"wired {MEMBER} dev lan1" in text, text)
    bridges.place(2)  # nobody solicits it, and its route follows it
    bridges.expect_wired({MEMBER: "lan2"})
    bridges.members[2].ip(f"addr del {MEMBER}/128 dev eth0")
    bridges.expect_wired({})
    bridges.place(0)
    wait_until(lambda: bridges.resolve(MEMBER, 0.5) == bridges.mac(), "an answer where the host is now", 20)
    bridges.expect_wired({MEMBER: "lan0"})
    ndp.stop(number)
    expect_equal(bridges.wired(), {}, "routes after the end")


@scenario()
def routes_of_others_stay_and_a_reload_removes_ours():
    bridges = Bridges(2)
    bridges.place(0)
    bridges.place(1, f"{PREFIX}:6")
    bridges.near.ip(f"-6 route add {PREFIX}:6/128 dev lan0 proto static")
    ndp = Ndp(bridges.near, rule('["lan0", "lan1"]', wire=True))
    ndp.says("answers for")
    bridges.expect_answered(MEMBER)
    bridges.expect_answered(f"{PREFIX}:6")
    bridges.expect_wired({MEMBER: "lan0"})
    expect(ndp.show()["routes_refused"] >= 1, f"{ndp.show()}")
    ndp.write(rule('["lan0", "lan1"]'))
    os.kill(ndp.process.pid, signal.SIGHUP)
    ndp.says("reloaded")
    bridges.expect_wired({})
    ndp.stop()
    expect_equal([route["dev"] for route in bridges.near.ip_json("-6 route show proto static")], ["lan0"],
                 "the route that is not ours")


@scenario()
def a_crash_leaves_nothing_for_long():
    """The next start removes the routes, and the kernel does so without one."""
    bridges = Bridges(2)
    bridges.place(0)
    first = Ndp(bridges.near, rule('["lan0", "lan1"]', wire=True))
    first.says("answers for")
    bridges.expect_answered(MEMBER)
    bridges.expect_wired({MEMBER: "lan0"})
    first.process.kill()
    expect_equal(bridges.wired(), {MEMBER: "lan0"}, "routes after SIGKILL")
    shown = bridges.near.ip(f"-6 route show proto {PROTOCOL}").stdout
    expect("expires" in shown, f"no lifetime: {shown}")
    bridges.near.ip(f"-6 route add {PREFIX}:7/128 dev lan0 proto static")
    second = Ndp(bridges.near, rule('["lan0", "lan1"]', wire=True), name="second")
    second.says("answers for")
    expect_equal(bridges.wired(), {}, "routes after the next start")
    expect_equal(len(bridges.near.ip_json("-6 route show proto static")), 1, "routes that are not ours")
    second.stop()


@scenario()
def two_processes_leave_each_others_routes():
    bridges = Bridges(2)
    bridges.place(0)
    first = Ndp(bridges.near, rule('["lan0", "lan1"]', wire=True))
    first.says("answers for")
    bridges.expect_answered(MEMBER)
    bridges.expect_wired({MEMBER: "lan0"})
    events = bridges.near.start(["ip", "-6", "monitor", "route"], "monitor")
    second = Ndp(bridges.near, rule('["lan0", "lan1"]', wire=True), name="second")
    second.says("answers for")
    wait_until(lambda: bridges.resolve(MEMBER) and second.show()["wired"], "the second one's route", 20)
    expect_equal(len(bridges.near.ip_json(f"-6 route show proto {PROTOCOL}")), 2, "routes, one of each process")
    second.stop()
    first.process.kill()
    third = Ndp(bridges.near, rule('["lan0", "lan1"]', wire=True), name="third")
    third.says("answers for")
    expect_equal(bridges.wired(), {}, "routes after the first one's end")
    wait_until(lambda: events.stdout().count("Deleted") >= 2, "two routes to be removed", 20)
    deleted = [line.split("metric ")[1].split()[0] for line in events.stdout().splitlines() if "Deleted" in line]
    expect_equal(deleted, ["1025", "1024"], "the metrics of the routes that were removed, in their order")
    events.kill()
    third.stop()


if __name__ == "__main__":
    run_all()
