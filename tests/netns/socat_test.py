#!/usr/bin/python3
r"""socat as a foreign 6in4 end: the tool that people use today.

    near: culvert 192.0.2.1 --- veth --- 192.0.2.2 far: socat TUN to raw IPv4 protocol 41
          TUN tun fd00::1/64 ............ TUN foreign fd00::2/64
"""

from support import traffic
from support.culvert import Culvert
from support.net import Namespace, veth
from support.world import expect_equal, run_all, scenario, wait_until

NEAR, FAR, MTU = "192.0.2.1", "192.0.2.2", 1480


@scenario()
def pings_tcp_and_udp():
    near, far = Namespace("near"), Namespace("far")
    veth(near, far, f"{NEAR}/24", f"{FAR}/24")
    far.start(["socat", "-b", "65536", "TUN,tun-name=foreign,tun-type=tun,iff-no-pi,iff-up",
               f"IP4-DATAGRAM:{NEAR}:41,bind={FAR},rcvbuf=4000000"])
    wait_until(lambda: far.link_exists("foreign"), "socat's device")
    far.ip(f"link set dev foreign mtu {MTU}")
    far.ip("addr add fd00::2/64 dev foreign")
    culvert = Culvert(near, f"tun mode sit remote {FAR} local {NEAR} ttl 64 address fd00::1/64")

    for place, to in ((near, "fd00::2"), (far, "fd00::1")):
        traffic.ping(place, to, f"56-200,575-577,1279-1281,{MTU - 20}-{MTU}")
        traffic.ping(place, to, f"{MTU + 1},4000,16000", window=2)
    traffic.tcp(near, far, "fd00::2", 8 << 20)
    traffic.tcp(far, near, "fd00::1", 8 << 20)
    traffic.expect_exactly_once(traffic.udp(near, far, "fd00::2", count=2000, flows=2, bytes=100, rate=1000, window=64))
    expect_equal(culvert.drops(), {}, "drops")
    culvert.expect_conserved()
    culvert.stop()


run_all()
