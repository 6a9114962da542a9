#!/usr/bin/python3
r"""Command lines and systems that cannot work: one clear sentence, the right status, nothing left behind.

    near 192.0.2.1 --- veth --- far 192.0.2.2
"""

import os
import signal

from support.culvert import Culvert, launcher, program, run_refused
from support.net import Namespace, veth
from support.world import WORK, expect, expect_equal, parametrize, run_all, scenario, wait_until

USAGE, SYSTEM = 2, 1
GOOD = "mode sit remote 192.0.2.2 local 192.0.2.1"


def rig():
    near, far = Namespace("near"), Namespace("far")
    veth(near, far, "192.0.2.1/24", "192.0.2.2/24")
    return near


def expect_says(result, status, *words):
    expect_equal(result.status, status, f"exit status: {result}")
    for word in words:
        expect(word in result.stderr, f"stderr does not say {word!r}: {result.stderr}")
    expect(result.stdout == "", f"stdout: {result.stdout}")


# The words after `run NAME`, and what the sentence must name: the word, the value, often the way out.
BAD_WORDS = [
    ("unknown word", f"{GOOD} remotte 192.0.2.3", ["remotte", "'remote'"]),
    ("unknown word at the end", f"{GOOD} frobnicate", ["frobnicate"]),
    ("missing value", f"{GOOD} ttl", ["ttl", "value"]),
    ("no mode", "remote 192.0.2.2", ["mode"]),
    ("no remote", "mode sit", ["remote"]),
    ("unknown mode", "mode ip6gre remote 192.0.2.2", ["mode", "ip6gre", "sit", "ipip", "any", "gre"]),
    ("mode of ip", "mode ipv6ip remote 192.0.2.2", ["ipv6ip", "is 'sit' meant?", "gre"]),
    ("mode in capitals", "mode GRE remote 192.0.2.2", ["GRE", "is 'gre' meant?"]),
    ("mode is a device", "mode sit0 remote 192.0.2.2", ["sit0", "is 'sit' meant?"]),
    ("bad remote", "mode sit remote 192.0.2.256", ["remote", "192.0.2.256"]),
    ("remote with junk", "mode sit remote 192.0.2.2x", ["remote", "192.0.2.2x"]),
    ("remote is a name", "mode sit remote example.net", ["remote", "example.net"]),
    ("remote is IPv6", "mode sit remote 2001:db8::1", ["remote", "2001:db8::1", "IPv4"]),
    ("remote multicast", "mode gre remote 239.1.1.1", ["remote", "239.1.1.1"]),
    ("bad local", "mode sit remote 192.0.2.2 local 192.0.2", ["local", "192.0.2"]),
    ("remote is local", "mode sit remote 192.0.2.1 local 192.0.2.1", ["remote"]),
    ("ttl 256", f"{GOOD} ttl 256", ["ttl", "256"]),
    ("ttl -1", f"{GOOD} ttl -1", ["ttl", "-1"]),
    ("ttl 010", f"{GOOD} ttl 010", ["ttl", "010"]),
    ("tos 256", f"{GOOD} tos 256", ["tos", "256"]),
    ("tos with an ECN bit", f"{GOOD} tos 0x01", ["tos", "0x01", "ecn"]),
    ("key on sit", f"{GOOD} key 42", ["key", "gre"]),
    ("csum on sit", f"{GOOD} csum", ["csum", "gre"]),
    ("seq on sit", f"{GOOD} seq", ["seq", "gre"]),
    ("key too large", "mode gre remote 192.0.2.2 key 4294967296", ["key", "4294967296"]),
    ("key and ikey", "mode gre remote 192.0.2.2 key 1 ikey 2", ["key", "ikey"]),
    ("a word twice", f"{GOOD} ttl 64 ttl 65", ["ttl"]),
    ("prefix with junk", f"{GOOD} address 2001:db8::1/64x", ["address", "2001:db8::1/64x"]),
    ("prefix length 129", f"{GOOD} address 2001:db8::1/129", ["address", "2001:db8::1/129"]),
    ("address without a length", f"{GOOD} address 2001:db8::zz", ["address", "2001:db8::zz"]),
    ("multicast address", f"{GOOD} address ff02::1/64", ["address", "ff02::1/64"]),
    ("IPv4 address on sit", f"{GOOD} address 10.0.0.1/30", ["address", "10.0.0.1/30", "sit"]),
    ("route with host bits", f"{GOOD} route 2001:db8::1/64", ["route", "2001:db8::1/64", "2001:db8::/64"]),
    ("route default", f"{GOOD} route default", ["route", "default", "::/0"]),
    ("mtu too small", f"{GOOD} mtu 1279", ["mtu", "1279", "1280"]),
    ("mtu too large", f"{GOOD} mtu 65536", ["mtu", "65536"]),
    ("mtu larger than IPv4 takes", f"{GOOD} mtu 65535", ["mtu", "65535"]),
    ("ecn wrong", f"{GOOD} ecn always", ["ecn", "always"]),
    ("dev too long", f"{GOOD} dev abcdefghijklmnop", ["dev", "abcdefghijklmnop"]),
]


