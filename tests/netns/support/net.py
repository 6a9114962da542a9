"""Namespaces, the interfaces between them, and the processes in them."""

import contextlib
import fcntl
import itertools
import json
import os
import select
import shlex
import signal
import socket
import struct
import subprocess
import sys
import traceback

from .world import CLONE_NEWNET, WORK, Failure, system_call, wait_until

SIOCGIFMTU = 0x8921

_serial = itertools.count(1)


class Result:
    """How a command ended: exit status (negative: the signal) and what it printed."""

    def __init__(self, argv, status, stdout, stderr):
        self.argv, self.status, self.stdout, self.stderr = argv, status, stdout, stderr

    def __str__(self):
        return f"{shlex.join(self.argv)}: status {self.status}\n{self.stdout}{self.stderr}"


class Fork:
    """A function in a process of its own: as much of subprocess.Popen as Process needs."""

    def __init__(self, function, stdout, stderr):
        self.returncode = None
        sys.stdout.flush()  # or the child would print it once more
        self.pid = os.fork()
        if self.pid == 0:
            self._run(function, stdout.fileno(), stderr.fileno())

    @staticmethod
    def _run(function, stdout, stderr):
        status = 1
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(stdout, 1)
            os.dup2(stderr, 2)
            os.closerange(3, 1 << 16)  # the test's captures among them: they would fill
            function()
            status = 0
        except BaseException:  # of whatever kind: never must the child go on as the test
            traceback.print_exc()
        sys.stdout.flush()
        os._exit(status)

    def poll(self):
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid != 0:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self):
        if self.returncode is None:
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.returncode

    def kill(self):
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


class Process:
    """A command that runs beside the test; its output goes to files below WORK.

    `function`: what runs instead of starting argv[0], which is a Python program that need not be loaded again.
    """

    def __init__(self, argv, name, function=None):
        self.argv = [str(word) for word in argv]
        stem = f"{WORK}/{next(_serial):02}-{name}"
        self.stdout_path, self.stderr_path = f"{stem}.stdout.log", f"{stem}.stderr.log"
        with open(self.stdout_path, "wb") as out, open(self.stderr_path, "wb") as err:
            if function:
                self.popen = Fork(function, out, err)
            else:
                self.popen = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err)

    @property
    def pid(self):
        return self.popen.pid

    def alive(self):
        return self.popen.poll() is None

    def stdout(self):
        with open(self.stdout_path, errors="replace") as file:
            return file.read()

    def stderr(self):
        with open(self.stderr_path, errors="replace") as file:
            return file.read()

    def wait(self, timeout=90):
        if self.alive():
            # Popen.wait with a timeout looks now and then; the kernel tells at once.
            with os.fdopen(os.pidfd_open(self.pid)) as ended:
                if not select.select([ended], [], [], timeout)[0]:
                    self.kill()
                    raise Failure(f"{shlex.join(self.argv)} did not end within {timeout} s")
        return Result(self.argv, self.popen.wait(), self.stdout(), self.stderr())

    def forget(self):
        """Removes the logs: what it said is in its Result."""
        os.unlink(self.stdout_path)
        os.unlink(self.stderr_path)

    def kill(self):
        self.popen.kill()
        self.popen.wait()


