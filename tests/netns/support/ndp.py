r"""An NDP proxy and a link with a real kernel's host, which asks by ndisc6 and by its own stack.

    host 2001:db8:0:1::aa eth0 --- veth --- up0 near, culvert: [ndp.up0] answers for 2001:db8:0:1::/64
"""

import contextlib
import ipaddress
import json
import os
import signal
import socket
import struct

from .culvert import IO, launcher, program
from .net import Namespace, veth
from .traffic_tool import internet_checksum
from .wire import Capture, Injector
from .world import WORK, Failure, expect, expect_equal, wait_until

PREFIX = "2001:db8:0:1:"
ECHO_REQUEST, SOLICITATION, ADVERTISEMENT = 128, 135, 136
STATIC = f"""
[ndp.up0]
except = ["{PREFIX}:e00/120"]
[[ndp.up0.rule]]
prefix = "{PREFIX}:/64"
answer = "static"
"""
AUTO = STATIC.replace("static", "auto")


def tunnel_to(prefix, device="broker", name="alice"):
    """The TOML of a tunnel by `Link.give_tunnel_ends`; no `prefix`: it carries everything."""
    return f"""
[device.{device}]
[[device.{device}.tunnel]]
name = "{name}"
mode = "sit"
local = "192.0.2.1"
remote = "192.0.2.2"
""" + (f'prefix = ["{prefix}"]\n' if prefix else "")


class Ndp:
    """`culvert run --config` with ndp sections. `name`: of its files, if there are several."""

    def __init__(self, namespace, toml, name="ndp", io=IO):
        self.namespace, self.path, self.control = namespace, f"{WORK}/{name}.toml", f"{WORK}/{name}.socket"
        self.program = program()
        self.write(toml)
        self.process = namespace.start(
            [*launcher(io), program(), "run", "--config", self.path, "--control", self.control], name="culvert-ndp")

    def write(self, toml):
        with open(self.path, "w") as file:
            file.write(toml)

    def says(self, text, times=1):
        def said():
            expect(self.process.alive(), f"it ended: {self.process.stdout()}{self.process.stderr()}")
            return self.process.stdout().count(text) >= times

        wait_until(said, f"{times} times {text!r}", interval=0.02)

    def show(self):
        shown = self.namespace.run([program(), "show", "--json", "--control", self.control], name="show").stdout
        return json.loads(shown)["ndp"][0]

    def stop(self, number=signal.SIGTERM):
        os.kill(self.process.pid, number)
        result = self.process.wait()
        expect_equal(result.status, 0, f"exit status after signal {number}: {result}")
        return result


def address_bytes(text):
    return socket.inet_pton(socket.AF_INET6, text)


def ignored(ndp):
    return sum(ndp.show()["ignored"].values())


def link_local_of(namespace, interface):
    found = namespace.ip_json(f"-6 addr show dev {interface}")[0]["addr_info"]
    return next(each["local"] for each in found if each["scope"] == "link")