@parametrize(BAD_WORDS)
def bad_words(words, named):
    near = Namespace("near")
    expect_says(run_refused(near, f"tun {words}"), USAGE, *named)


BAD_OPTIONS = [
    ("io", "--io threads", ["--io", "threads"]),
    ("receive", "--receive udp", ["--receive", "udp"]),
    ("workers 0", "--workers 0", ["--workers", "0"]),
    ("workers x", "--workers two", ["--workers", "two"]),
    ("busy poll", "--busy-poll forever", ["--busy-poll", "forever"]),
    ("log level", "--log-level loud", ["--log-level", "loud"]),
    ("unknown option", "--worker 2", ["--worker", "--workers"]),
]


@parametrize(BAD_OPTIONS)
def bad_options(options, named):
    near = Namespace("near")
    expect_says(run_refused(near, f"tun {GOOD}", options), USAGE, *named)


@parametrize([("nothing", [], USAGE), ("unknown command", ["rum"], USAGE), ("run of nothing", ["run"], USAGE),
              ("show with junk", ["show", "--jsn"], USAGE)])
def bad_commands(arguments, status):
    result = Namespace("near").run([program(), *arguments], check=False)
    expect_equal(result.status, status, f"exit status: {result}")
    expect(len(result.stderr.strip().splitlines()) == 1, f"one sentence is wanted on stderr: {result}")


@scenario()
def help_and_version():
    near = Namespace("near")
    for arguments in (["--help"], ["run", "--help"], ["show", "--help"], ["--version"]):
        result = near.run([program(), *arguments])
        expect(result.stdout and not result.stderr, f"{result}")
    words = near.run([program(), "run", "--help"]).stdout
    for word in ("remote", "pmtudisc", "--workers", "--receive"):
        expect(word in words, f"{word} is not in the help of run")


NDPPD = "proxy eth0 {\n   rule 2001:db8:0:1::/64 {\n      static\n   }\n}\n"


def write(name, text):
    path = f"{WORK}/{name}"
    with open(path, "w") as file:
        file.write(text)
    return path


def run_shell(namespace, redirection, command):
    """Runs the command with a redirection of the shell, like `> /dev/full`."""
    return namespace.run(["sh", "-c", f'"$@" {redirection}', "sh", *command], check=False)


@parametrize([("full", "> /dev/full", "ENOSPC"), ("closed", ">&-", "EBADF")])
def output_that_cannot_be_written(redirection, errno):
    """Every command that prints says so and fails; `run` goes on, because nobody has to read its lines."""
    near = rig()
    culvert = Culvert(near, f"tun {GOOD}")
    control = ["--control", culvert.control]
    file = write("ndppd.conf", NDPPD)
    for arguments in (["--version"], ["--help"], ["run", "--help"], ["import", "ndppd", file], ["show", *control],
                      ["show", "--json", *control], ["show", "flows", *control],
                      ["tunnel", "set", "tun", "tun", "ttl", "64", *control]):
        result = run_shell(near, redirection, [program(), *arguments])
        expect_equal(result.status, SYSTEM, f"exit status of {arguments}: {result}")
        last = result.stderr.splitlines()[-1]
        expect("stdout" in last and errno in last, f"{arguments} does not say {errno}: {result}")
    culvert.stop()


