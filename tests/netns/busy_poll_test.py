#!/usr/bin/python3
r"""--busy-poll: a conversation is not slept through, and an idle tunnel costs nothing.

    a 192.0.2.1 culvert --- veth --- culvert 192.0.2.2 b
"""

import os
import re
import time

from support import traffic
from support.rig import Pair
from support.world import expect, parametrize, run_all

ROUND_TRIPS = 300
LIMIT = 100000  # the largest: also on a busy machine the next ping comes sooner


def sleeps(culvert):
    """How often the workers have gone to sleep."""
    total, tasks = 0, f"/proc/{culvert.process.pid}/task"
    for task in os.listdir(tasks):
        with open(f"{tasks}/{task}/comm") as file:
            if "/" not in file.read():
                continue  # not a worker: those are called DEVICE/NUMBER
        with open(f"{tasks}/{task}/status") as file:
            total += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", file.read(), re.M).group(1))
    return total


def sleeps_during_pings(limit):
    """One ping after the other; then what the ends cost while nothing comes."""
    pair = Pair("mode sit", options=f"--busy-poll {limit}", workers="1")
    ends = (pair.culvert_a, pair.culvert_b)
    traffic.ping(pair.a, "fd00::2", ",".join(["64"] * 10), window=1)
    before = sum(map(sleeps, ends))
    traffic.ping(pair.a, "fd00::2", ",".join(["64"] * ROUND_TRIPS), window=1)
    slept = sum(map(sleeps, ends)) - before
    time.sleep(2 * LIMIT / 1e6)  # the last spin
    before = sum(end.cpu_seconds() for end in ends)
    time.sleep(2)
    spent = sum(end.cpu_seconds() for end in ends) - before
    pair.expect_no_drops()
    pair.stop()
    return slept, spent


@parametrize([("off", 0), ("on", LIMIT)])
def sleeps_only_when_idle(limit):
    slept, spent = sleeps_during_pings(limit)
    if limit == 0:
        expect(slept >= ROUND_TRIPS, f"{slept} sleeps in {ROUND_TRIPS} round trips, without busy polling")
    else:
        expect(slept < ROUND_TRIPS / 10, f"{slept} sleeps in {ROUND_TRIPS} round trips")
    expect(spent < 0.4, f"two idle ends took {spent} s of CPU time in 2 s")


@parametrize([("1 worker", "1"), ("2 workers", "2")])
def forwards_as_ever(workers):
    pair = Pair("mode gre key 42", options="--busy-poll 200", workers=workers)
    before = pair.counts()
    traffic.expect_exactly_once(traffic.udp(pair.a, pair.b, "fd00::2", count=1000, flows=4, bytes=200,
                                           window=512))
    traffic.tcp(pair.a, pair.b, "fd00::2", 8 << 20)
    pair.expect_nothing_lost(before, at_least=1)
    pair.stop()


run_all()
