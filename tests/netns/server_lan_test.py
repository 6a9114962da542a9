#!/usr/bin/python3
r"""A router without IPv6 gets it through a GRE tunnel from a router that has a /64 on its uplink, and no more.

    pc 2001:db8:f:0:1::50/80 --- home 203.0.113.1 === GRE === 198.51.100.1 office (uplink) --- gateway 2001:db8:f::1/64
                                  (lan) 2001:db8:f:0:1::1/80             2001:db8:f::2/64

The gateway believes that the whole /64 is on its link: it asks for the PC, and is answered once the PC has been heard.
"""

from support import traffic
from support.culvert import Culvert
from support.net import Namespace, veth
from support.server import (Internet, expect_nobody, expect_resolved_to, expect_unchanged, forget_neighbor,
                            link_layer_address, start_server, sysctl, wait_for_link_local)
from support.world import parametrize, run_all, scenario

PC, GATEWAY = "2001:db8:f:0:1::50", "2001:db8:f::1"
OFFICE = """
[device.tun]
forwarding = true
[[device.tun.tunnel]]
name = "home"
mode = "gre"
local = "198.51.100.1"
remote = "203.0.113.1"
prefix = ["2001:db8:f:0:1::/80"]
[ndp.uplink]
router = true
[[ndp.uplink.rule]]
prefix = "2001:db8:f:0:1::/80"
answer = "{answer}"
"""
SYSCTLS = ["net.ipv6.conf.all.forwarding", "net.ipv6.conf.uplink.forwarding", "net.ipv6.conf.uplink.accept_ra"]


class House:
    def __init__(self, answer):
        internet = Internet()
        self.pc, self.home, self.office, self.gateway = (Namespace(name) for name in
                                                         ("pc", "home", "office", "gateway"))
        internet.connect(self.home, "203.0.113")
        internet.connect(self.office, "198.51.100")
        veth(self.home, self.pc, "2001:db8:f:0:1::1/80", f"{PC}/80", left_name="lan", right_name="eth0")
        veth(self.office, self.gateway, "2001:db8:f::2/64", f"{GATEWAY}/64", left_name="uplink", right_name="eth0")
        self.pc.ip("-6 route add default via 2001:db8:f:0:1::1")
        self.home.forwards()
        wait_for_link_local(self.office, "uplink")
        self.before = {name: sysctl(self.office, name) for name in SYSCTLS}
        self.culvert = start_server(self.office, OFFICE.format(answer=answer))
        self.mac = link_layer_address(self.office, "uplink")
        self.culvert_home = Culvert(self.home, "tun mode gre remote 198.51.100.1 local 203.0.113.1 route ::/0")

    def stop(self):
        for end in (self.culvert_home, self.culvert):
            end.expect_conserved()
            end.stop()
        expect_unchanged(self.office, self.before)


@parametrize([(answer, answer) for answer in ("static", "auto", "probe")])
def the_gateway_reaches_the_pc(answer):
    house = House(answer)
    traffic.ping(house.gateway, PC, "56-60,1280,1400")
    expect_resolved_to(house.gateway, PC, house.mac)
    traffic.tcp(house.gateway, house.pc, PC, 20 << 20)
    forget_neighbor(house.gateway, PC)
    traffic.ping(house.pc, GATEWAY, "56-60,1280,1400")
    traffic.tcp(house.pc, house.gateway, GATEWAY, 20 << 20)
    house.stop()


@scenario()
def who_does_not_answer_the_probe_is_not_answered_for():
    house = House("probe")
    nobody = "2001:db8:f:0:1::99"
    expect_nobody(house.gateway, house.culvert, nobody, ("probe_unanswered", "probe_known_dead"))
    traffic.ping(house.gateway, PC, "56")
    house.stop()


run_all()