@parametrize([("full", "> /dev/full"), ("closed", ">&-")])
def run_whose_lines_cannot_be_written(redirection):
    near = rig()
    control = f"{WORK}/silent.socket"
    process = near.start(["sh", "-c", f'exec "$@" {redirection}', "sh", program(), "run", "tun", *GOOD.split(),
                          "--control", control], name="silent")
    wait_until(lambda: os.path.exists(control), "the control socket")
    wait_until(lambda: near.run([program(), "show", "--control", control], check=False).status == 0, "an answer")
    os.kill(process.pid, signal.SIGTERM)
    expect_equal(process.wait(60).status, 0, "exit status of `run`, whose packets flow without a reader")


@scenario()
def thousands_of_rules_in_short_lines():
    near = rig()
    rules = "".join(f"rule 2001:db8:1::{i:x} {{ {'static' if i % 2 else 'auto'} }}\n" for i in range(8000))
    imported = near.run([program(), "import", "ndppd", write("ndppd.conf", f"proxy to_far {{\n{rules}}}\n")])
    path = write("many.toml", imported.stdout)
    process = near.start([program(), "run", "--config", path, "--control", f"{WORK}/many.socket"], name="many")
    wait_until(lambda: "answers for" in process.stdout() and "no tunnel has a prefix" in process.stderr(), "its lines", 60)
    os.kill(process.pid, signal.SIGTERM)
    result = process.wait(60)
    lines = [*imported.stderr.splitlines(), *result.stdout.splitlines(), *result.stderr.splitlines()]
    longest = max(lines, key=len)
    expect(len(longest) < 2000, f"a line of {len(longest)} characters: {longest[:200]}")
    expect(any(" and 7984 more" in line for line in lines), "no line says how many rules it leaves out")


NOTHING_LEFT = "nothing is left of"
# label, text of the ndppd.conf, arguments, status, what stdout must have, what the last line of stderr must have
IMPORTS = [
    ("a misplaced key", NDPPD.replace("static", "static\n      autowire yes"), "", 0, "[ndp.eth0]", "--dialect 1.0"),
    ("as 1.0", NDPPD, "--dialect 1.0", 0, "router = false", "ndppd 1.0, because --dialect says so"),
    ("no rule", "proxy eth0 {\n}\n", "", 3, "", NOTHING_LEFT),
    ("no rule, lossy", "proxy eth0 {\n}\n", "--lossy", 0, "", NOTHING_LEFT),
    ("an empty rule", "proxy eth0 {\n   rule 1234:5678::/96 {\n   }\n}\n", "", 3, "", NOTHING_LEFT),
    ("a rule for all", "proxy eth0 {\n   rule * { static }\n   rule 2001:db8:0:1::/64 { static }\n}\n", "", 3,
     'prefix = "2001:db8:0:1::/64"', "unsupported"),
    ("a wrong dialect", NDPPD, "--dialect 0.3", 2, "", "must be 0.2 or 1.0"),
]


@parametrize(IMPORTS)
def imports(text, arguments, status, printed, last):
    near = Namespace("near")
    result = near.run([program(), "import", "ndppd", write("ndppd.conf", text), *arguments.split()], check=False)
    expect_equal(result.status, status, f"exit status: {result}")
    expect(printed in result.stdout and bool(printed) == bool(result.stdout), f"stdout: {result}")
    expect("router = false" not in result.stdout or "--dialect" in arguments, f"router is false: {result}")
    expect(last in result.stderr.splitlines()[-1], f"the last line does not say {last!r}: {result}")


