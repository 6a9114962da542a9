"""A real Linux kernel as the remote endpoint: user-mode Linux with its sit, ipip and ip_gre modules, one a scenario."""

import json
import os
import shutil
import socket
import threading

from .net import Result
from .world import WORK, Failure, wait_until

KERNEL = shutil.which("linux.uml") or shutil.which("linux.uml", path="/usr/bin")
INIT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "uml_init.py")
AGENT_PORT = 9
SLOW_START = "raid6_select_algo"  # measures for most of a second how to compute what is needed for disks only


class RemoteProcess:
    """A command on the other kernel; it has the interface of net.Process as far as traffic.py needs it."""

    def __init__(self, uml, argv, timeout):
        self.argv, self.reply, self.error = [str(word) for word in argv], None, None
        with uml.namespace.entered():
            self.socket = socket.create_connection((uml.address, AGENT_PORT), timeout=5)
        self.socket.settimeout(timeout + 5)
        self.socket.sendall(json.dumps({"argv": self.argv, "timeout": timeout}).encode() + b"\n")
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.lines = ""
        self.thread.start()

    def _read(self):
        try:
            with self.socket.makefile() as stream:
                for line in stream:
                    message = json.loads(line)
                    if "status" in message:
                        self.reply = message
                    else:
                        self.lines += message["stdout"]
        except OSError as error:
            self.error = error

    def stdout(self):
        return self.lines

    def wait(self, timeout=90):
        self.thread.join(timeout)
        if self.reply is None:
            raise Failure(f"far kernel: {self.argv} did not end within {timeout} s ({self.error})")
        return Result(self.argv, self.reply["status"], self.lines, self.reply["stderr"])


class Uml:
    """Boots a kernel whose only interface is a TAP of `namespace`; outer addresses are near/24 and far/24. `modules`:
    those that it loads beside the tunnels."""

    def __init__(self, namespace, near="198.51.100.1", far="198.51.100.2", tap="tap0", offload=False, modules=()):
        if KERNEL is None:
            raise Failure("no linux.uml: install Debian's user-mode-linux")
        self.namespace, self.address, self.name = namespace, far, "far"
        namespace.ip(f"tuntap add {tap} mode tap")
        namespace.ip(f"addr add {near}/24 dev {tap}")
        namespace.ip(f"link set {tap} up")
        interface, device = "eth0", f"eth0=tuntap,{tap}"
        if offload:
            # This device leaves checksums to the near end (virtio header), also that of GRE.
            interface, device = "vec0", f"vec0:transport=tap,ifname={tap},depth=128"
        argv = ["env", f"TMPDIR={WORK}", KERNEL, "mem=160M", "rootfstype=hostfs", "rootflags=/", "ro", f"init={INIT}",
                f"uml_dir={WORK}", f"umid={tap}", device, "con=null", "quiet",
                "con0=fd:0,fd:1", f"initcall_blacklist={SLOW_START}", "--", far, interface, str(AGENT_PORT), ",".join(modules) or "-"]
        # The kernel's processes end with the world's process 1, like everything else.
        self.process = namespace.start(argv, name="uml")
        wait_until(lambda: "agent ready" in self.process.stdout() or not self.process.alive(),
                   "user-mode Linux to boot", 90, 0.02)
        wait_until(self._answers, "user-mode Linux to answer", 30, 0.1)
        if offload:  # but it takes no super-packets: they must be cut to size before
            namespace.run(["ethtool", "-K", tap, "tso", "off", "gso", "off"])

    def _answers(self):
        if not self.process.alive():
            raise Failure(f"user-mode Linux ended: {self.process.wait()}")
        try:
            return RemoteProcess(self, ["true"], 5).wait(5).status == 0
        except (OSError, Failure):
            return False

    def start(self, argv, name=None, timeout=150, function=None):
        # `function` is for processes of this kernel; the agent there knows traffic_tool.py itself.
        return RemoteProcess(self, argv, timeout)

    def run(self, argv, timeout=90, check=True, name=None):
        result = self.start(argv, timeout=timeout).wait(timeout)
        if check and result.status != 0:
            raise Failure(f"far kernel: {result}")
        return result

    def ip(self, words, check=True):
        return self.run(["ip", *words.split()], check=check)

    def ip_json(self, words):
        text = self.ip(f"-j {words}").stdout.strip()
        return json.loads(text) if text else []
