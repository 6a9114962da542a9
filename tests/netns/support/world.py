"""One private world a scenario, and the list of scenarios of a test file.

A scenario runs as process 1 of its own PID, mount and network namespaces, with an empty /run. When it
ends, by whatever way (return, exception, signal, SIGKILL of the test), the kernel ends every process in
it and removes its interfaces, sockets and mounts: there is no clean-up code that could be skipped.
"""

import ctypes
import os
import signal
import sys
import time
import traceback

CLONE_NEWNS, CLONE_NEWNET, CLONE_NEWPID = 0x00020000, 0x40000000, 0x20000000
MS_REC_PRIVATE = 0x4000 | 0x40000
PR_SET_PDEATHSIG = 1
WORK = "/run/work"  # files of one scenario: logs, captures, sockets
SKIPPED = 77

libc = ctypes.CDLL(None, use_errno=True)
_scenarios = []
on_failure = []  # functions whose text explains a failure


class Failure(AssertionError):
    """What a test expected did not come; the text says what came instead."""


def system_call(name, *arguments):
    """Calls a libc function that returns -1 on error; raises OSError naming it."""
    if getattr(libc, name)(*arguments) < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")


def mount(source, target, kind, flags=0):
    system_call("mount", source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), None)


def scenario(limit=240):
    """Marks a function as a scenario that must end within `limit` seconds."""

    def mark(function):
        _scenarios.append((function, limit))
        return function

    return mark


def parametrize(values, limit=240):
    """A scenario for each of `values`: a list of tuples (label, argument...)."""

    def mark(function):
        for label, *arguments in values:
            def run(arguments=tuple(arguments)):
                function(*arguments)

            run.__name__ = f"{function.__name__}[{label}]"
            _scenarios.append((run, limit))
        return function

    return mark


def _enter(function, limit):
    """In the forked child: builds the world, runs the scenario as its process 1, returns its status."""
    system_call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL)
    system_call("unshare", CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID)
    child = os.fork()
    if child != 0:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    status = 1
    try:
        system_call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL)
        mount("none", "/", "", MS_REC_PRIVATE)
        mount("proc", "/proc", "proc")
        mount("tmpfs", "/run", "tmpfs")
        os.makedirs(WORK)
        os.makedirs("/run/netns")
        os.environ.update(HOME=WORK, LC_ALL="C")
        signal.signal(signal.SIGALRM, _out_of_time)
        signal.alarm(limit)
        function()
        status = 0
    except BaseException:  # also a KeyboardInterrupt: process 1 must end, and say why
        signal.alarm(0)
        traceback.print_exc(file=sys.stdout)
        _print_logs()
    sys.stdout.flush()
    os._exit(status)


def _out_of_time(_signal, _frame):
    raise Failure("the scenario's time is over")


def _print_logs():
    for explain in on_failure:
        try:
            print(explain())
        except (Failure, OSError, ValueError) as error:
            print(f"({error})"[:200])
    for name in sorted(os.listdir(WORK)):
        if not name.endswith(".log"):
            continue
        with open(f"{WORK}/{name}", errors="replace") as file:
            text = file.read().strip()
        if text:
            print(f"--- {name}\n" + "\n".join(text.splitlines()[-40:]))


def _privileged():
    return os.geteuid() == 0 and os.path.exists("/dev/net/tun")


def run_all():
    """Runs the scenarios of a test file: `NAME_test.py [path/to/culvert] [part of a scenario's name]...`"""
    arguments = sys.argv[1:]
    if arguments and "/" in arguments[0]:
        os.environ["CULVERT"] = os.path.abspath(arguments.pop(0))
    if not _privileged():
        print("skipped: needs root and /dev/net/tun")
        sys.exit(SKIPPED)
    failed = []
    chosen = [s for s in _scenarios if not arguments or any(part in s[0].__name__ for part in arguments)]
    for function, limit in chosen:
        start = time.monotonic()
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            os._exit(_enter(function, limit))
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        word = "ok  " if status == 0 else "FAIL"
        print(f"{word} {function.__name__} ({time.monotonic() - start:.1f} s)", flush=True)
        if status != 0:
            failed.append(function.__name__)
    print(f"{len(chosen) - len(failed)} of {len(chosen)} scenarios passed")
    if not chosen or failed:
        sys.exit(1)


def expect(condition, text):
    """An assertion that python -O keeps."""
    if not condition:
        raise Failure(text)


def expect_equal(got, wanted, text):
    if got != wanted:
        raise Failure(f"{text}: got {got!r}, wanted {wanted!r}")


def wait_until(condition, what, seconds=60.0, interval=0.05):
    """Polls `condition` until it returns something true, and returns that."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"waited {seconds} s for {what}")
        time.sleep(interval)