class Namespace:
    """A network namespace with loopback up. Its name is private to the scenario's mount namespace."""

    def __init__(self, name):
        self.name = name
        _ip(["netns", "add", name])
        self.ip("link set lo up")
        # No duplicate address detection: a test must not wait for, or race with, tentative addresses.
        for scope in ("all", "default"):
            self.sysctl(f"net.ipv6.conf.{scope}.accept_dad", 0)

    def start(self, argv, name=None, function=None):
        name = name or os.path.basename(argv[0])
        with self.entered():
            return Process(argv, f"{self.name}-{name}", function)

    def run(self, argv, timeout=90, check=True, name=None):
        process = self.start(argv, name)
        result = process.wait(timeout)
        process.forget()
        if check and result.status != 0:
            raise Failure(str(result))
        return result

    def ip(self, words, check=True):
        """`ip` in this namespace, without a process of its own in the log."""
        return _ip(["-n", self.name, *shlex.split(words)], check)

    def ip_batch(self, *lines):
        """Several commands by one `ip`: on a virtual machine to start it costs more than what it does."""
        _ip(["-n", self.name, "-batch", "-"], text="".join(f"{line}\n" for line in lines))

    def link_locals(self, device):
        """The addresses of a device that have link scope."""
        addresses = self.ip_json(f"addr show dev {device}")[0]["addr_info"]
        return [address["local"] for address in addresses if address["scope"] == "link"]

    def ip_json(self, words):
        text = self.ip(f"-j {words}").stdout.strip()
        return json.loads(text) if text else []

    def link_exists(self, name):
        with self.entered():
            try:
                return socket.if_nametoindex(name) != 0
            except OSError:
                return False

    def is_up(self, name):
        return self.ip_json(f"link show dev {name}")[0]["operstate"] == "UP"

    def mtu(self, name):
        with self.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            answer = fcntl.ioctl(control, SIOCGIFMTU, struct.pack("16si12x", name.encode(), 0))
        return struct.unpack("16si12x", answer)[1]

    def sysctl(self, name, value):
        with self.entered(), open(f"/proc/sys/{name.replace('.', '/')}", "w") as file:
            file.write(str(value))

    def forwards(self):
        """Makes this namespace a router."""
        self.sysctl("net.ipv4.ip_forward", 1)
        self.sysctl("net.ipv6.conf.all.forwarding", 1)

    def kernel_counter(self, name):
        """One counter of the namespace's IP stack, as `nstat` names it: TcpInCsumErrors, Ip6InDelivers..."""
        lines = self.run(["nstat", "-asz", name]).stdout.splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith(name))

    def rule(self, hook, text, family="inet"):
        """One nftables rule at a hook of this namespace (input, output, forward, prerouting, postrouting)."""
        self.nft(f"table {family} t{next(_serial)} {{\n chain c {{\n"
                 f"  type filter hook {hook} priority 0;\n  {text}\n }}\n}}\n")

    def nft(self, rules):
        """Reads nftables rules, as `nft -f` does."""
        path = f"{WORK}/{next(_serial):02}.nft"
        with open(path, "w") as file:
            file.write(rules)
        self.run(["nft", "-f", path])

    def device_setting(self, interface, name, value):
        """Writes /sys/class/net/INTERFACE/NAME."""
        # `ip netns exec` mounts the namespace's own /sys.
        self.run(["ip", "netns", "exec", self.name, "sh", "-c", f"echo {value} > /sys/class/net/{interface}/{name}"])

    @contextlib.contextmanager
    def entered(self):
        """This thread is in the namespace; what it opens stays there."""
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        try:
            system_call("setns", there, CLONE_NEWNET)
            yield
        finally:
            system_call("setns", here, CLONE_NEWNET)
            os.close(here)
            os.close(there)


def veth(left, right, left_address=None, right_address=None, left_name=None, right_name=None, mtu=1500):
    """Joins two namespaces; addresses as `ip addr add` takes them. Interface names default to `to_PEER`."""
    left_name, right_name = left_name or f"to_{right.name}", right_name or f"to_{left.name}"
    _ip(["link", "add", left_name, "mtu", str(mtu), "netns", left.name, "type", "veth",
         "peer", "name", right_name, "mtu", str(mtu), "netns", right.name])
    for namespace, name, address in ((left, left_name, left_address), (right, right_name, right_address)):
        addresses = [address] if isinstance(address, str) else address or []
        namespace.ip_batch(*(f"addr add {one} dev {name}" for one in addresses), f"link set {name} up")
    wait_until(lambda: left.is_up(left_name) and right.is_up(right_name), "the veth pair to come up", 20, 0.01)
    return left_name, right_name


def _ip(words, check=True, text=""):
    result = subprocess.run(["ip", *words], capture_output=True, text=True, input=text)
    if check and result.returncode != 0:
        raise Failure(f"ip {shlex.join(words)}: {result.stderr.strip()}")
    return result
