#!/usr/bin/python3
r"""culvert beside the rest of the host: what is not there yet, what others take away, what they leave behind.

    a 192.0.2.1 culvert --- veth --- culvert 192.0.2.2 b
"""

import os
import signal
import time

from scapy.layers.inet import UDP
from scapy.layers.inet6 import IPv6

from support import traffic
from support.culvert import IO, Culvert, launcher, program, run_refused
from support.net import Namespace, veth
from support.rig import HOST_ROUTES, Pair
from support.wire import Capture, Injector
from support.world import WORK, Failure, expect, expect_equal, parametrize, run_all, scenario, wait_until


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


ENDPOINTS = "mode sit remote 192.0.2.2 local 192.0.2.1"


@scenario()
def io_uring_enter_alone_is_refused():
    """A seccomp profile that is older than the call: io_uring_setup() succeeds, and io_uring_enter() does not."""
    a = Namespace("a")
    a.ip("addr add 192.0.2.1/32 dev lo")
    culvert = Culvert(a, f"tun {ENDPOINTS}", io="auto", prefix=[*launcher("refused"), "--only", "io_uring_enter"])
    expect("io epoll" in culvert.run_line() and "ENOSYS" in culvert.run_line(), culvert.run_line())
    culvert.stop()


@parametrize([(call, call) for call in ("sendmmsg", "recvmmsg")])
def a_call_of_epoll_is_refused(call):
    a = Namespace("a")
    a.ip("addr add 192.0.2.1/32 dev lo")
    result = run_refused(a, f"tun {ENDPOINTS} ", "--io epoll", prefix=[*launcher("refused"), "--only", call])
    expect(f"{call}()" in result.stderr and "seccomp" in result.stderr, f"{result}")


@scenario()
def the_soft_limit_of_descriptors_is_raised():
    """A device takes 16, and systemd's soft limit of 1,024 is for 64 of them."""
    a = Namespace("a")
    a.ip("addr add 192.0.2.1/32 dev lo")
    culvert = Culvert(a, f"tun {ENDPOINTS}", prefix=["prlimit", "--nofile=20:500"])
    with open(f"/proc/{culvert.process.pid}/limits", encoding="ascii") as file:
        limit = next(line for line in file if line.startswith("Max open files"))
    expect_equal(limit.split()[3:5], ["500", "500"], "soft and hard limit")
    culvert.stop()


@parametrize([("an address of this host", "192.0.2.1/24", "192.0.2.1"),
              ("a broadcast address", "192.0.2.9/24", "192.0.2.255"),
              ("a network address", "192.0.2.9/24", "192.0.2.0")])
def a_remote_that_cannot_be_one(own, remote):
    a = Namespace("a")
    a.ip(f"addr add {own} dev lo")
    result = run_refused(a, f"tun mode sit remote {remote}")
    expect(f"value '{remote}'" in result.stderr and "would carry nothing" in result.stderr, f"{result}")


def remedies(line):
    return [part for part in line.split("`") if part.startswith("nft ")]


@scenario()
def a_forward_chain_drops_by_policy():
    """As Docker leaves it, before or after culvert starts; named once, until a rule accepts the device."""
    pair = Pair("mode sit", "prefix 2001:db8:2::/64 forwarding", "prefix 2001:db8:1::/64 forwarding")

    def said(culvert):
        return [line for line in culvert.process.stderr().splitlines() if "drops by policy" in line]

    def drop_by_policy(table):
        pair.a.nft(f"add table ip6 {table}\nadd chain ip6 {table} FORWARD "
                   "{ type filter hook forward priority 0; policy drop; }\n")

    pair.hosts()
    wait_until(lambda: traffic.answers(pair.h1, "2001:db8:2::2"), "pings between the hosts", 30)
    drop_by_policy("filter")
    wait_until(lambda: said(pair.culvert_a), "the warning", 30)
    expect(not traffic.answers(pair.h1, "2001:db8:2::2"), "the chain does not drop")
    commands = remedies(said(pair.culvert_a)[0])
    expect_equal(len(commands), 2, f"commands in {said(pair.culvert_a)}")
    for command in commands:
        pair.a.run(command.split())
    wait_until(lambda: traffic.answers(pair.h1, "2001:db8:2::2"), "pings after the remedy", 30)
    pair.culvert_a.stop()
    pair.culvert_a = Culvert(pair.a, pair.words_a)
    drop_by_policy("other")
    wait_until(lambda: said(pair.culvert_a), "the warning about the other chain", 30)
    lines = said(pair.culvert_a)
    expect(len(lines) == 1 and "ip6 other FORWARD" in lines[0], f"{lines}")
    warnings = pair.culvert_a.show()["warnings"]
    expect(len(warnings) == 1 and lines[0].endswith(warnings[0]), f"`show` prints {warnings}")
    pair.a.nft("delete table ip6 other\n")
    wait_until(lambda: pair.culvert_a.show()["warnings"] == [], "`show` without the warning", 30)
    pair.stop()


