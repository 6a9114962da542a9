#!/usr/bin/env python3
"""tools/quickstart, as a user runs it: it shows both tunnels, and leaves nothing behind when it is
done, when it is stopped at work, and when something is missing.

usage: quickstart_test.py BUILD-FOLDER; exit status 77 without root or a TUN device
"""
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

QUICKSTART = pathlib.Path(__file__).resolve().parent.parent.parent / "tools/quickstart"


def start(prefix=()):
    """In a session of its own, as in a terminal: Ctrl-C goes to all of it."""
    return subprocess.Popen([*prefix, QUICKSTART], stdin=subprocess.DEVNULL, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            start_new_session=True)


def left_behind(process):
    """Namespaces and processes that are this run's."""
    names = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True)
    namespaces = [name for name in names.stdout.split() if f"-{process.pid}-" in name]
    members = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[3]) == process.pid and fields[0] != "Z":  # its session
            members.append(stat.parent.name)
    return namespaces + members


def check(condition, what, output=""):
    if not condition:
        print(f"FAILED: {what}\n{output}")
        sys.exit(1)
    print(f"ok: {what}")


def shows_both_tunnels():
    process = start()
    output, _ = process.communicate(timeout=300)
    check(process.returncode == 0, "it ends with 0", output)
    for name in (r"6in4 \(sit\)", "GRE"):
        row = re.search(rf"^{name} +([0-9.]+) ms +0% +([0-9]+) Mbit/s +([0-9]+) MB, every byte",
                        output, re.MULTILINE)
        check(row and float(row[1]) > 0 and int(row[2]) > 0 and int(row[3]) > 0,
              f"the row of {name} has numbers", output)
    check(re.search("run he-ipv6 mode sit remote .* route ::/0$", output), "the broker's command",
          output)
    check(not left_behind(process), "nothing is left")


def cleans_up_after(number):
    process = start()
    for line in process.stdout:
        if line.startswith("IPv6 through GRE"):
            break
    time.sleep(1)  # in the middle of the second tunnel
    check(left_behind(process), f"it is at work before {number.name}")
    os.killpg(process.pid, number)
    output, _ = process.communicate(timeout=30)
    check(process.returncode == 128 + number, f"{number.name} ends it", output)
    check(not left_behind(process), f"nothing is left after {number.name}")


def refuses(what, prefix, sentence):
    process = start(prefix)
    output, _ = process.communicate(timeout=30)
    check(process.returncode == 1 and re.search(sentence, output), f"it says: {what}", output)
    check(not left_behind(process), f"nothing is left: {what}")


def main():
    if os.geteuid() != 0 or not os.path.exists("/dev/net/tun"):
        print("skipped: needs root and /dev/net/tun")
        return 77
    os.environ["CULVERT_BUILD"] = str(pathlib.Path(sys.argv[1]).resolve())
    shows_both_tunnels()
    cleans_up_after(signal.SIGINT)
    cleans_up_after(signal.SIGTERM)
    refuses("no TUN device", ["unshare", "--mount", "sh", "-c",
                              'mount -t tmpfs none /dev/net && exec "$0"'], "/dev/net/tun is missing")
    refuses("no root", ["setpriv", "--reuid", "65534", "--clear-groups"], "needs root")
    return 0


if __name__ == "__main__":
    sys.exit(main())
