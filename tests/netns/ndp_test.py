#!/usr/bin/python3
r"""The NDP proxy follows its interface, and a real kernel host believes it: ndisc6, and the kernel's own
duplicate address detection.

    host 2001:db8:0:1::aa eth0 --- veth --- up0 near, culvert: [ndp.up0] answers for 2001:db8:0:1::/64

Nothing but the proxy answers for what is behind near, so that every answer is culvert's.
"""

import contextlib
import ipaddress
import json
import os
import signal

from support.culvert import launcher, program
from support.net import Namespace, veth
from support.wire import Capture
from support.world import WORK, Failure, expect, expect_equal, parametrize, run_all, scenario, wait_until

PREFIX = "2001:db8:0:1:"
ADVERTISEMENT = 136
STATIC = f"""
[ndp.up0]
except = ["{PREFIX}:e00/120"]
[[ndp.up0.rule]]
prefix = "{PREFIX}:/64"
answer = "static"
"""


class Ndp:
    """`culvert run --config` with ndp sections. `devices`: names of the tunnel devices in it."""

    def __init__(self, namespace, toml):
        self.namespace, self.path, self.control = namespace, f"{WORK}/ndp.toml", f"{WORK}/ndp.socket"
        self.write(toml)
        self.process = namespace.start(
            [*launcher(), program(), "run", "--config", self.path, "--control", self.control], name="culvert-ndp")

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


def ignored(ndp):
    return sum(ndp.show()["ignored"].values())


class Link:
    """near and a host on one link; near has no address in the prefix but the link-local one."""

    def __init__(self, joined=True):
        self.near, self.host = Namespace("near"), Namespace("host")
        if joined:
            self.join()

    def join(self):
        veth(self.near, self.host, None, f"{PREFIX}:aa/64", "up0", "eth0")

    def mac(self):
        return self.near.ip_json("link show dev up0")[0]["address"].lower()

    def all_multicast(self):
        return self.near.ip_json("-d link show dev up0")[0]["allmulti"]

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


@scenario()
def an_interface_that_comes_late_and_goes_and_comes_again():
    link = Link(joined=False)
    ndp = Ndp(link.near, STATIC)
    ndp.says("culvert: ndp up0 waits: there is no such interface")
    expect_equal(ndp.show()["state"], "waiting", "state")
    link.join()
    ndp.says("culvert: ndp up0 answers for 2001:db8:0:1::/64 (static); all-multicast")
    link.expect_answered(f"{PREFIX}:5")
    link.expect_believed(f"{PREFIX}:5")
    answers = ndp.show()["answers"]
    expect(answers >= 1, f"{answers} answers are counted")
    link.near.ip("link del up0")
    ndp.says("waits: there is no such interface", 2)
    link.join()
    ndp.says("answers for", 2)
    link.expect_answered(f"{PREFIX}:6")
    expect(ndp.show()["answers"] > answers, "the counters began anew")
    ndp.stop()


@scenario()
def another_link_layer_address():
    link = Link()
    ndp = Ndp(link.near, STATIC)
    ndp.says("answers for")
    link.expect_answered(f"{PREFIX}:5")
    link.near.ip("link set up0 address 02:00:00:00:00:77")
    wait_until(lambda: link.resolve(f"{PREFIX}:5") == "02:00:00:00:00:77", "an answer with the new address")
    ndp.stop()


@scenario()
def own_addresses_are_the_kernels():
    link = Link()
    ndp = Ndp(link.near, STATIC)
    ndp.says("answers for")
    link.near.ip(f"addr add {PREFIX}:5/64 dev up0")
    link.near.sysctl("net.ipv6.conf.up0.forwarding", 0)

    def left_to_the_kernel():
        link.resolve(f"{PREFIX}:5")  # by nobody, while the kernel looks whether it is free
        return ndp.show()["ignored"].get("own_address", 0) > 0

    wait_until(left_to_the_kernel, "the counter of solicitations for own addresses")
    link.expect_answered(f"{PREFIX}:5")
    link.near.ip(f"addr del {PREFIX}:5/64 dev up0")
    before = ndp.show()["answers"]
    wait_until(lambda: link.resolve(f"{PREFIX}:5") and ndp.show()["answers"] > before, "culvert to answer again")
    ndp.stop()


@scenario()
def duplicate_address_detection_of_a_kernel():
    link = Link()
    ndp = Ndp(link.near, STATIC)
    ndp.says("answers for")
    expect_equal(link.tentative(f"{PREFIX}:5"), "failed", "an address behind the proxy")
    expect(ndp.show()["duplicate_answers"] >= 1, f"{ndp.show()}")
    expect_equal(link.tentative(f"{PREFIX}:e05"), "free", "an address that is excepted")
    expect_equal(link.tentative("2001:db8:0:2::5"), "free", "an address of another prefix")
    ignored = ndp.show()["ignored"]
    expect(ignored.get("excepted", 0) >= 1 and ignored.get("no_rule", 0) >= 1, f"{ignored}")
    ndp.stop()


