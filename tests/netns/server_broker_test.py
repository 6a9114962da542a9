#!/usr/bin/python3
r"""A broker gives hosts without IPv6 an address of its own server's prefix, by 6in4 and by GRE.

    alice 203.0.113.1 --+                                                      +-- host 2001:db8:0:1::9/64
      2001:db8:0:1::2   |                                                      |
      2001:db8:100::5   +-- internet --- 198.51.100.1 server 2001:db8:0:1::100/64 (lan, all neighbors)
    bob 203.0.112.1 ----+                  TUN broker: alice = sit, bob = gre key 7
      2001:db8:0:1::3

The host on the segment has no route to alice or bob: it asks who they are, and the server answers.
"""

from support import traffic
from support.culvert import Culvert
from support.net import Namespace, veth
from support.server import (Internet, expect_nobody, expect_resolved_to, expect_unchanged, forget_neighbor,
                            link_layer_address, start_server, sysctl, wait_for_link_local)
from support.world import expect_equal, run_all, scenario, wait_until

SERVER = """
[device.broker]
address = ["2001:db8:0:1::1/128"]
forwarding = true
[[device.broker.tunnel]]
name = "alice"
mode = "sit"
local = "198.51.100.1"
remote = "203.0.113.1"
prefix = ["2001:db8:0:1::2/128", "2001:db8:100::/56"]
[[device.broker.tunnel]]
name = "bob"
mode = "gre"
key = 7
local = "198.51.100.1"
remote = "203.0.112.1"
prefix = ["2001:db8:0:1::3/128"]
[ndp.lan]
router = true
[[ndp.lan.rule]]
prefix = "2001:db8:0:1::/64"
answer = "auto"
[[ndp.lan.rule]]
prefix = "2001:db8:100::/40"
answer = "auto"
"""
ALICE, ALICE_LAN, BOB, HOST = "2001:db8:0:1::2", "2001:db8:100::5", "2001:db8:0:1::3", "2001:db8:0:1::9"
SYSCTLS = ["net.ipv6.conf.all.forwarding", "net.ipv6.conf.lan.forwarding", "net.ipv6.conf.lan.accept_ra"]


class Broker:
    def __init__(self, toml=SERVER):
        internet = Internet()
        self.server, self.alice, self.bob, self.host = (Namespace(name) for name in ("server", "alice", "bob", "host"))
        internet.connect(self.server, "198.51.100")
        internet.connect(self.alice, "203.0.113")
        internet.connect(self.bob, "203.0.112")
        veth(self.server, self.host, "2001:db8:0:1::100/64", f"{HOST}/64", left_name="lan", right_name="eth0")
        self.host.ip("-6 route add 2001:db8:100::/40 dev eth0")
        wait_for_link_local(self.server, "lan")
        self.before = {name: sysctl(self.server, name) for name in SYSCTLS}
        self.culvert = start_server(self.server, toml)
        self.mac = link_layer_address(self.server, "lan")
        self.clients = [
            Culvert(self.alice, f"tun mode sit remote 198.51.100.1 local 203.0.113.1 address {ALICE}/128 "
                                f"address {ALICE_LAN}/128 route ::/0"),
            Culvert(self.bob, f"tun mode gre key 7 remote 198.51.100.1 local 203.0.112.1 address {BOB}/128 "
                              "route ::/0")]

    def stop(self):
        for end in (*self.clients, self.culvert):
            end.expect_conserved()
            end.stop()
        expect_unchanged(self.server, self.before)


@scenario()
def clients_reach_a_host_that_knows_them_by_neighbor_discovery_only():
    broker = Broker()
    for client in (broker.alice, broker.bob):
        traffic.ping(client, HOST, "56-60,1280,1400")
    expect_resolved_to(broker.host, ALICE, broker.mac)
    expect_resolved_to(broker.host, BOB, broker.mac)
    traffic.tcp(broker.alice, broker.host, HOST, 20 << 20)
    traffic.tcp(broker.bob, broker.host, HOST, 20 << 20)
    broker.stop()


@scenario()
def the_host_reaches_the_clients():
    broker = Broker()
    for address in (ALICE, ALICE_LAN, BOB):
        forget_neighbor(broker.host, address)
        traffic.ping(broker.host, address, "56-60,1280,1400")
        expect_resolved_to(broker.host, address, broker.mac)
    traffic.tcp(broker.host, broker.alice, ALICE_LAN, 20 << 20)
    traffic.tcp(broker.host, broker.bob, BOB, 20 << 20)
    broker.stop()


@scenario()
def clients_reach_each_other():
    broker = Broker()
    traffic.ping(broker.alice, BOB, "56-60,1280,1400")
    traffic.ping(broker.bob, ALICE_LAN, "56-60,1280,1400")
    traffic.tcp(broker.bob, broker.alice, ALICE, 5 << 20)
    broker.stop()


@scenario()
def who_is_not_behind_a_tunnel_is_not_answered_for():
    broker = Broker()
    for address in ("2001:db8:0:1::4", "2001:db8:100:100::1"):
        expect_nobody(broker.host, broker.culvert, address)
    broker.stop()


@scenario()
def a_client_sends_from_its_own_addresses_only():
    """RFC 2827: bob uses an address of alice."""
    broker = Broker()
    broker.bob.ip(f"addr add {ALICE}/128 dev tun")
    for address in (BOB, ALICE):  # the last one added would be chosen, so each is named
        broker.bob.ip(f"-6 route replace {HOST}/128 dev tun src {address}")
        lost = traffic.ping_lost(broker.bob, HOST, "56,57,58", timeout=5 if address == BOB else 0.3)
        expect_equal(lost, [] if address == BOB else [56, 57, 58], f"pings from {address}")
    wait_until(lambda: broker.culvert.drops().get("inner_source_not_accepted", 0) >= 3, "drops of what is not bob's")
    broker.stop()


run_all()
