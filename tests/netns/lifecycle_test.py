#!/usr/bin/python3
r"""What a process makes it removes again: by SIGTERM, SIGINT and SIGKILL, at rest and under load.

    a 192.0.2.1 culvert --- veth --- culvert 192.0.2.2 b
"""

import os
import re
import signal

from support import traffic
from support.culvert import READY, Culvert, is_sanitized, program
from support.net import Namespace
from support.rig import Pair
from support.world import WORK, Failure, expect, expect_equal, parametrize, run_all, scenario, wait_until

WORDS = ("route 2001:db8:2::/64 route 2001:db8:3::/64 address 2001:db8:a::1/128 mtu 1400",
         "route 2001:db8:1::/64")


def state(namespace):
    """Everything `ip` knows that a process could have left behind, at rest."""
    last = [None]

    def at_rest():
        previous, last[0] = last[0], state_now(namespace)
        return previous == last[0] and previous

    return wait_until(at_rest, f"the interfaces of {namespace.name} to rest", 20, 0.3)


def expect_state(namespace, before, what):
    """What a process has made is gone, or goes."""
    try:
        wait_until(lambda: state_now(namespace) == before, what)
    except Failure:
        expect_equal(state_now(namespace), before, what)


def state_now(namespace):
    words = ("-o link show", "-o -4 addr show", "-o -6 addr show", "-4 route show table all", "-6 route show table all")
    return {what: namespace.ip(what).stdout for what in words}


@parametrize([("SIGTERM", signal.SIGTERM), ("SIGINT", signal.SIGINT)])
def a_signal_under_load(number):
    pair = Pair("mode gre key 42", *WORDS, start=False)
    before = state(pair.a)
    pair.start()
    routes = pair.a.ip("-6 route show dev tun").stdout
    expect("2001:db8:2::/64" in routes and "2001:db8:3::/64" in routes, f"routes: {routes}")
    addresses = pair.a.ip("-o addr show dev tun").stdout
    for address in ("fd00::1/64", "10.9.0.1/30", "2001:db8:a::1/128", "fe80::c000:201/64"):
        expect(address in addresses, f"{address} is not among the addresses: {addresses}")
    expect_equal(pair.a.mtu("tun"), 1400, "MTU")
    traffic.ping(pair.a, "fd00::2")
    # More than the tunnel can take, both ways, while the signal comes.
    load = [traffic.start(place, "udp-send", to=to, count=10**6, flows=4, bytes=1000, rate=10.0**6)
            for place, to in ((pair.a, "fd00::2"), (pair.b, "fd00::1"))]
    start = pair.culvert_a.tunnel()
    wait_until(lambda: pair.culvert_a.tunnel()["out_packets"] > start["out_packets"] + 1000 and
               pair.culvert_a.tunnel()["in_packets"] > start["in_packets"] + 1000, "load both ways")
    expect(all(process.alive() for process in load), "the load ended before the signal came")
    result = pair.culvert_a.stop(number)
    expect_state(pair.a, before, "addresses, routes and links after the end")
    expect(re.search(r"\d", result.stdout.partition("\n")[2]), f"no totals were printed: {result}")
    expect("rror" not in result.stderr, f"stderr: {result.stderr}")
    for process in load:
        process.kill()
    # The same again in its place, as a supervisor would do it.
    again = Culvert(pair.a, pair.words_a)
    traffic.ping(pair.a, "fd00::2", window=1)
    again.stop()
    pair.culvert_b.stop()


@scenario()
def sigkill_leaves_no_device():
    pair = Pair("mode sit", start=False)
    before = state(pair.a)
    pair.start()
    pair.culvert_a.send_signal(signal.SIGKILL)
    pair.culvert_a.process.wait()
    wait_until(lambda: not pair.a.link_exists("tun"), "the device to go")
    expect_state(pair.a, before, "addresses, routes and links after SIGKILL")
    # The socket file of the dead process is no obstacle.
    again = Culvert(pair.a, pair.words_a)
    traffic.ping(pair.a, "fd00::2")
    again.stop()
    pair.culvert_b.stop()


@scenario()
def memory_is_bounded():
    """32 MiB at the start and under load, and no more than 1 MiB from one round of load to the next."""
    if is_sanitized():
        return  # it has a shadow of its memory
    pair = Pair("mode sit", workers="1")
    start = pair.culvert_a.resident_kib()
    expect(start <= 32 * 1024, f"{start} KiB are resident at the start")
    resident = []
    for _ in range(3):
        for sender, receiver, to in ((pair.a, pair.b, "fd00::2"), (pair.b, pair.a, "fd00::1")):
            traffic.tcp(sender, receiver, to, 64 << 20)
            traffic.udp(sender, receiver, to, count=2000, flows=8, bytes=700, rate=50000)
        resident.append(pair.culvert_a.resident_kib())
    expect(max(resident) - min(resident) <= 1024, f"resident KiB after each round of load: {resident}")
    expect(max(resident) <= 32 * 1024, f"resident KiB under load: {resident}, at the start {start}")
    pair.stop()


@scenario()
def memory_of_idle_devices():
    """Devices beside the first share what the process has anyway."""
    if is_sanitized():
        return  # shadow memory
    a = Namespace("a")
    a.ip("addr add 192.0.2.1/32 dev lo")
    path, resident = f"{WORK}/many.toml", []
    for count in (1, 33):
        with open(path, "w") as file:
            file.write("".join(f'[device.tun{n}]\naddress = "fd00:{n}::1/64"\n[[device.tun{n}.tunnel]]\nmode = "sit"\n'
                               f'local = "192.0.2.1"\nremote = "198.51.100.{n}"\n' for n in range(1, count + 1)))
        culvert = Culvert(a, ["--config", path])
        resident.append(culvert.resident_kib())
        culvert.stop()
    each = (resident[1] - resident[0]) / 32
    expect(each <= 4096, f"{each:.0f} KiB for each device beside the first, {resident[0]} KiB for that")


