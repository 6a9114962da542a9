#!/usr/bin/env python3
"""Reads every include of the tree and checks the direction

    proto < io < engine/model < engine/tables < engine/flows < engine/forward < engine
                 engine/model < engine/offload               < engine/forward
                                engine/tables < engine/ndp                    < engine
    engine, io/netlink < engine/host < tools/culvert      tests and bench see everything

and that libraries and system calls are used where they belong (LIBRARIES, SYSTEM). It first checks itself: it must find
broken includes of its own. With `format` it asks clang-format about every source instead, with
`words` it looks for words that the field's own have replaced (RETIRED).

usage: tidy_test.py include|format|words [ROOT]; exit status 0, 1 (each fault is printed), 77 (skipped)
"""
import pathlib
import re
import shutil
import subprocess
import sys

_ENGINE = ["proto", "io", "engine/model", "engine/tables", "engine/offload", "engine/flows",
           "engine/ndp", "engine/forward", "engine"]
_HOST = [*_ENGINE, "io/netlink", "engine/host"]
# Each room, and the rooms that its files may include besides their own. Folders that are not here
# belong to the room around them: io/bpf and io/ndp to io.
ROOMS = {
    "proto": [],
    "io": ["proto"],
    "io/netlink": ["proto", "io"],
    "engine/model": ["proto", "io"],
    "engine/tables": ["proto", "io", "engine/model"],
    "engine/offload": ["proto", "io", "engine/model"],
    "engine/flows": ["proto", "io", "engine/model", "engine/tables"],
    "engine/ndp": ["proto", "io", "engine/model", "engine/tables"],
    "engine/forward": _ENGINE[:6],
    "engine": _ENGINE,
    "engine/host": _HOST,
    "tools/culvert/config": _HOST,
    "tools/culvert/show": [*_HOST, "tools/culvert/config"],
    "tools/culvert/import": [*_HOST, "tools/culvert/config"],
    "tools/culvert/daemon": [*_HOST, "tools/culvert/config", "tools/culvert/show"],
    "tools": [*_HOST, "tools/culvert/config", "tools/culvert/show", "tools/culvert/import",
              "tools/culvert/daemon"],
}
# Public headers of plain values: every room of the engine may include them.
VALUES = {"engine/config", "engine/counters", "engine/drop_reason", "engine/injected_descriptors"}
FREE = ["tests", "bench"]
# Libraries by the start of their headers' names, and the folders that may include them.
LIBRARIES = {
    ("liburing",): ("io",),
    ("netlink/",): ("io/netlink", "engine/host"),
    ("boost/", "spdlog/", "fmt/", "toml++/", "toml.hpp", "nlohmann/", "CLI/"): ("tools",),
    ("gtest/", "gmock/", "benchmark/"): (),
}
# Headers of system calls. The engine, engine/host excepted, reaches the kernel through io/ alone.
SYSTEM = re.compile(r"(sys|linux|net|netinet|netpacket)/|(unistd|poll|fcntl|sched|pthread|signal|spawn|ifaddrs|termios)\.h$")
# Names and phrases of our own making, and the words of the field that stand in their place.
RETIRED = {
    r"\b(find_)?clash(es)?\b|\bamong_equals\b": "config_conflict, find_conflict()",
    r"\bOpened\b|\bopen_all\b": "OpenedIo, open_io()",
    r"(?<![.>])\bjoinable\b|\braw_repair\b|\bCoalescer\b|\bSegmenter\b": "gro_match, gro_repair, Gro, Gso",
    r"\b[Tt]unnel_?[Aa]head\b|\bkWorthwhile\b": "Prefetcher, kMinTunnels",
    r"\b[Oo]utbound_?[Ww]ay\b|\bfind_way\b|\bOuterEnds\b": "OutboundRoute, select_tunnel(), OuterEndpoints",
    r"\b[Aa]rrived_?[Bb]y\b|\bIntake\b": "RxMeta, RxRequest",
    r"\b[Tt]ake_?[Pp]rogram\b|\bTakenEndpoints\b|\bkTakenMark\b": "BypassProgram, BypassEndpoints, kBypassMark",
    r"\b[Ff]low_?[Ll]ife\b|\bFlowPulse\b|\bFlowImage\b|\bgive_back\b": "FlowState, FlowActivity, FlowSnapshot, unlock()",
    r"\bTunnelDraft\b|\bComplaint\b": "TunnelBuilder, ConfigError",
    r"\bkeeps_house\b|\bkHouseChunk\b|\blook_ups_asked_for_\b": "RouteRefresher, kBatch, pending_",
    r"\bis_(it|told|nobodys)\b|\bhear_all\b|\bForwardingWish\b|\bKnownOfTunnel\b|\bNdpAsker\b|\bkPatience\b":
        "a noun that says what",
    r"\bcongestion_mark_lost\b|\bcoalesced_beyond_repair\b|\bfrom_tunnel_that_is_down\b":
        "ecn_ce_on_not_ect, gro_segment_size_unknown, inbound_tunnel_down",
    r"\b([Oo]ther|[Ff]ar|[Tt]unnel) ends?\b": "remote endpoint",
}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def room_of(path):
    """The innermost of ROOMS and FREE that `path`, relative to the root, lies in."""
    if path.rsplit(".", 1)[0] in VALUES:
        return "engine/model"
    matches = [room for room in [*ROOMS, *FREE] if path.startswith(room + "/")]
    return max(matches, key=len, default=None)