@scenario()
def exceptions_are_not_answered():
    link = Link()
    ndp = Ndp(link.near, STATIC)
    ndp.says("answers for")
    link.expect_answered(f"{PREFIX}:f00")
    link.expect_silence(ndp, f"{PREFIX}:e05")
    ndp.stop()


@parametrize([("SIGTERM", signal.SIGTERM), ("SIGINT", signal.SIGINT), ("SIGKILL", signal.SIGKILL)])
def all_multicast_is_as_before(number):
    link = Link()
    expect_equal(link.all_multicast(), 0, "all-multicast before")
    ndp = Ndp(link.near, STATIC)
    ndp.says("all-multicast")
    expect_equal(link.all_multicast(), 1, "all-multicast while it answers")
    if number == signal.SIGKILL:
        ndp.process.kill()
    else:
        result = ndp.stop(number)
        expect("ndp up0" in result.stdout.partition("answers for")[2], f"no totals: {result}")
        expect("rror" not in result.stderr, f"stderr: {result.stderr}")
    wait_until(lambda: link.all_multicast() == 0, "all-multicast to go")


@scenario()
def the_file_is_read_again():
    link = Link()
    ndp = Ndp(link.near, STATIC)
    ndp.says("answers for")
    link.expect_silence(ndp, f"{PREFIX}:e05")
    answers = ndp.show()["answers"]
    ndp.write(STATIC.replace(f"{PREFIX}:e00/120", f"{PREFIX}:f00/120"))
    os.kill(ndp.process.pid, signal.SIGHUP)
    ndp.says("culvert: reloaded: 1 ndp section changed")
    link.expect_answered(f"{PREFIX}:e05")
    link.expect_silence(ndp, f"{PREFIX}:f05")
    expect(ndp.show()["answers"] > answers, "the counters began anew")
    ndp.write(STATIC.replace("static", "sometimes"))
    os.kill(ndp.process.pid, signal.SIGHUP)
    wait_until(lambda: "static, auto or probe" in ndp.process.stderr(), "a sentence about the file")
    link.expect_answered(f"{PREFIX}:e05")
    ndp.stop()


@scenario()
def auto_goes_by_the_tunnels():
    link = Link()
    link.near.ip("addr add 192.0.2.1/32 dev lo")
    link.near.ip("route add 192.0.2.2 dev lo")
    tunnel = """
[device.broker]
[[device.broker.tunnel]]
name = "alice"
mode = "sit"
local = "192.0.2.1"
remote = "192.0.2.2"
prefix = ["{0}"]
""" + STATIC.replace("static", "auto")
    ndp = Ndp(link.near, tunnel.format(f"{PREFIX}:5/128"))
    ndp.says("(auto)")
    link.expect_answered(f"{PREFIX}:5")
    link.expect_silence(ndp, f"{PREFIX}:6")
    expect(ndp.show()["ignored"].get("no_tunnel", 0) >= 1, f"{ndp.show()}")
    ndp.write(tunnel.format(f"{PREFIX}:6/128"))
    os.kill(ndp.process.pid, signal.SIGHUP)
    ndp.says("culvert: reloaded")
    link.expect_answered(f"{PREFIX}:6")
    link.expect_silence(ndp, f"{PREFIX}:5")
    ndp.stop()


@scenario()
def import_makes_a_file_that_runs():
    link = Link()
    source = f"{WORK}/ndppd.conf"
    with open(source, "w") as file:
        file.write(f"route-ttl 30000\nproxy up0 {{\n  router yes\n  rule {PREFIX}:/64 {{ static }}\n}}\n")
    imported = link.near.run([program(), "import", "ndppd", source])
    expect(f"{source}:4: static: mapped: " in imported.stderr, f"{imported}")
    ndp = Ndp(link.near, imported.stdout)
    ndp.says("answers for 2001:db8:0:1::/64 (static)")
    link.expect_answered(f"{PREFIX}:5")
    ndp.stop()
    with open(source, "a") as file:
        file.write("proxy up1 { autowire yes rule ::1:0:0/96 { iface up0 } }\n")
    for words, status in (([], 3), (["--lossy"], 0)):
        result = link.near.run([program(), "import", "ndppd", source, *words], check=False)
        expect_equal(result.status, status, f"exit status of import {words}: {result}")
        expect("autowire yes: unsupported: " in result.stderr and "[ndp.up1]" in result.stdout, f"{result}")
    with open(source, "a") as file:
        file.write("}\n")
    result = link.near.run([program(), "import", "ndppd", source], check=False)
    expect_equal((result.status, result.stdout), (2, ""), "status and stdout of a file that makes no sense")
    expect("line 7" in result.stderr, f"{result}")


if __name__ == "__main__":
    run_all()
