#!/usr/bin/python3
r"""The NDP proxy follows its interface, and a real kernel host believes it: ndisc6, and the kernel's own
duplicate address detection.

    host 2001:db8:0:1::aa eth0 --- veth --- up0 near, culvert: [ndp.up0] answers for 2001:db8:0:1::/64

Nothing but the proxy answers for what is behind near, so that every answer is culvert's.
"""

import os
import signal

from support.culvert import program
from support.ndp import AUTO, PREFIX, STATIC, Link, Ndp, tunnel_to
from support.world import WORK, expect, expect_equal, parametrize, run_all, scenario, wait_until

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


@parametrize([("all multicast", STATIC, Link.all_multicast),
              ("joined groups", tunnel_to(f"{PREFIX}:5/128") + AUTO, Link.joins_solicited_node_group_of_5)])
def an_interface_that_is_made_anew_with_its_index(toml, receives_multicast):
    """Faster than culvert looks, so that nothing seems to have changed."""
    link = Link()
    link.give_tunnel_ends()
    ndp = Ndp(link.near, toml)
    ndp.says("answers for")
    link.expect_answered(f"{PREFIX}:5")
    link.make_anew()
    # Alone on a machine this takes 0.3 s. A socket that still belongs to the old interface never hears anything.
    wait_until(lambda: link.resolve(f"{PREFIX}:5", 0.2) == link.mac(), "an answer", 20, 0.02)
    wait_until(lambda: receives_multicast(link), "the new interface to receive the solicitations", 20)
    ndp.stop()


@scenario()
def ipv6_that_is_off_is_said():
    """On the interface, and in the host, which then cannot forward."""
    link = Link()
    link.near.sysctl("net.ipv6.conf.up0.disable_ipv6", 1)
    ndp = Ndp(link.near, STATIC)
    ndp.says("culvert: ndp up0 waits: IPv6 is disabled on this device: sysctl -w net.ipv6.conf.up0.disable_ipv6=0")
    link.near.sysctl("net.ipv6.conf.up0.disable_ipv6", 0)
    ndp.says("answers for")
    said = [line for line in ndp.process.stderr().splitlines() if "sysctl -w net.ipv6.conf.all.forwarding=1" in line]
    expect(len(said) == 1 and "ndp up0" in said[0], f"what it says of forwarding: {ndp.process.stderr()}")
    link.near.sysctl("net.ipv6.conf.up0.disable_ipv6", 1)
    ndp.says("waits: IPv6 is disabled", 2)
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
    link.give_tunnel_ends()
    ndp = Ndp(link.near, tunnel_to(f"{PREFIX}:5/128") + AUTO)
    ndp.says("(auto)")
    link.expect_answered(f"{PREFIX}:5")
    link.expect_silence(ndp, f"{PREFIX}:6")
    expect(ndp.show()["ignored"].get("no_route", 0) >= 1, f"{ndp.show()}")
    ndp.write(tunnel_to(f"{PREFIX}:6/128") + AUTO)
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
    expect(f"{source}:4: static: mapped-with-difference: " in imported.stderr, f"{imported}")
    ndp = Ndp(link.near, imported.stdout)
    ndp.says("answers for 2001:db8:0:1::/64 (static)")
    link.expect_answered(f"{PREFIX}:5")
    ndp.stop()
    with open(source, "a") as file:
        file.write("proxy up1 { rule ::1:0:0/96 { iface up1 } }\n")
    for words, status in (([], 3), (["--lossy"], 0)):
        result = link.near.run([program(), "import", "ndppd", source, *words], check=False)
        expect_equal(result.status, status, f"exit status of import {words}: {result}")
        expect("iface up1: unsupported: " in result.stderr and "[ndp.up1]" in result.stdout, f"{result}")
    with open(source, "a") as file:
        file.write("}\n")
    result = link.near.run([program(), "import", "ndppd", source], check=False)
    expect_equal((result.status, result.stdout), (2, ""), "status and stdout of a file that makes no sense")
    expect("line 7" in result.stderr, f"{result}")


if __name__ == "__main__":
    run_all()
