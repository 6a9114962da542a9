#!/usr/bin/python3
"""The first process of the user-mode Linux: loads sit, ipip and ip_gre, sets the outer address up and then runs
what the test asks for over TCP: one command a connection, a JSON line in, its output and a status out."""

import ctypes
import json
import os
import socket
import subprocess
import sys
import threading
import traceback

import traffic_tool

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


def run_tool(words, say):
    """traffic_tool.py in this thread: to start a Python, and even to fork one, takes long here."""
    try:
        traffic_tool.main(words, say)
    except BaseException:  # argparse raises SystemExit
        return {"status": 1, "stderr": traceback.format_exc()}
    return {"status": 0, "stderr": ""}


def run_command(argv, timeout, say):
    try:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True)
    except OSError as error:
        return {"status": 127, "stderr": str(error)}
    timer = threading.Timer(timeout, process.kill)
    timer.start()
    for line in process.stdout:
        say(line.rstrip("\n"))
    answer = {"stderr": process.stderr.read(), "status": process.wait()}
    timer.cancel()
    return answer


def serve(connection):
    with connection, connection.makefile("rw") as stream:
        def tell(message):
            stream.write(json.dumps(message) + "\n")
            stream.flush()

        def say(line):
            tell({"stdout": line + "\n"})

        request = json.loads(stream.readline())
        argv = request["argv"]
        if len(argv) > 1 and os.path.basename(argv[1]) == "traffic_tool.py":
            tell(run_tool(argv[2:], say))
        else:
            tell(run_command(argv, request["timeout"], say))


def main():
    address, interface, port, modules = sys.argv[1:5]  # the kernel appends words of its own
    os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
    mount("proc", "/proc")
    mount("sysfs", "/sys")
    load(["ipv6", "sit", "ipip", "ip_gre", *(modules.split(",") if modules != "-" else [])])
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
        print(f"remote endpoint: {error!r}", flush=True)
    libc.reboot(0x4321FEDC)
