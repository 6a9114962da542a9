"""The program under test: started, asked for its counters, stopped."""

import json
import os
import re
import shlex
import signal

from .world import WORK, Failure, expect, expect_equal, on_failure, wait_until

SOURCE = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../.."))
IO = os.environ.get("CULVERT_TEST_IO", "auto")  # auto, uring, epoll; refused: the kernel says no to io_uring and bpf()
WORKERS = os.environ.get("CULVERT_TEST_WORKERS", "1")
RECEIVE = os.environ.get("CULVERT_TEST_RECEIVE", "auto")
SEND = os.environ.get("CULVERT_TEST_SEND", "auto")
READY = re.compile(r"\bis up\b|packets flow")  # the one line that `run` prints when packets flow


def program():
    return os.environ.get("CULVERT", f"{SOURCE}/build/tools/culvert")


def launcher(io=IO):
    """What goes in front of the program so that the kernel refuses it io_uring and bpf()."""
    if io != "refused":
        return []
    return [os.environ.get("CULVERT_TEST_REFUSE_CALLS", f"{SOURCE}/build/tests/netns/refuse_calls")]


def refusing_super_packets():
    """What goes in front of the program so that the kernel refuses its super-packets: on the packet socket, and
    with epoll on TUN."""
    library = os.environ.get("CULVERT_TEST_REFUSE_SUPER_PACKETS", f"{SOURCE}/build/tests/netns/refuse_super_packets.so")
    return ["env", f"LD_PRELOAD={library}"]


def is_sanitized():
    with open(program(), "rb") as file:
        content = file.read()
    return b"__asan_init" in content or b"__tsan_init" in content


class Culvert:
    """`culvert run` in a namespace. `words` is what follows `run`, as a user would type it."""

    def __init__(self, namespace, words, options="", wait=True, io=None, workers=None, receive=None,
                 send=None, prefix=()):
        self.namespace = namespace
        words = shlex.split(words) if isinstance(words, str) else list(words)
        self.name = words[0] if not words[0].startswith("-") else "config"
        self.control = f"{WORK}/{namespace.name}-{self.name}.socket"
        self.io, self.workers, self.receive = io or IO, workers or WORKERS, receive or RECEIVE
        argv = [*launcher(self.io), *prefix, program(), "run", *words, "--control", self.control,
                "--io", "auto" if self.io == "refused" else self.io, "--workers", self.workers,
                "--receive", self.receive, "--send", send or SEND, *shlex.split(options)]
        self.process = namespace.start(argv, name=f"culvert-{self.name}")
        on_failure.append(lambda: f"--- {namespace.name}: {self.show() if self.process.alive() else 'has ended'}")
        if wait:
            self.wait_ready()

    def wait_ready(self, seconds=90):
        def ready():
            if not self.process.alive():
                raise Failure(f"culvert ended early: {self.process.wait()}")
            return READY.search(self.process.stdout())

        wait_until(ready, "the line that says packets flow", seconds, 0.02)
        if self.io == "refused":
            line = self.run_line()
            expect("epoll" in line and ("EPERM" in line or "not permitted" in line),
                   f"io_uring was refused, and the line does not say epoll and why: {line}")

    def run_line(self):
        return next(line for line in self.process.stdout().splitlines() if READY.search(line))

    def show_text(self):
        return self.namespace.run([program(), "show", "--control", self.control], name="show").stdout

    def show(self):
        """The device of this process, as `show --json` prints it."""
        result = self.namespace.run([program(), "show", "--json", "--control", self.control], name="show")
        devices = json.loads(result.stdout)["devices"]
        expect_equal(len(devices), 1, f"devices in {result.stdout}")
        return devices[0]

    def tunnel(self, name=None):
        tunnels = self.show()["tunnels"]
        return tunnels[0] if name is None else next(t for t in tunnels if t["name"] == name)

    def drops(self):
        """All drop counters that moved: {reason: count}, of the device and of its tunnels."""
        device = self.show()
        total = {}
        for drops in [device["drops"], *(tunnel["drops"] for tunnel in device["tunnels"])]:
            for reason, count in drops.items():
                if count:
                    total[reason] = total.get(reason, 0) + count
        return total

    def wait_for_drops(self, wanted, what="drops"):
        """Waits until the drop counters say that the packets were handled as `wanted` says: {reason: count}."""
        try:
            wait_until(lambda: self.drops() == wanted, what, interval=0.01)
        except Failure:
            expect_equal(self.drops(), wanted, what)

    def wait_received(self, count, way="in"):
        """Waits until the only tunnel has taken `count` packets, to be delivered or dropped."""
        key = f"{way}_received"
        wait_until(lambda: self.tunnel()[key] >= count, f"{count} packets ({key})", interval=0.01)

    def expect_conserved(self):
        """in = out + dropped + held for each tunnel; and nothing is held once no packet is under way."""

        def unbalanced():
            return [t for t in self.show()["tunnels"] if
                    t["in_received"] + t["out_received"] + t["errors_received"] !=
                    t["in_packets"] + t["out_packets"] + t["errors_relayed"] + sum(t["drops"].values())]

        try:
            wait_until(lambda: not unbalanced(), "in = out + dropped + held")
        except Failure:
            raise Failure(f"in = out + dropped does not hold at rest: {unbalanced()}") from None

    def resident_kib(self):
        with open(f"/proc/{self.process.pid}/status") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))

    def cpu_seconds(self):
        """CPU time of all its threads so far."""
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def send_signal(self, number):
        os.kill(self.process.pid, number)

    def stop(self, number=signal.SIGTERM, seconds=90):
        """Stops it as a user would, and checks that nothing stays behind. Returns how it ended."""
        devices = [device["name"] for device in json.loads(self.namespace.run(
            [program(), "show", "--json", "--control", self.control], name="show").stdout)["devices"]]
        self.send_signal(number)
        result = self.process.wait(seconds)
        expect_equal(result.status, 0, f"exit status after signal {number}: {result}")
        for name in devices:
            wait_until(lambda: not self.namespace.link_exists(name), f"device {name} to go", 10, 0.01)
        expect(not os.path.exists(self.control), f"{self.control} is still there")
        return result


def run_refused(namespace, words, options="", prefix=(), check=True):
    """A `culvert run` that must not start: how it ended. One clear sentence on stderr, nothing left behind."""
    control = f"{WORK}/refused.socket"
    links = {link["ifname"] for link in namespace.ip_json("link show")}
    words = shlex.split(words) if isinstance(words, str) else list(words)
    result = namespace.run([*prefix, program(), "run", *words, "--control", control, *shlex.split(options)],
                           check=False, timeout=90, name="refused")
    left = {link["ifname"] for link in namespace.ip_json("link show")} - links
    expect(not left, f"left behind: {left}")
    expect(not os.path.exists(control), "the control socket was left behind")
    if check:
        lines = result.stderr.strip().splitlines()
        expect(len(lines) == 1, f"one sentence is wanted on stderr, not {len(lines)} lines: {result}")
    return result
