#!/usr/bin/python3
r"""culvert beside the rest of the host: what is not there yet, what others take away, what they leave behind.

    a 192.0.2.1 culvert --- veth --- culvert 192.0.2.2 b
"""

import os
import signal

from support import traffic
from support.culvert import Culvert, run_refused
from support.net import Namespace
from support.rig import HOST_ROUTES, Pair
from support.world import Failure, expect, expect_equal, run_all, scenario, wait_until


def cpu_seconds(pid):
    """CPU time of all threads of a process so far."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@scenario()
def started_at_once_after_sigkill():
    """The kernel removes the device of a killed process a little later, above all with io_uring."""
    pair = Pair("mode sit", workers="1")
    for _ in range(4):
        pair.culvert_a.send_signal(signal.SIGKILL)
        pair.culvert_a.process.wait()
        pair.culvert_a = Culvert(pair.a, pair.words_a, workers="1")
    traffic.ping(pair.a, "fd00::2")
    pair.stop()


@scenario()
def a_persistent_device_has_the_name():
    a = Namespace("a")
    a.ip("addr add 192.0.2.1/32 dev lo")
    a.ip("tuntap add dev left mode tun")
    own_sysfs = ["unshare", "-m", "sh", "-c", 'mount -t sysfs none /sys && exec "$@"', "sh"]
    result = run_refused(a, "left mode sit remote 192.0.2.2 local 192.0.2.1", prefix=own_sysfs)
    expect("persistent" in result.stderr and "`ip link delete left`" in result.stderr, f"{result}")
    a.ip("link delete left")


FLUSHES = {"addresses": ["-6 addr flush dev tun", "addr flush dev tun"],
           "routes": ["-6 route flush dev tun", "route flush dev tun"],
           "both": ["-6 addr flush dev tun", "-6 route flush dev tun"],
           "link down": ["link set dev tun down", "link set dev tun up"]}


def kernel_state(namespace):
    """The addresses of the device and the routes by it."""
    return sorted(line for what in ("-o addr show dev tun", "-6 route show dev tun", "-4 route show dev tun")
                  for line in namespace.ip(what).stdout.replace(" linkdown", "").splitlines())


def expect_state(namespace, before, what):
    try:
        wait_until(lambda: kernel_state(namespace) == before, f"{what} to be there again", 10)
    except Failure:
        expect_equal(kernel_state(namespace), before, what)


@scenario()
def what_another_program_flushes_is_added_again():
    """As systemd-networkd and `netplan apply` do with what they do not know."""
    pair = Pair("mode gre", *HOST_ROUTES)
    before = kernel_state(pair.a)
    for what, commands in FLUSHES.items():
        for command in commands:
            pair.a.ip(command)
        expect(kernel_state(pair.a) != before, f"{what}: nothing was removed")
        expect_state(pair.a, before, what)
        traffic.ping(pair.a, "fd00::2")
        traffic.ping(pair.a, "10.9.0.2")
    said = [line for line in pair.culvert_a.process.stderr().splitlines() if "again" in line]
    expect(len(said) == 1 and "warning" in said[0] and "fd00::1/64" in said[0], f"log lines: {said}")
    pair.stop()


@scenario()
def route_changes_elsewhere_cost_nothing():
    pair = Pair("mode sit", start=False)
    pair.a.ip("link add other type veth peer name other_end")
    pair.a.ip("link set other up")
    pair.a.ip("link set other_end up")
    pair.start()
    with open("/run/work/routes", "w") as file:
        for i in range(60000):
            file.write(f"route {'add' if i % 2 == 0 else 'del'} 2001:db8:{i // 2 + 1:x}::/48 dev other\n")
    before = cpu_seconds(pair.culvert_a.process.pid)
    pair.a.run(["ip", "-6", "-batch", "/run/work/routes"])
    used = cpu_seconds(pair.culvert_a.process.pid) - before
    expect(used < 0.1, f"{used} s of CPU time for 60,000 changes of routes")
    pair.stop()


run_all()