@scenario()
def a_masquerade_rewrites_the_outer_source():
    """`local` is the second address of the interface."""
    pair = Pair("mode sit", start=False)
    pair.a.ip("addr add 192.0.2.9/24 dev to_b")
    pair.words_a = pair.words_a.replace("local 192.0.2.1", "local 192.0.2.9")
    pair.words_b = pair.words_b.replace("remote 192.0.2.1", "remote 192.0.2.9")
    pair.a.nft("add table ip nat\nadd chain ip nat POSTROUTING { type nat hook postrouting priority 100; }\n"
               "add rule ip nat POSTROUTING masquerade\n")
    near = Culvert(pair.a, pair.words_a, send="auto")
    far = Culvert(pair.b, pair.words_b)

    def said():
        return [line for line in near.process.stderr().splitlines() if "masquerade" in line]

    wait_until(said, "the warning", 30)
    expect(not traffic.answers(pair.a, "fd00::2"), "the masquerade does not rewrite")
    for command in remedies(said()[0]):
        pair.a.run(command.split())
    near.stop()
    for state in ("down", "up"):  # deletes the entries of conntrack
        pair.a.ip(f"link set to_b {state}")
    near = Culvert(pair.a, pair.words_a, send="auto")
    wait_until(lambda: traffic.answers(pair.a, "fd00::2"), "pings after the remedy", 30)
    expect_equal(said(), [], "warnings after the remedy")
    near.stop()
    far.stop()


@scenario()
def a_network_that_another_interface_has():
    """The kernel has two routes to it, so packets to the remote endpoint's inner address may leave by the uplink."""
    pair = Pair("mode sit")
    pair.a.ip("addr add fd00::1/64 dev to_b nodad")
    wait_until(lambda: pair.culvert_a.show()["warnings"], "the warning", 30)
    warning = pair.culvert_a.show()["warnings"][0]
    for words in ("address fd00::1/64 of tun: to_b has fd00::1/64", "packets to fd00::/64", "write /128"):
        expect(words in warning and words in pair.culvert_a.show_text(), f"{words!r} is missing in {warning}")
    pair.a.ip("addr del fd00::1/64 dev to_b")
    wait_until(lambda: pair.culvert_a.show()["warnings"] == [], "`show` without the warning", 30)
    said = [line for line in pair.culvert_a.process.stderr().splitlines() if "to_b has" in line]
    expect_equal(len(said), 1, f"log lines {said}")
    pair.stop()


