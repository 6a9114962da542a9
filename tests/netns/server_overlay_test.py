#!/usr/bin/python3
r"""A prefix of the overlay, a /48, served on a segment for clients that come and go.

    one 203.0.113.1   2001:db8:500:1::1/64 --+
    two 203.0.112.1   2001:db8:500:2::1/64 --+-- internet --- 198.51.100.1 server (lan) --- host 2001:db8:9::9/64,
    three 203.0.111.1 2001:db8:500:3::1/64 --+                                                2001:db8:500::/48 on-link
"""

from support import traffic
from support.culvert import Culvert
from support.net import Namespace, veth
from support.server import (Internet, ask, expect_nobody, expect_resolved_to, forget_neighbor, link_layer_address,
                            start_server, wait_for_link_local, write_config)
from support.world import expect, run_all, scenario, wait_until

SERVER = """
[device.overlay]
address = ["2001:db8:500::1/128"]
forwarding = true
[[device.overlay.tunnel]]
name = "one"
mode = "sit"
local = "198.51.100.1"
remote = "203.0.113.1"
prefix = ["2001:db8:500:1::/64"]
[ndp.lan]
router = true
[[ndp.lan.rule]]
prefix = "2001:db8:500::/48"
answer = "auto"
except = ["2001:db8:500:3:8000::/65"]
"""
NETWORKS = {"one": "203.0.113", "two": "203.0.112", "three": "203.0.111"}


def address(number):
    return f"2001:db8:500:{number}::1"


class Overlay:
    def __init__(self):
        internet = Internet()
        self.server, self.host = Namespace("server"), Namespace("host")
        internet.connect(self.server, "198.51.100")
        veth(self.server, self.host, "2001:db8:9::1/64", "2001:db8:9::9/64", left_name="lan", right_name="eth0")
        self.host.ip("-6 route add 2001:db8:500::/48 dev eth0")
        wait_for_link_local(self.server, "lan")
        self.culvert = start_server(self.server, SERVER)
        self.mac = link_layer_address(self.server, "lan")
        self.clients = {}
        for number, (name, network) in enumerate(NETWORKS.items(), 1):
            client = self.clients[name] = Namespace(name)
            internet.connect(client, network)
            Culvert(client, f"tun mode sit remote 198.51.100.1 local {network}.1 address {address(number)}/64 "
                            "route ::/0")

    def add(self, name, number):
        ask(self.culvert, "tunnel", "add", "overlay", name, "mode", "sit", "local", "198.51.100.1", "remote",
            f"{NETWORKS[name]}.1", "prefix", f"2001:db8:500:{number}::/64")

    def expect_absent(self, number):
        forget_neighbor(self.host, address(number))
        expect_nobody(self.host, self.culvert, address(number))

    def expect_present(self, number):
        forget_neighbor(self.host, address(number))
        traffic.ping(self.host, address(number), "56,1280")
        expect_resolved_to(self.host, address(number), self.mac)


@scenario()
def clients_come_and_go():
    overlay = Overlay()
    overlay.expect_present(1)
    overlay.expect_absent(2)
    beside = traffic.start(overlay.host, "ping", to=address(1), sizes=",".join(["100"] * 400), window=1, timeout=5)
    overlay.add("two", 2)
    overlay.expect_present(2)
    overlay.add("three", 3)
    overlay.expect_present(3)
    traffic.ping(overlay.clients["two"], address(3), "56,1280")
    ask(overlay.culvert, "tunnel", "del", "overlay", "two")
    overlay.expect_absent(2)
    overlay.expect_present(3)
    overlay.add("two", 2)
    overlay.expect_present(2)
    ask(overlay.culvert, "tunnel", "set", "overlay", "three", "down")
    overlay.expect_absent(3)
    ask(overlay.culvert, "tunnel", "set", "overlay", "three", "up")
    overlay.expect_present(3)
    answers = traffic.finish(beside, 60)
    expect(not answers["lost"] and answers["received"] == 400, f"the client who stayed: {answers}")
    overlay.culvert.expect_conserved()
    overlay.culvert.stop()


@scenario()
def what_is_excepted_is_not_answered_for():
    overlay = Overlay()
    overlay.add("three", 3)
    outside = "2001:db8:500:3:8000::7"
    overlay.clients["three"].ip(f"addr add {outside}/128 dev tun")
    overlay.expect_present(3)
    expect_nobody(overlay.host, overlay.culvert, outside)
    overlay.culvert.stop()


@scenario()
def a_client_in_the_file_comes_by_reload():
    overlay = Overlay()
    overlay.expect_absent(2)
    write_config(overlay.server, SERVER + '[[device.overlay.tunnel]]\nname = "two"\nmode = "sit"\n'
                 'local = "198.51.100.1"\nremote = "203.0.112.1"\nprefix = ["2001:db8:500:2::/64"]\n')
    ask(overlay.culvert, "reload")
    overlay.expect_present(2)
    counted = {t["name"]: t["in_packets"] for t in overlay.culvert.show()["tunnels"]}
    expect(counted["two"] > 0, f"packets: {counted}")
    write_config(overlay.server, SERVER)
    overlay.culvert.send_signal(1)  # SIGHUP
    wait_until(lambda: len(overlay.culvert.show()["tunnels"]) == 1, "the tunnel to go")
    overlay.expect_absent(2)
    overlay.expect_present(1)
    overlay.culvert.stop()


run_all()
