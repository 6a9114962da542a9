#!/usr/bin/env python3
"""`culvert bench` becomes culvert-bench: the one beside it, else the one in PATH, with every word as it
was given and with its exit status. Without one it names the target that builds it.

usage: bench_program_test.py CULVERT
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

FAKE = '#!/bin/sh\necho "{name}:$*"\nexit 7\n'


def run(program, path, *words):
    done = subprocess.run([program, "bench", *words], env={"PATH": path}, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=20, check=False)
    return done.returncode, done.stdout, done.stderr


def place_fake(folder, name):
    file = folder / "culvert-bench"
    file.write_text(FAKE.format(name=name), encoding="utf-8")
    file.chmod(0o755)


def expect(got, wanted, text):
    if got != wanted:
        print(f"FAILED: {text}: got {got!r}, wanted {wanted!r}")
        sys.exit(1)
    print(f"ok: {text}")


def main():
    with tempfile.TemporaryDirectory() as scratch:
        beside, in_path = pathlib.Path(scratch, "bin"), pathlib.Path(scratch, "path")
        beside.mkdir()
        in_path.mkdir()
        program = beside / "culvert"
        shutil.copy(sys.argv[1], program)
        path = os.fspath(in_path)

        status, out, error = run(program, path)
        expect((status, out), (1, ""), "without culvert-bench: exit status and stdout")
        expect(error.startswith("culvert: culvert-bench is neither in the folder of this program nor in PATH: build "
                                "it with `cmake --build BUILD --target culvert-bench`"), True, f"the sentence: {error}")
        place_fake(in_path, "path")
        expect(run(program, path, "--work", "tcp1"), (7, "path:--work tcp1\n", ""), "the one in PATH")
        place_fake(beside, "beside")
        expect(run(program, path, "--help"), (7, "beside:--help\n", ""), "the one beside it comes first")
        expect(run(program, path, "a b", "--json", "--no-such"), (7, "beside:a b --json --no-such\n", ""),
               "words that only culvert-bench knows")


if __name__ == "__main__":
    main()