def library_complaint(path, room, name):
    if name.startswith("liburing") and not (path.endswith(".cc") or path == "io/uring.h"):
        return "liburing stays out of headers that are installed"
    for prefixes, folders in LIBRARIES.items():
        if name.startswith(prefixes) and room not in folders and not (
                "tools" in folders and room.startswith("tools/")):
            return f"this library is for {' and '.join(folders) or 'tests and bench'}"
    if SYSTEM.match(name) and (room == "engine" or room.startswith("engine/")) and room != "engine/host":
        return "system calls stay behind io/"
    return None


def complaint(path, line, exists):
    """What is wrong with one line of the file `path`, or None. `exists`: is there such a file?"""
    match = INCLUDE.match(line)
    room = room_of(path)
    if match is None or room in FREE:
        return None
    quote, name = match.groups()
    if quote == "<":
        return library_complaint(path, room, name)
    target = room_of(name)
    if target is None or not exists(name):
        return "an include in quotes starts at the root of the tree and names a file of ours"
    if name == "io/uring.h" and not (room == "io" and path.endswith(".cc")):
        return "io/uring.h is not installed: it is for io/*.cc alone"
    if target != room and target not in ROOMS[room]:
        return f"{room} does not see {target}"
    return None


def self_test():
    """Each of these is wrong, and the last ones are right."""
    def exists(name):
        return name != "proto/missing.h"

    wrong = [("proto/a.h", '#include "io/b.h"'), ("io/a.cc", '#include "engine/model/b.h"'),
             ("engine/a.cc", '#include "engine/host/b.h"'), ("io/a.h", "#include <liburing.h>"),
             ("io/a.h", '#include "io/uring.h"'), ("io/a.cc", '#include "io/netlink/b.h"'),
             ("engine/model/a.cc", '#include "engine/engine.h"'),
             ("engine/config.h", '#include "engine/tables/b.h"'),
             ("engine/tables/a.h", '#include "engine/flows/b.h"'),
             ("engine/offload/a.h", '#include "engine/tables/b.h"'),
             ("engine/flows/a.h", '#include "engine/offload/b.h"'),
             ("engine/ndp/a.h", '#include "engine/forward/b.h"'),
             ("engine/a.cc", "#include <liburing.h>"), ("engine/a.h", "# include <boost/asio.hpp>"),
             ("engine/host/a.cc", "#include <spdlog/spdlog.h>"), ("io/a.cc", "#include <netlink/socket.h>"),
             ("proto/a.cc", '#include "b.h"'), ("proto/a.cc", '#include "proto/missing.h"'),
             ("engine/host/a.cc", '#include "tools/culvert/config/b.h"'),
             ("tools/culvert/config/a.cc", '#include "tools/culvert/daemon/b.h"'),
             ("tools/culvert/a.cc", '#include "bench/e2e/b.h"'),
             ("io/netlink/a.cc", "#include <liburing.h>"),
             ("tools/culvert/a.cc", "#include <netlink/socket.h>"),
             ("engine/a.cc", "#include <sys/eventfd.h>"), ("engine/ndp/a.cc", "#include <poll.h>"),
             ("engine/flows/a.h", "#include <linux/if_packet.h>"), ("engine/model/a.cc", "#include <unistd.h>"),
             ("engine/a.cc", '#include "tests/support/b.h"'), ("io/a.cc", "#include <gtest/gtest.h>")]
    right = [("io/a.cc", "#include <liburing.h>"), ("io/uring.h", "#include <liburing.h>"),
             ("io/a.cc", '#include "io/bpf/b.h"'), ("io/bpf/a.cc", '#include "io/b.h"'),
             ("io/netlink/a.cc", "#include <netlink/socket.h>"),
             ("engine/tables/a.h", '#include "engine/config.h"'),
             ("engine/host/a.h", '#include "engine/engine.h"'), ("engine/host/a.cc", "#include <sys/socket.h>"),
             ("io/a.cc", "#include <sys/mman.h>"), ("tools/culvert/daemon/a.cc", "#include <unistd.h>"),
             ("tools/culvert/daemon/a.cc", "#include <boost/asio.hpp>"),
             ("engine/a.cc", '#include "proto/b.h"'), ("tests/a.cc", '#include "tools/culvert/b.h"'),
             ("tools/culvert/daemon/a.cc", '#include "engine/host/b.h"'), ("io/a.cc", "#include <span>")]
    return [f"not found: {line} in {path}" for path, line in wrong if not complaint(path, line, exists)
            ] + [f"found: {line} in {path}" for path, line in right if complaint(path, line, exists)]