def forwarding_of(namespace):
    return namespace.run(["sh", "-c", "sysctl -a 2>/dev/null | grep -E 'conf\\.(all|default|lo|to_b)\\..*"
                                      "(forwarding|accept_ra) ='"]).stdout


@parametrize([("at rest", True), ("during start", False)])
def forwarding_is_given_back(waits):
    """`forwarding` is on as long as it runs, and as it was afterwards, whenever the signal comes."""
    pair = Pair("mode sit", "prefix 2001:db8:2::/64 forwarding", start=False)
    pair.a.ip("-6 route add default dev to_b")
    pair.a.sysctl("net.ipv6.conf.to_b.accept_ra", 1)
    before = forwarding_of(pair.a)
    culvert = Culvert(pair.a, pair.words_a, wait=waits)
    if waits:
        during = forwarding_of(pair.a)
        expect("net.ipv6.conf.to_b.forwarding = 1" in during and "net.ipv6.conf.to_b.accept_ra = 2" in during,
               f"while it runs: {during}")
        expect("forward" not in culvert.process.stderr(), f"stderr: {culvert.process.stderr()}")
    else:
        wait_until(lambda: os.path.exists(culvert.control) or not culvert.process.alive(), "the start", 20, 0.001)
    os.kill(culvert.process.pid, signal.SIGINT)
    expect_equal(culvert.process.wait(5).status, 0, "exit status")
    expect_equal(forwarding_of(pair.a), before, "sysctls after the end")
    without = Culvert(pair.a, pair.words_a.replace(" forwarding", ""))
    said = without.process.stderr()
    expect("net.ipv6.conf.all.forwarding=1" in said and len(said.splitlines()) == 1, f"stderr: {said}")
    without.stop()


@scenario()
def two_signals_in_a_row():
    pair = Pair("mode sit")
    os.kill(pair.culvert_a.process.pid, signal.SIGTERM)
    if pair.culvert_a.process.alive():
        os.kill(pair.culvert_a.process.pid, signal.SIGINT)
    result = pair.culvert_a.process.wait(5)
    expect(result.status in (0, -signal.SIGINT, -signal.SIGTERM), f"{result}")
    wait_until(lambda: not pair.a.link_exists("tun"), "the device to go")
    pair.culvert_b.stop()


@scenario()
def default_control_socket():
    """Without --control the socket is below /run/culvert, and `show` finds every process."""
    a, b = Namespace("a"), Namespace("b")
    started = []
    for namespace, name in ((a, "one"), (b, "two")):
        namespace.ip("addr add 192.0.2.1/32 dev lo")
        namespace.ip("route add 192.0.2.2 dev lo")
        process = namespace.start([program(), "run", name, "mode", "sit", "remote", "192.0.2.2", "local", "192.0.2.1"])
        wait_until(lambda: READY.search(process.stdout()) or not process.alive(), "the process")
        expect(process.alive(), f"{process.stdout()}{process.stderr()}")
        started.append(process)
    shown = a.run([program(), "show"]).stdout
    expect("one" in shown and "two" in shown, f"`show` prints: {shown}")
    only = a.run([program(), "show", "two"]).stdout
    expect("one" not in only and "two" in only, f"`show two` prints: {only}")
    for process in started:
        os.kill(process.pid, signal.SIGTERM)
        expect_equal(process.wait(5).status, 0, "exit status")
    left = os.listdir("/run/culvert") if os.path.exists("/run/culvert") else []
    expect_equal(left, [], "files in /run/culvert")
    expect_equal(a.run([program(), "show", "one"], check=False).status, 1, "status of `show` without a process")


@scenario()
def a_file_says_the_same():
    """TOML: two devices in one process, the other tunnel endpoint from words."""
    pair = Pair("mode gre key 42 csum", start=False)
    path = f"{WORK}/culvert.toml"
    with open(path, "w") as file:
        file.write("""
[device.tun]
address = ["fd00::1/64", "10.9.0.1/30"]
route = ["2001:db8:2::/64"]
mtu = 1400
[[device.tun.tunnel]]
name = "broker"
mode = "gre"
local = "192.0.2.1"
remote = "192.0.2.2"
key = 42
csum = true
ttl = 64

[device.second]
address = ["fd01::1/64"]
[[device.second.tunnel]]
mode = "sit"
local = "any"
remote = "192.0.2.2"
""")
    a = Culvert(pair.a, ["--config", path])
    b = Culvert(pair.b, pair.words_b)
    traffic.ping(pair.a, "fd00::2", "56-100,1390-1400")
    traffic.ping(pair.a, "10.9.0.2", "56-100,1390-1400")
    shown = a.namespace.run([program(), "show", "--json", "--control", a.control]).stdout
    for word in ('"tun"', '"second"', '"broker"', '"gre"', '"sit"'):
        expect(word in shown, f"{word} is not in {shown}")
    expect_equal(pair.a.mtu("tun"), 1400, "MTU")
    second = Culvert(pair.b, "second mode sit remote 192.0.2.1 local 192.0.2.2 address fd01::2/64")
    traffic.ping(pair.a, "fd01::2", "56-100,1480")
    second.stop()
    a.stop()
    b.stop()
    expect(not pair.a.link_exists("second"), "the second device is still there")


run_all()
