#!/usr/bin/python3
"""The first process of the user-mode Linux: loads sit and ip_gre, sets the outer address up and then runs
what the test asks for over TCP: one command a connection, a JSON line in, its output and a status out."""

import ctypes
import json
import os
import socket
import subprocess
import sys
import threading

FINIT_MODULE, REBOOT = 313, 169  # x86_64 system call numbers; this Debian has no kmod inside
libc = ctypes.CDLL(None, use_errno=True)


def mount(kind, target):
    if libc.mount(kind.encode(), target.encode(), kind.encode(), 0, None) != 0:
        print(f"mount {target}: {os.strerror(ctypes.get_errno())}", flush=True)


def load(wanted):
    """Loads modules with what they depend on, from Debian's modules.dep."""
    base = f"/usr/lib/uml/modules/{os.uname().release}"
    needs, loaded = {}, set()
    with open(f"{base}/modules.dep") as file:
        for line in file:
            module, _, others = line.partition(":")
            needs[module] = others.split()

    def insert(module):
        if module not in loaded:
            loaded.add(module)
            with open(f"{base}/{module}", "rb") as file:
                if libc.syscall(FINIT_MODULE, file.fileno(), b"", 0) != 0:
                    print(f"load {module}: {os.strerror(ctypes.get_errno())}", flush=True)

    for name in wanted:
        module = next(path for path in needs if path.endswith(f"/{name}.ko"))
        for other in reversed(needs[module]):
            insert(other)
        insert(module)


def serve(connection):
    with connection, connection.makefile("rw") as stream:
        request = json.loads(stream.readline())
        try:
            process = subprocess.Popen(request["argv"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True)
        except OSError as error:
            answer = {"status": 127, "stderr": str(error)}
        else:
            timer = threading.Timer(request["timeout"], process.kill)
            timer.start()
            for line in process.stdout:
                stream.write(json.dumps({"stdout": line}) + "\n")
                stream.flush()
            answer = {"stderr": process.stderr.read(), "status": process.wait()}
            timer.cancel()
        stream.write(json.dumps(answer) + "\n")


def main():
    address, interface, port = sys.argv[1:4]
    os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
    mount("proc", "/proc")
    mount("sysfs", "/sys")
    load(["ipv6", "sit", "ip_gre"])
    for knob in ("all", "default"):
        with open(f"/proc/sys/net/ipv6/conf/{knob}/accept_dad", "w") as file:
            file.write("0")
    for words in ("link set lo up", f"addr add {address}/24 dev {interface}", f"link set {interface} up"):
        subprocess.run(["ip", *words.split()], check=True)
    with socket.create_server((address, int(port))) as server:
        print("agent ready", flush=True)
        while True:
            connection, _ = server.accept()
            threading.Thread(target=serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    try:
        main()
    except BaseException as error:  # the kernel would panic without saying why
        print(f"far end: {error!r}", flush=True)
    libc.reboot(0x4321FEDC)
