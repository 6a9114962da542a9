#!/usr/bin/python3
"""`culvert-bench` counts what is lost while a tunnel comes and goes: nothing.

This needs the machine for itself: the datagrams come by the clock, and TUN's queue holds 25 ms of them. Beside other
tests culvert waits longer than that for its turn now and then, even when it goes first, for the kernel gives
everybody a share.
"""

import json

from support.bench import before_bench, expect_nothing_left, figures_of, start
from support.world import expect, expect_equal, run_all, scenario


@scenario()
def loses_nothing_while_a_tunnel_comes():
    """Before all other processes: a compiler may run beside."""
    before = before_bench()
    bench = start("--server", "--work", "add", "--rounds", "1", "--seconds", "1", "--count", "20", "--json",
                  before=["chrt", "--rr", "1"])
    out, err = bench.communicate(timeout=170)
    expect_equal(bench.returncode, 0, f"status; stderr: {err}")
    report = json.loads(out)
    expect_equal(report["failed"], [], "failures")
    figures = figures_of(report)
    expect(figures["add", "adding_packets"] > 1000 and figures["add", "changes"] >= 2, f"{figures}")
    expect_equal(figures["add", "adding_lost"], 0, "packets lost while a tunnel came")
    expect_nothing_left(before)


run_all()