class Link:
    """near and a host on one link; near has no address in the prefix but the link-local one."""

    def __init__(self, joined=True):
        self.near, self.host = Namespace("near"), Namespace("host")
        if joined:
            self.join()

    def join(self):
        veth(self.near, self.host, None, f"{PREFIX}:aa/64", "up0", "eth0")

    def make_anew(self):
        """Another up0 with the index and the link-layer address of this one, at once."""
        found = self.near.ip_json("link show dev up0")[0]
        self.near.ip_batch(
            "link del up0", f"link add up0 index {found['ifindex']} address {found['address']} type veth "
                            f"peer name eth0 netns {self.host.name}", "link set up0 up")
        self.host.ip_batch(f"addr add {PREFIX}:aa/64 dev eth0", "link set eth0 up")
        wait_until(lambda: self.near.is_up("up0") and self.host.is_up("eth0"), "the veth pair to come up", 20, 0.01)

    def give_tunnel_ends(self):
        """What a tunnel of `tunnel_to` needs to come up."""
        self.near.ip("addr add 192.0.2.1/32 dev lo")
        self.near.ip("route add 192.0.2.2 dev lo")

    def mac(self):
        return self.near.ip_json("link show dev up0")[0]["address"].lower()

    def link_local(self):
        """The host's own."""
        return link_local_of(self.host, "eth0")

    def near_link_local(self):
        return link_local_of(self.near, "up0")

    def all_multicast(self):
        return self.near.ip_json("-d link show dev up0")[0]["allmulti"]

    def joins_solicited_node_group_of_5(self):
        found = self.near.ip_json("-6 maddr show dev up0")[0]["maddr"]
        return any(each.get("address") == "ff02::1:ff00:5" for each in found)

    @contextlib.contextmanager
    def solicited(self, target):
        """A capture of the advertisements that answer ndisc6's one solicitation."""
        # ndisc6 itself shows only advertisements whose source is the target, which no proxy's is.
        wanted = ipaddress.IPv6Address(target).packed
        with Capture(self.host, "eth0", lambda frame: frame.protocol == 58 and frame.ip[40] == ADVERTISEMENT and
                     frame.ip[48:64] == wanted) as capture:
            asking = self.host.start(["ndisc6", "-1", "-q", "-r", "1", "-w", "60000", target, "eth0"])
            yield capture
            asking.kill()
            asking.forget()

    def resolve(self, target, seconds=0.3):
        """The link-layer address in the answer; nothing if nobody answers for so long."""
        with self.solicited(target) as capture:
            try:
                return capture.wait_for(1, "an advertisement", seconds)[0].ip[66:72].hex(":")
            except Failure:
                return ""

    def expect_believed(self, target):
        """The host's kernel takes the answer for the target's link-layer address."""
        self.host.ip(f"-6 neigh flush to {target} dev eth0")
        asking = self.host.start(["ping", "-6", "-i", "0.2", target])

        def known():
            entries = self.host.ip_json(f"-6 neigh show to {target} dev eth0")
            return entries and entries[0].get("lladdr") and entries[0]

        entry = wait_until(known, f"what the host's kernel has for {target}", 20, 0.01)
        asking.kill()
        expect_equal(entry["lladdr"], self.mac(), f"what the host's kernel has for {target}")
        expect("router" in entry, f"the R flag did not come: {entry}")

    def expect_answered(self, target):
        """Asked again for a while: the first that is asked may be another, or none."""
        wait_until(lambda: self.resolve(target, 5) == self.mac(), f"an answer for {target}", 20)

    def expect_silence(self, ndp, target):
        """The proxy has seen the solicitation, and nobody answers."""
        before = ignored(ndp)
        with self.solicited(target) as capture:
            wait_until(lambda: ignored(ndp) > before, f"the solicitation for {target} to be ignored", interval=0.01)
            capture.expect_none(f"who answers for {target}")

    def tentative(self, address):
        """How duplicate address detection of the host's kernel ends: 'failed' or 'free'."""
        self.host.sysctl("net.ipv6.conf.eth0.accept_dad", 1)
        self.host.ip(f"addr add {address}/64 dev eth0")

        def ended():
            shown = [a for a in self.host.ip_json("-6 addr show dev eth0")[0]["addr_info"] if a["local"] == address]
            if shown and shown[0].get("dadfailed"):
                return "failed"
            return "free" if shown and not shown[0].get("tentative") else None

        return wait_until(ended, "the end of duplicate address detection", 30)

    def advertise(self, target, mac, flags):
        """Sends near one advertisement of a host that is not there. `flags`: R 0x80, S 0x40, O 0x20."""
        body = struct.pack("!BBHI", ADVERTISEMENT, 0, 0, flags << 24) + address_bytes(target)
        body += b"\2\1" + bytes.fromhex(mac.replace(":", ""))
        self._send("33:33:00:00:00:01", target, "ff02::1", body)

    def solicit_unicast(self, target, source):
        """Sends one solicitation to near for `target`, as neighbor unreachability detection does (RFC 4861 7.3.3)."""
        self._send(self.mac(), source, target, struct.pack("!BBHI", SOLICITATION, 0, 0, 0) + address_bytes(target))

    def _send(self, to_mac, source, destination, body):
        """Sends an ICMPv6 message from the host's interface, with hop limit 255 and its checksum."""
        addresses = address_bytes(source) + address_bytes(destination)
        body = body[:2] + struct.pack("!H", internet_checksum(
            addresses + struct.pack("!IxxxB", len(body), 58) + body)) + body[4:]
        injector = Injector(self.host, "eth0", to_mac)
        injector.send(struct.pack("!IHBB", 6 << 28, len(body), 58, 255) + addresses + body)
        injector.socket.close()
