"""Two network namespaces joined by a veth pair, and the tunnels that bench/side_by_side compares.

    namespace a                                        namespace b
    fd00:c::1 [tunnel] 192.0.2.1 ---- wire ---- 192.0.2.2 [tunnel] fd00:c::2

Every offload of the veth pair is off: packets on the wire are MTU-sized and carry finished
checksums, as on a cable. All that is made lies in the namespaces and a temporary folder.
"""
import contextlib
import json
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import tempfile
import time

OUTER = {"a": "192.0.2.1", "b": "192.0.2.2"}
INNER = {"a": "fd00:c::1", "b": "fd00:c::2"}
OTHER = {"a": "b", "b": "a"}
OFFLOADS = ("tso", "gso", "gro", "lro", "sg", "tx", "rx")
OFFLOADS_THAT_MUST_BE_OFF = ("tcp-segmentation-offload", "generic-segmentation-offload",
                             "generic-receive-offload", "tx-checksumming")
# Debian's own settings, whatever this machine's are: so numbers of two machines can be compared.
SETTINGS = ("net.ipv4.tcp_rmem=4096 131072 6291456", "net.ipv4.tcp_wmem=4096 16384 4194304")
READY_SECONDS = 15


class Failure(Exception):
    """What is wrong, in one sentence for the user."""