def sources(root):
    return sorted(path for folder in ("proto", "io", "engine", "tools", "tests", "bench")
                  for path in (root / folder).rglob("*") if path.suffix in (".h", ".cc"))


def check_includes(root, files):
    complaints = self_test()
    for file in files:
        path = file.relative_to(root).as_posix()
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            if reason := complaint(path, line, lambda name: (root / name).is_file()):
                complaints.append(f"{path}:{number}: {line.strip()}: {reason}")
    return complaints


def check_words(root):
    """The changelog tells of the old names, and this file has them in its list."""
    patterns = [(re.compile(pattern), instead) for pattern, instead in RETIRED.items()]
    if not any(pattern.search("a KnownOfTunnel at the far end") for pattern, _ in patterns):
        return ["the list of words finds nothing"]
    complaints = []
    for file in sorted(root.rglob("*")):
        path = file.relative_to(root)
        if (file.suffix not in (".h", ".cc", ".py", ".md", ".scd", ".cmake") or not file.is_file()
                or path.parts[0].startswith(("build", ".")) or path.name in ("CHANGELOG.md", "tidy_test.py")):
            continue
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            complaints += [f"{path.as_posix()}:{number}: '{match[0]}': say {instead}" for pattern, instead in patterns
                           for match in [pattern.search(line)] if match]
    return complaints


def check_format(files):
    program = shutil.which("clang-format-14")
    if program is None:
        print("skipped: clang-format-14 is not installed")
        sys.exit(77)
    done = subprocess.run([program, "--dry-run", "-Werror", *map(str, files)], check=False,
                          capture_output=True, text=True)
    return done.stderr.splitlines() or ([] if done.returncode == 0 else ["clang-format failed"])


def main():
    root = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else __file__).resolve()
    root = root if root.is_dir() else root.parent.parent
    files = sources(root)
    if len(files) < 10:
        print(f"{root}: where are the sources?")
        return 1
    checks = {"format": lambda: check_format(files), "words": lambda: check_words(root),
              "include": lambda: check_includes(root, files)}
    complaints = checks[sys.argv[1] if len(sys.argv) > 1 else "include"]()
    print("\n".join(complaints) or f"{len(files)} files are as they should be")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
