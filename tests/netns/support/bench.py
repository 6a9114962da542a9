"""`culvert-bench` in a scenario, and what it could leave behind.

What else runs on the machine is not to be seen here: /proc, /run and /tmp are the scenario's own, and mounts of
others can vanish (the kernel takes a mount away whose directory is removed), but none can come.
"""

import os
import subprocess

from .culvert import program
from .world import WORK, Failure, expect, expect_equal, mount, wait_until

MS_BIND = 0x1000
TOOLS = "/mnt"  # not below /run: bench has one of its own
OF_MODULES = {"sit0", "tunl0", "gre0", "gretap0", "erspan0", "ip6tnl0", "ip6gre0", "ip_vti0", "ip6_vti0"}


def own_tmp():
    """An empty /tmp for this scenario; the programs under test may be in the machine's."""
    mount(os.path.dirname(program()), TOOLS, "", MS_BIND)
    os.environ["CULVERT"] = f"{TOOLS}/{os.path.basename(program())}"
    mount("tmpfs", "/tmp", "tmpfs")


def mounts():
    """{mount point: its uppermost mount's (identifier, parent, device, root)}, and the set of all of these."""
    with open("/proc/self/mountinfo") as file:
        entries = [line.split() for line in file]
    return {entry[4]: tuple(entry[:4]) for entry in entries}, {tuple(entry[:5]) for entry in entries}


def world():
    """All that bench could leave behind or take away, without what belongs to the test."""
    uppermost, _ = mounts()
    with open("/proc/net/dev") as file:
        devices = [line.split(":")[0].strip() for line in file if ":" in line]
    return {"processes": sorted(int(pid) for pid in os.listdir("/proc") if pid.isdigit()),
            "own mounts": [uppermost.get(path) for path in ("/proc", "/run", "/tmp", TOOLS)],
            "run": sorted(os.listdir("/run")), "work": sorted(os.listdir(WORK)),
            "named namespaces": sorted(os.listdir("/run/netns")), "files": sorted(os.listdir("/tmp")),
            # The kernel makes some in every namespace when somebody on the machine loads a module.
            "devices": sorted(set(devices) - OF_MODULES)}


def start(*words, before=()):
    return subprocess.Popen([*before, program(), "bench", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, cwd=WORK)


def children():
    """Processes but the scenario's own and bench."""
    return len([pid for pid in os.listdir("/proc") if pid.isdigit()]) - 2


def wait_at_work(bench, processes, what):
    """Until bench has so many processes beside itself."""
    def is_at_work():
        expect(bench.poll() is None, f"it ended: {bench.communicate() if bench.poll() is not None else ''}")
        return children() >= processes

    try:
        wait_until(is_at_work, what, 60, 0.02)
    except Failure:
        shown = subprocess.run(["ps", "-eo", "pid,ppid,stat,wchan:20,args"], capture_output=True, text=True).stdout
        bench.kill()
        raise Failure(f"no {what}; processes:\n{shown}{bench.communicate()[1]}") from None


def before_bench():
    own_tmp()
    return world(), mounts()[1]


def expect_nothing_left(before):
    before, mounted = before

    # What lived in a namespace may take a moment after the program itself: orphans of a SIGKILL are ours.
    def is_clean():
        while True:
            try:
                if os.waitpid(-1, os.WNOHANG) == (0, 0):
                    break
            except ChildProcessError:
                break
        return world() == before and not mounts()[1] - mounted

    try:
        wait_until(is_clean, "the world as it was", 20, 0.05)
    finally:
        expect_equal(world(), before, "what is left")
        expect_equal(mounts()[1] - mounted, set(), "mounts that are left")


def figures_of(report):
    return {(each["work"], each["figure"]): each["value"] for each in report["figures"]}