@parametrize([("16 bytes", "abcdefghijklmnop"), ("a slash", "a/b"), ("dots", ".."), ("empty", ""), ("blank", "a b")])
def bad_device_names(name):
    near = Namespace("near")
    expect_says(run_refused(near, [name, *GOOD.split()]), USAGE, name or "name")


@scenario()
def local_on_no_interface():
    """Behind NAT the public address is on no interface: the sentence says which one to write instead."""
    near = rig()
    result = run_refused(near, "tun mode sit remote 192.0.2.2 local 203.0.113.9 address fd00::1/64", "--no-wait")
    expect_says(result, SYSTEM, "local", "203.0.113.9", "192.0.2.1")
    near.ip("link set to_far down")
    result = run_refused(near, "tun mode sit remote 192.0.2.2 local 203.0.113.9 address fd00::1/64", "--no-wait")
    expect_says(result, SYSTEM, "local", "203.0.113.9", "192.0.2.2")


@scenario()
def unknown_outer_interface():
    near = rig()
    expect_says(run_refused(near, f"tun {GOOD} dev eth9", "--no-wait"), SYSTEM, "dev", "eth9")


@scenario()
def route_into_itself():
    """A route that covers the remote endpoint would send the tunnel's packets into the tunnel."""
    near = rig()
    result = run_refused(near, "tun mode gre remote 192.0.2.2 local 192.0.2.1 route 192.0.2.0/25")
    expect_says(result, SYSTEM, "route", "192.0.2.0/25", "192.0.2.2")


@scenario()
def no_tun_device():
    near = rig()
    # A mount namespace of its own, whose /dev/net is empty.
    hidden = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /dev/net && exec "$@"', "sh"]
    expect_says(run_refused(near, f"tun {GOOD}", prefix=hidden), SYSTEM, "/dev/net/tun")


@parametrize([(name, name) for name in ("CAP_NET_ADMIN", "CAP_NET_RAW")])
def missing_capability(name):
    near, short = rig(), name.removeprefix("CAP_").lower()
    without = ["setpriv", f"--bounding-set=-{short}", f"--inh-caps=-{short}", "--"]
    expect_says(run_refused(near, f"tun {GOOD}", prefix=without), SYSTEM, name)


@scenario()
def io_uring_asked_for_and_refused():
    near = rig()
    result = run_refused(near, f"tun {GOOD}", "--io uring", prefix=launcher("refused"))
    expect_says(result, SYSTEM, "uring", "EPERM", "epoll")


@scenario()
def device_name_in_use():
    near = rig()
    near.ip("tuntap add tun0 mode tun")
    result = run_refused(near, f"tun0 {GOOD}")
    expect_says(result, SYSTEM, "tun0")
    expect(near.link_exists("tun0"), "the other's device was removed")
    result = run_refused(near, f"to_far {GOOD}")
    expect_says(result, SYSTEM, "to_far")


@scenario()
def two_of_the_same():
    near = rig()
    first = Culvert(near, f"tun {GOOD}")
    result = near.run([program(), "run", "tun", *GOOD.split(), "--control", first.control], check=False, timeout=90)
    expect_equal(result.status, SYSTEM, f"exit status: {result}")
    expect(len(result.stderr.strip().splitlines()) == 1, f"one sentence is wanted on stderr: {result}")
    expect(near.link_exists("tun"), "the first one's device is gone")
    expect_equal(first.show()["name"], "tun", "the first one's answer")
    first.stop()


@scenario()
def what_fails_half_way_leaves_nothing():
    """A control socket that cannot be made, and a route that is taken when the device is there already."""
    near = rig()
    command = [program(), "run", "tun", *GOOD.split(), "--control", "/proc/none/culvert.sock"]
    result = near.run(command, check=False)
    expect_says(result, SYSTEM, "/proc/none")
    expect(not near.link_exists("tun"), "the device was left behind")
    near.ip("route add 10.2.0.0/24 dev to_far")
    result = run_refused(near, "tun mode gre remote 192.0.2.2 local 192.0.2.1 address fd00::1/64 route 10.2.0.0/24")
    expect_says(result, SYSTEM, "10.2.0.0/24")
    expect("10.2.0.0/24 dev to_far" in near.ip("route show").stdout, "the other's route was removed")