def run(*command, timeout=30):
    """Runs a short command; returns what it prints."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=timeout, check=False)
    if done.returncode != 0:
        raise Failure(f"{shlex.join(command)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


class Process:
    """A process inside a namespace, in a session of its own so that Ctrl-C comes to us alone."""

    def __init__(self, command, errors, name):
        self.name, self.errors = name, errors
        with open(errors, "w", encoding="utf-8") as stderr:
            self.popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=stderr,
                                          stdout=subprocess.PIPE, text=True,
                                          start_new_session=True)
        self.pid = self.popen.pid

    def alive(self):
        return self.popen.poll() is None

    def explain(self):
        text = self.errors.read_text(encoding="utf-8").strip()
        return f"{self.name}: {text.splitlines()[-1] if text else 'ended without a word'}"

    def result(self, timeout):
        """Waits for its end and reads its one line of JSON."""
        try:
            out, _ = self.popen.communicate(timeout=timeout)
        except subprocess.TimeoutExpired as error:
            raise Failure(f"{self.name} did not end within {timeout} s") from error
        if self.popen.returncode != 0 or not out.strip():
            raise Failure(self.explain())
        return json.loads(out)

    def stop(self):
        if self.alive():
            self.popen.terminate()
            try:
                self.popen.wait(5)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait(5)
        self.popen.stdout.close()

    def resident_kib(self):
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return int(status.split("VmRSS:")[1].split()[0])

    def cpu_seconds(self):
        """(user, system) so far."""
        stat = pathlib.Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8")
        user, system = stat.rpartition(")")[2].split()[11:13]
        return int(user) / os.sysconf("SC_CLK_TCK"), int(system) / os.sysconf("SC_CLK_TCK")


class Rig:
    """The two namespaces, and the processes started in them. A context manager."""

    def __init__(self):
        self.namespace = {end: f"culvert-bench-{os.getpid()}-{end}" for end in "ab"}
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="culvert-bench-"))
        self.processes = []

    def __enter__(self):
        try:
            self.build()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_):
        self.remove()

    def build(self):
        for namespace in self.namespace.values():
            run("ip", "netns", "add", namespace)
        run("ip", "link", "add", "wire", "netns", self.namespace["a"], "type", "veth",
            "peer", "name", "wire", "netns", self.namespace["b"])
        for end in "ab":
            self.inside(end, "sysctl", "-q", "-w", *SETTINGS)
            self.inside(end, "ip", "link", "set", "lo", "up")
            self.inside(end, "ip", "address", "add", OUTER[end] + "/24", "dev", "wire")
            for offload in OFFLOADS:  # one by one: a fixed one is refused; looked at below
                with contextlib.suppress(Failure):
                    self.inside(end, "ethtool", "-K", "wire", offload, "off")
            on = [line for line in self.inside(end, "ethtool", "-k", "wire").splitlines()
                  if line.startswith(OFFLOADS_THAT_MUST_BE_OFF) and ": on" in line]
            if on:
                raise Failure(f"the veth pair keeps offloads: {', '.join(on)}")
            self.inside(end, "ip", "link", "set", "wire", "mtu", "1500", "up")

    def command(self, end, *command):
        return ["ip", "netns", "exec", self.namespace[end], *map(str, command)]

    def inside(self, end, *command, timeout=30):
        return run(*self.command(end, *command), timeout=timeout)

    def start(self, end, *command):
        name = f"{pathlib.Path(str(command[0])).name} in namespace {end}"
        errors = self.folder / f"{len(self.processes)}.err"
        self.processes.append(Process(self.command(end, *command), errors, name))
        return self.processes[-1]

    def remove(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave half of it
        for process in self.processes:
            with contextlib.suppress(Exception):
                process.stop()
        for namespace in self.namespace.values():
            subprocess.run(["ip", "netns", "delete", namespace], check=False, capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)


class Tunnel:
    """One kind of tunnel between the inner addresses. A context manager: in it, packets flow."""

    def __init__(self, rig):
        self.rig, self.ends = rig, {}

    def open(self, end):
        """Makes one end; a tunnel in user space returns its process."""
        raise NotImplementedError

    def close(self):
        for process in self.ends.values():
            process.stop()

    def __enter__(self):
        try:
            self.ends = {end: process for end in "ab" if (process := self.open(end))}
            self.wait_until_ready()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def wait_until_ready(self):
        deadline = time.monotonic() + READY_SECONDS
        while True:
            for process in self.ends.values():
                if not process.alive():
                    raise Failure(process.explain())
            with contextlib.suppress(Failure):
                self.rig.inside("a", "ping", "-6", "-c", "1", "-W", "1", INNER["b"])
                return
            if time.monotonic() > deadline:
                raise Failure(f"no answer through the tunnel within {READY_SECONDS} s")
            time.sleep(0.1)


class Culvert(Tunnel):
    """culvert at both ends; `mode` is sit or gre."""

    def __init__(self, rig, mode, program, options):
        super().__init__(rig)
        self.mode, self.program, self.options = mode, program, options

    def control(self, end):
        return self.rig.folder / f"control-{end}"

    def open(self, end):
        return self.rig.start(
            end, self.program, "run", "--control", self.control(end), *self.options,
            "tunnel", "mode", self.mode, "remote", OUTER[OTHER[end]], "local", OUTER[end],
            "ttl", "64", "address", INNER[end] + "/64")

    def show(self, end):
        """The one device that the process at this end reports."""
        text = self.rig.inside(end, self.program, "show", "--json", "--control", self.control(end))
        return json.loads(text)["devices"][0]


class Socat(Tunnel):
    """socat between a TUN device and a raw socket for protocol 41: IPv6 in IPv4."""

    def open(self, end):
        process = self.rig.start(end, "socat", "-b", "65536", "TUN,tun-name=tunnel,iff-no-pi",
                                 f"IP4-SENDTO:{OUTER[OTHER[end]]}:41,bind={OUTER[end]}")
        deadline = time.monotonic() + READY_SECONDS
        while "tunnel:" not in self.rig.inside(end, "ip", "-o", "link", "show"):
            if not process.alive() or time.monotonic() > deadline:
                raise Failure(process.explain())
            time.sleep(0.02)
        configure(self.rig, end, mtu=1480)
        return process


class Vxlan(Tunnel):
    """The kernel's VXLAN: what a tunnel costs that never leaves the kernel."""

    def open(self, end):
        self.rig.inside(end, "ip", "link", "add", "tunnel", "type", "vxlan", "id", "1", "dev",
                        "wire", "local", OUTER[end], "remote", OUTER[OTHER[end]], "dstport", "4789")
        configure(self.rig, end, mtu=1450)

    def close(self):
        for end in "ab":
            with contextlib.suppress(Failure):
                self.rig.inside(end, "ip", "link", "delete", "tunnel")


def configure(rig, end, mtu):
    """What culvert does by itself and the others leave to the user."""
    rig.inside(end, "ip", "address", "add", INNER[end] + "/64", "dev", "tunnel", "nodad")
    rig.inside(end, "ip", "link", "set", "tunnel", "mtu", mtu, "up")
