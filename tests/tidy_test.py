#!/usr/bin/env python3
"""Reads every include of the tree and checks the direction

    std <- proto <- io <- engine <- engine/control <- tools       tests and bench see everything

and that the libraries stay where they belong: liburing in io/*.cc (and io/uring.h, which is not
installed), what the control plane uses in engine/control and tools. Also that it is the checker that is at work: broken includes of its own
must all be found. With `format` it asks clang-format about every source instead.

usage: tidy_test.py include|format [ROOT]; exit status 0, 1 (what is wrong is printed), 77 (skipped)
"""
import pathlib
import re
import shutil
import subprocess
import sys

LAYERS = ["proto", "io", "engine", "engine/control", "tools"]
FREE = ["tests", "bench"]
CONTROL_LIBRARIES = ("boost/", "netlink/", "spdlog/", "fmt/", "toml++/", "toml.hpp", "nlohmann/",
                     "CLI/")
TEST_LIBRARIES = ("gtest/", "gmock/", "benchmark/")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def layer_of(path):
    """The innermost folder of LAYERS or FREE that `path`, relative to the root, lies in."""
    matches = [layer for layer in LAYERS + FREE if path.startswith(layer + "/")]
    return max(matches, key=len, default=None)


def library_complaint(path, layer, name):
    if name.startswith("liburing") or name == "io/uring.h":
        if layer != "io" or not (path.endswith(".cc") or path == "io/uring.h"):
            return "liburing is for io/*.cc alone"
    if name.startswith(CONTROL_LIBRARIES) and layer not in ("engine/control", "tools"):
        return "this library is for engine/control and tools"
    if name.startswith(TEST_LIBRARIES):
        return "this library is for tests and bench"
    return None


def complaint(path, line, exists):
    """What is wrong with one line of the file `path`, or None. `exists`: is there such a file?"""
    match = INCLUDE.match(line)
    layer = layer_of(path)
    if match is None or layer in FREE:
        return None
    quote, name = match.groups()
    if quote == "<":
        return library_complaint(path, layer, name)
    target = layer_of(name)
    if target is None or not exists(name):
        return "an include in quotes starts at the root of the tree and names a file of ours"
    if name == "io/uring.h":
        return library_complaint(path, layer, name)
    if target in FREE or LAYERS.index(target) > LAYERS.index(layer):
        return f"{layer} does not see {target}"
    return None


def self_test():
    """Each of these is wrong, and the last ones are right."""
    def exists(name):
        return name != "proto/missing.h"

    wrong = [("proto/a.h", '#include "io/b.h"'), ("io/a.cc", '#include "engine/b.h"'),
             ("engine/a.cc", '#include "engine/control/b.h"'), ("io/a.h", "#include <liburing.h>"),
             ("io/a.h", '#include "io/uring.h"'),
             ("engine/a.cc", "#include <liburing.h>"), ("engine/a.h", "# include <boost/asio.hpp>"),
             ("engine/a.cc", "#include <spdlog/spdlog.h>"), ("io/a.cc", "#include <netlink/socket.h>"),
             ("proto/a.cc", '#include "b.h"'), ("proto/a.cc", '#include "proto/missing.h"'),
             ("engine/control/a.cc", '#include "tools/culvert/b.h"'),
             ("engine/a.cc", '#include "tests/support/b.h"'), ("io/a.cc", "#include <gtest/gtest.h>")]
    right = [("io/a.cc", "#include <liburing.h>"), ("io/uring.h", "#include <liburing.h>"),
             ("engine/control/a.cc", "#include <boost/asio.hpp>"),
             ("engine/a.cc", '#include "proto/b.h"'), ("tests/a.cc", '#include "tools/culvert/b.h"'),
             ("tools/culvert/a.cc", '#include "engine/control/b.h"'), ("io/a.cc", "#include <span>")]
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
    complaints = check_format(files) if sys.argv[1:2] == ["format"] else check_includes(root, files)
    print("\n".join(complaints) or f"{len(files)} files are as they should be")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