@scenario()
def ipv6_switched_off_by_default():
    """Containers often have disable_ipv6 set for new interfaces; who asks for a tunnel wants IPv6 on it."""
    near = rig()
    near.sysctl("net.ipv6.conf.default.disable_ipv6", 1)
    culvert = Culvert(near, f"tun {GOOD} address fd00::1/64")
    expect("fd00::1/64" in near.ip("-6 addr show dev tun").stdout, "the address is not there")
    culvert.stop()


TUNNEL = '[device.tun]\n[[device.tun.tunnel]]\nmode = "sit"\nremote = "192.0.2.2"\n'
BAD_FILES = [
    # label, text, what the sentence must name besides the file
    ("no such file", None, []),
    ("broken syntax", "[device.tun\n", ["line 1"]),
    ("unknown key", '[device.tun]\nadress = ["fd00::1/64"]\n', ["line 2", "adress", "address"]),
    ("bad value", TUNNEL + "ttl = 300\n", ["line 5", "ttl", "300"]),
    ("a float", TUNNEL + "ttl = 1.5\n", ["line 5", "ttl", "1.5", "integer"]),
    ("mode 6in4", TUNNEL.replace("sit", "6in4"), ["line 3", "6in4", "is 'sit' meant?"]),
    ("wrong type", TUNNEL.replace("sit", "gre") + 'csum = "yes"\n', ["line 5", "csum", "true"]),
    ("key on sit", TUNNEL + "key = 1\n", ["line 5", "key", "gre"]),
    ("no tunnel", "[device.tun]\nmtu = 1400\n", ["tunnel"]),
    ("no device", "# nothing\n", ["device"]),
    ("junk at the top", "mtu = 1400\n", ["line 1", "mtu"]),
]


@parametrize(BAD_FILES)
def bad_files(text, named):
    near = rig()
    path = f"{WORK}/bad.toml"
    if text is not None:
        with open(path, "w") as file:
            file.write(text)
    result = run_refused(near, ["--config", path])
    expect_says(result, SYSTEM if text is None else USAGE, "bad.toml", *named)


@scenario()
def local_on_no_interface_in_a_file():
    """The sentence names the tunnel among thousands, and its line."""
    near = rig()
    tunnel = '[[device.tun.tunnel]]\nname = "t{0}"\nmode = "sit"\nremote = "10.9.{2}.{3}"\nlocal = "{1}"\n' \
             'prefix = ["2001:db8:{0:x}::/48"]\n'
    text = "[device.tun]\n" + "".join(
        tunnel.format(i, "203.0.113.9" if i == 999 else "192.0.2.1", i // 250, i % 250 + 1) for i in range(1000))
    result = run_refused(near, ["--config", write("many.toml", text), "--no-wait"])
    expect_says(result, SYSTEM, "many.toml, line 5996", "'t999'", "local", "203.0.113.9")


@scenario()
def address_without_a_length():
    """It is one address, as for `ip`, and a line says so: a broker's address mostly has a subnet."""
    near = rig()
    culvert = Culvert(near, f"tun {GOOD} address 2001:db8:1::2")
    expect("2001:db8:1::2/128" in near.ip("-6 addr show dev tun").stdout, "the address is not there")
    hints = [line for line in culvert.process.stderr().splitlines() if "no prefix length" in line]
    expect(len(hints) == 1 and "address 2001:db8:1::2" in hints[0], f"hints: {hints}")
    culvert.stop()


@scenario()
def show_without_a_process():
    near = Namespace("near")
    result = near.run([program(), "show", "--control", f"{WORK}/none.socket"], check=False)
    expect_equal(result.status, SYSTEM, f"exit status: {result}")
    expect("none.socket" in result.stderr, f"stderr: {result.stderr}")
    expect_equal(os.path.exists(f"{WORK}/none.socket"), False, "the socket exists")


run_all()