@scenario()
def two_that_receive_the_same_packets():
    """Each says which tunnel of the other it is, as long as it runs; so does another program's raw socket. What has
    another key, another local endpoint or is in another network namespace is not named."""
    a, b, c = Namespace("a"), Namespace("b"), Namespace("c")
    veth(a, b, "192.0.2.1/24", "192.0.2.2/24")
    a.ip("addr add 192.0.2.9/24 dev to_b")
    c.ip("addr add 192.0.2.1/32 dev lo")
    words = "mode gre remote 192.0.2.2 key 7"
    one = Culvert(a, f"one {words} local 192.0.2.1 address fd00::1/64")
    others = [Culvert(a, "key mode gre remote 192.0.2.2 local 192.0.2.1 key 8 address fd01::1/64"),
              Culvert(a, f"local {words} local 192.0.2.9 address fd02::1/64"),
              Culvert(c, f"two {words} local 192.0.2.1 address fd00::1/64")]
    two = Culvert(a, f"two {words} address fd03::1/64")

    def says(culvert, *words):
        warnings = culvert.show()["warnings"]
        return all(any(word in warning for warning in warnings) for word in words)

    wait_until(lambda: says(two, f"tunnel 'one' of device one of the culvert at {one.control}"), "two's warning", 30)
    wait_until(lambda: says(one, f"tunnel 'two' of device two of the culvert at {two.control}"), "one's warning", 30)
    expect_equal([other.show()["warnings"] for other in others[:1] + others[2:]], [[], []], "warnings of others")
    two.stop()
    wait_until(lambda: one.show()["warnings"] == [], "one without a warning", 30)
    code = "import socket, time; s = socket.socket(2, 3, 47); s.connect(('192.0.2.2', 0)); time.sleep(60)"
    program = a.start(["/usr/bin/python3", "-c", code], name="raw")
    two = Culvert(a, f"two {words} address fd03::1/64")
    wait_until(lambda: says(two, "program 'python3'", f"(process {program.pid})"), "the warning about the socket", 30)
    program.kill()
    for culvert in (one, two, *others):
        culvert.stop()


@scenario()
def two_devices_that_receive_the_same_packets():
    """One process refuses them, at the start and at a reload."""
    a = Namespace("a")
    a.ip("addr add 192.0.2.1/32 dev lo")
    path = f"{WORK}/two.toml"

    def write(remote):
        with open(path, "w") as file:
            file.write("".join(f'[device.tun{n}]\naddress = "fd0{n}::1/64"\n[[device.tun{n}.tunnel]]\nmode = "sit"\n'
                               f'local = "192.0.2.1"\nremote = "{to}"\n'
                               for n, to in ((1, "198.51.100.1"), (2, remote))))

    write("198.51.100.1")
    result = a.run([program(), "run", "--config", path, "--control", f"{WORK}/two.socket"], check=False)
    expect_equal(result.status, 1, f"status of {result}")
    said = "receives the same packets as tunnel"
    expect(said in result.stderr and "device tun2" in result.stderr and "device tun1" in result.stderr, f"{result}")
    write("198.51.100.2")
    culvert = Culvert(a, ["--config", path])
    write("198.51.100.1")
    result = a.run([program(), "reload", "--control", culvert.control], check=False)
    expect(result.status != 0 and said in result.stderr, f"{result}")
    culvert.stop()


@scenario()
def a_container_that_may_not_write_sysctls():
    a = Namespace("a")
    a.ip("addr add 192.0.2.1/32 dev lo")
    for scope in ("all", "default"):
        a.sysctl(f"net.ipv6.conf.{scope}.disable_ipv6", 1)
    read_only = ["unshare", "-m", "sh", "-c", "mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys"
                                              ' && exec "$@"', "sh"]
    words = "run tun mode sit remote 192.0.2.2 local 192.0.2.1 address fd00::1/64"
    result = a.run([*read_only, program(), *words.split()], check=False)
    expect_equal(result.status, 1, f"{result}")
    expect_equal(len(result.stderr.splitlines()), 1, f"lines of {result}")
    wait_until(lambda: not a.link_exists("tun"), "the device to go")  # with io_uring a little later
    expect("`docker run --sysctl net.ipv6.conf.all.disable_ipv6=0`" in result.stderr, f"{result}")


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
    changes = [f"route {'add' if i % 2 == 0 else 'del'} 2001:db8:{i // 2 + 1:x}::/48 dev other" for i in range(60000)]
    before = pair.culvert_a.cpu_seconds()
    pair.a.ip_batch(*changes)
    used = pair.culvert_a.cpu_seconds() - before
    expect(used < 0.1, f"{used} s of CPU time for 60,000 changes of routes")
    pair.stop()


