"""What the stories of a tunnel server share: files, hosts that find each other by neighbor discovery only."""

import json

from . import traffic
from .culvert import Culvert, program
from .net import Namespace, veth
from .world import WORK, expect, expect_equal, wait_until


def write_config(namespace, toml):
    """The file of the culvert in this namespace; returns its path."""
    path = f"{WORK}/{namespace.name}.toml"
    with open(path, "w") as file:
        file.write(toml)
    return path


def start_server(namespace, toml, **how):
    """`culvert run --config` with this text."""
    return Culvert(namespace, ["--config", write_config(namespace, toml)], **how)


def ask(culvert, *words, check=True):
    """`culvert WORDS` to the running process."""
    return culvert.namespace.run([program(), *words, "--control", culvert.control], name=words[0], check=check)


class Internet:
    """A router that knows IPv4 only. Each end gets a /24 of its own: end .1, router .254."""

    def __init__(self):
        self.namespace = Namespace("internet")
        self.namespace.sysctl("net.ipv4.ip_forward", 1)
        self.namespace.sysctl("net.ipv6.conf.all.disable_ipv6", 1)

    def connect(self, end, network, interface="wan", metric=0, addresses=(1,)):
        """`end` gets NETWORK.1 and so on; its default route leads here. Returns the first address."""
        veth(end, self.namespace, [f"{network}.{last}/24" for last in addresses], f"{network}.254/24",
             left_name=interface, right_name=f"to_{end.name}_{interface}"[:15])
        end.ip(f"route add default via {network}.254 dev {interface} metric {metric}")
        return f"{network}.{addresses[0]}"


def link_layer_address(namespace, interface):
    return namespace.ip_json(f"link show dev {interface}")[0]["address"]


def neighbor(namespace, address):
    """The link-layer address under which a namespace knows a neighbor; None: it does not."""
    entries = namespace.ip_json(f"-6 neigh show {address}")
    return entries[0].get("lladdr") if entries else None


def forget_neighbor(namespace, address):
    """This one alone: a packet that waits for another's answer would be lost with its entry."""
    namespace.ip(f"-6 neigh flush to {address}", check=False)


def ignored(culvert, reasons):
    """How many solicitations its proxy has seen and not answered for one of the reasons."""
    shown = json.loads(ask(culvert, "show", "--json").stdout)["ndp"]
    return sum(one["ignored"].get(reason, 0) for one in shown for reason in reasons)


def expect_nobody(host, culvert, address, reasons=("no_rule", "excepted", "no_route", "route_on_link", "no_tunnel",
                                                   "tunnel_down")):
    """A ping of the address by a neighbor is lost: the proxy sees who is asked for, and decides not to answer."""
    before = ignored(culvert, reasons)
    lost = traffic.ping_lost(host, address, "56", timeout=0.3)
    wait_until(lambda: ignored(culvert, reasons) > before, f"the solicitation for {address}", 20)
    expect_equal(lost, [56], f"ping of {address}")
    expect(neighbor(host, address) is None, f"{address} has a neighbor")


def expect_resolved_to(namespace, address, wanted):
    expect_equal(neighbor(namespace, address), wanted, f"who {address} is for {namespace.name}")


def wait_for_link_local(namespace, interface):
    wait_until(lambda: any(a["scope"] == "link" and not a.get("tentative") for a in
                           namespace.ip_json(f"-6 addr show dev {interface}")[0]["addr_info"]),
               f"{interface} of {namespace.name} to have a link-local address")


def sysctl(namespace, name):
    return namespace.run(["sysctl", "-n", name]).stdout.strip()


def expect_unchanged(namespace, before):
    """`before`: {sysctl: value}."""
    now = {name: sysctl(namespace, name) for name in before}
    expect(now == before, f"sysctls were {before}, and are {now}")