CONFIG = f"{WORK}/culvert.toml"
LATE = """
[device.inner]
address = ["fd02::1/64"]
[[device.inner.tunnel]]
name = "nested"
mode = "sit"
local = "10.9.0.1"
remote = "10.9.0.2"

[device.tun]
address = ["fd00::1/64", "10.9.0.1/30"]
[[device.tun.tunnel]]
name = "here"
mode = "gre"
local = "192.0.2.1"
remote = "192.0.2.2"

[device.late]
address = ["fd01::1/64"]
[[device.late.tunnel]]
name = "dev"
mode = "sit"
dev = "to_c"
local = "198.51.100.1"
remote = "198.51.100.2"

[ndp.eth9]
[[ndp.eth9.rule]]
prefix = "2001:db8:9::/64"
answer = "static"
"""
DEVICES = LATE[:LATE.index("[ndp")]


UNROUTED = 10_000


@scenario()
def remotes_without_a_route_cost_nothing():
    """The uplink is not there yet. Idle: less than 10 per mille of a CPU. The first packet after the route: within 1 s."""
    if IO == "refused":
        return  # no packet moves
    a, b = Namespace("a"), Namespace("b")
    veth(a, b, "192.0.2.1/24", "192.0.2.2/24")
    config = f"{WORK}/unrouted.toml"
    with open(config, "w") as file:
        file.write("[device.broker]\nmtu = 1480\n")
        for i in range(UNROUTED):
            file.write(f'[[device.broker.tunnel]]\nname = "t{i}"\nmode = "sit"\nlocal = "any"\n'
                       f'remote = "198.18.{i >> 8}.{i & 255}"\nprefix = ["2001:db8:{i:x}::/48"]\n')
    culvert = Culvert(a, ["--config", config])

    def is_idle():
        before = culvert.cpu_seconds()
        time.sleep(3)
        return culvert.cpu_seconds() - before < 0.03

    wait_until(is_idle, "less than 10 per mille of a CPU without a route", 12)
    packet = bytes(IPv6(src="2001:db8:ffff::1", dst=f"2001:db8:{UNROUTED - 1:x}::1") / UDP(sport=1, dport=2))
    tun = Injector(a, "broker")

    def passes_within_a_second():
        a.ip("route del 198.18.0.0/16", check=False)
        wait_until(is_idle, "the change to be followed", 12)
        with Capture(b, "to_a", lambda f: f.ip.endswith(packet)) as capture:
            a.ip("route add 198.18.0.0/16 via 192.0.2.2")
            added = time.monotonic()
            while not capture.frames and time.monotonic() < added + 5:
                tun.send(packet)
                time.sleep(0.02)
            return time.monotonic() - added < 1

    # Other tests run beside this one.
    expect(any(passes_within_a_second() for _ in range(3)), "the first packet passes more than a second after the route")
    a.ip("link set to_b down")
    # One refresh follows the change, a little later.
    wait_until(is_idle, "less than 10 per mille of a CPU with the link down", 12)
    culvert.stop()


@scenario()
def nobody_reads_its_output():
    """stdout and stderr are a full pipe: `show`, `reload` and the end work all the same."""
    a, b = Namespace("a"), Namespace("b")
    veth(a, b, "192.0.2.1/24", "192.0.2.2/24")
    with open(CONFIG, "w") as file:
        file.write(DEVICES)
    full, control = f"{WORK}/full", f"{WORK}/control"
    os.mkfifo(full)
    pipe = os.open(full, os.O_RDWR | os.O_NONBLOCK)
    for size in (4096, 1):
        try:
            while True:
                os.write(pipe, bytes(size))
        except BlockingIOError:
            pass
    near = a.start(["sh", "-c", f"exec {program()} run --config {CONFIG} --control {control} >{full} 2>&1"])

    def ask(word):
        return a.run([program(), word, "--control", control], check=False, timeout=30)

    wait_until(lambda: ask("show").status == 0, "an answer to `show`", 30)
    for _ in range(3):
        a.ip("addr del 192.0.2.1/24 dev to_b")
        a.ip("addr add 192.0.2.1/24 dev to_b")
        expect_equal(ask("reload").status, 0, "status of reload")
    expect_equal(ask("show").status, 0, "status of `show`")
    os.kill(near.pid, signal.SIGTERM)
    expect_equal(near.wait(30).status, 0, "exit status")
    os.close(pipe)


@scenario()
def many_interfaces_make_no_long_sentence():
    a = Namespace("a")
    a.ip_batch(*(f"link add name-of-dev-{i:03} type veth peer name name-of-end-{i:03}" for i in range(30)))
    a.ip("addr add 192.0.2.1/32 dev lo")
    result = run_refused(a, "tun mode sit remote 192.0.2.2 local 192.0.2.1 dev nosuch", "--no-wait")
    expect("name-of-dev-000" in result.stderr and " more" in result.stderr, f"{result}")
    expect(len(result.stderr) < 500, f"{len(result.stderr)} bytes: {result.stderr}")


@scenario()
def what_is_not_there_yet_is_waited_for():
    r"""`dev`, `local` and an [ndp] interface; a tunnel through a tunnel that stands below it in the file.

        c 198.51.100.2 --- (later) --- 198.51.100.1 a 192.0.2.1 --- veth --- 192.0.2.2 b
    """
    a, b, c = Namespace("a"), Namespace("b"), Namespace("c")
    veth(a, b, "192.0.2.1/24", "192.0.2.2/24")
    Culvert(b, "tun mode gre local 192.0.2.2 remote 192.0.2.1 address fd00::2/64 address 10.9.0.2/30")
    Culvert(b, "inner mode sit local 10.9.0.2 remote 10.9.0.1 address fd02::2/64")
    with open(CONFIG, "w") as file:
        file.write(LATE)
    near = Culvert(a, ["--config", CONFIG])

    def lines(text):
        return [line for line in near.process.stderr().splitlines() if text in line]

    def ask(*words):
        return a.run([program(), *words, "--control", near.control]).stdout

    wait_until(lambda: traffic.answers(a, "fd02::2"), "the tunnel in the tunnel", 30)
    traffic.ping(a, "fd00::2")
    waits = "late warning: tunnel dev waits: "
    expect(len(lines(waits)) == 1 and "to_c" in lines(waits)[0], f"log lines: {near.process.stderr()}")
    expect("ndp eth9 waits" in near.process.stdout(), near.process.stdout())
    shown = ask("show", "late")
    expect("it waits" in shown, f"`show`: {shown}")
    expect("nothing has changed" in ask("reload"), "reload while a dev is away")
    ask("tunnel", "set", "late", "dev", "ttl", "64")
    for turn in (1, 2):
        veth(a, c, "198.51.100.1/24", "198.51.100.2/24")
        if turn == 1:
            Culvert(c, "late mode sit local 198.51.100.2 remote 198.51.100.1 address fd01::2/64")
        wait_until(lambda: traffic.answers(a, "fd01::2"), "the late tunnel", 30)
        wait_until(lambda: len(lines("late info: no tunnel waits any more")) == turn, "the line that it is there", 30)
        a.ip("link del to_c")
        wait_until(lambda: len(lines(waits)) == turn + 1, "a line that it is gone", 30)
        expect(near.process.alive(), "it ended with its interface")
        traffic.ping(a, "fd00::2")
    near.send_signal(signal.SIGTERM)
    expect_equal(near.process.wait().status, 0, "exit status")


@parametrize([("dev", DEVICES.replace("198.51.100.1", "192.0.2.1"), "to_c"),
              ("local", DEVICES.replace('dev = "to_c"', ""), "198.51.100.1"),
              ("ndp", DEVICES[:DEVICES.index("[device.late]")] + LATE[LATE.index("[ndp"):], "eth9"),
              ("interface of a rule", '[ndp.to_b]\n[[ndp.to_b.rule]]\nprefix = "2001:db8::/64"\nanswer = "probe"\n'
               'interface = "br-lan"\n', "br-lan")])
def no_wait_ends_instead(text, named):
    a, b = Namespace("a"), Namespace("b")
    veth(a, b, "192.0.2.1/24", "192.0.2.2/24")
    a.ip("addr add 10.9.0.1/32 dev lo")
    with open(CONFIG, "w") as file:
        file.write(text)
    result = run_refused(a, ["--config", CONFIG], "--no-wait")
    expect_equal(result.status, 1, f"{result}")
    expect(named in result.stderr, f"{result}")


run_all()
