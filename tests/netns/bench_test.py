#!/usr/bin/python3
"""`culvert-bench`, end to end: it measures, and however it ends nothing of it is left.

The rigs are bench's own. A scenario is process 1 of its PID namespace, so what bench has left would be
a process, a mount, an interface or a file that was not there before.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import time

from support.bench import before_bench, expect_nothing_left, figures_of, start, wait_at_work
from support.culvert import program
from support.world import expect, expect_equal, run_all, scenario

WORDS = ["--rounds", "1", "--seconds", "1", "--tunnels", "culvert-sit,socat"]


@scenario()
def measures_and_leaves_nothing():
    before = before_bench()
    bench = start(*WORDS, "--work", "tcp1,udp64,latency", "--json")
    out, err = bench.communicate(timeout=170)
    expect_equal(bench.returncode, 0, f"status; stderr: {err}")
    report = json.loads(out)
    expect_equal(report["failed"], [], "failures")
    expect_equal([(turn["tunnel"], turn["work"], turn["turn"]) for turn in report["turns"]],
                 [("culvert-sit", "tcp1", 1), ("socat", "tcp1", 1), ("culvert-sit", "udp64", 1), ("socat", "udp64", 1),
                  ("culvert-sit", "latency", 1), ("socat", "latency", 1), ("culvert-sit", "latency", 2),
                  ("socat", "latency", 2)], "turns, which alternate")
    medians = {(each["tunnel"], each["work"]): each for each in report["medians"]}
    for tunnel in ("culvert-sit", "socat"):
        tcp, udp, latency = (medians[tunnel, work] for work in ("tcp1", "udp64", "latency"))
        expect(tcp["mbit_per_second"] > 1, f"{tunnel}: {tcp}")
        expect(tcp["cpu_ns_per_packet"] > 0, f"{tunnel}: {tcp}")
        expect(udp["packets_per_second"] > 100, f"{tunnel}: {udp}")
        expect(0 < latency["p50_us"] <= latency["p99_us"], f"{tunnel}: {latency}")
        for each in (tcp, udp, latency):
            expect(abs(sum(each["cpus"].values()) - report["settings"]["cpus"]) < 0.1, f"CPU shares add up: {each}")
        # Each part of the way has worked, and was seen to.
        expect(all(tcp["cpus"][part] > 0.001 for part in ("sender", "out", "in", "receiver")), f"{tunnel}: {tcp}")
    expect(medians["culvert-sit", "tcp1"]["ratio_to"]["socat"] > 0, "a ratio to socat")
    expect("round 1 of 1, tcp1: culvert-sit" in err, f"progress: {err}")
    expect_nothing_left(before)


@scenario()
def measures_ipip_and_others_that_carry_ipv4():
    before = before_bench()
    tunnels = ["culvert-ipip", "single", "socat"]
    bench = start("--rounds", "1", "--seconds", "1", "--mode", "ipip", "--tunnels", "culvert,single,socat", "--work",
                  "tcp1,udp64", "--json")
    out, err = bench.communicate(timeout=170)
    expect_equal(bench.returncode, 0, f"status; stderr: {err}")
    report = json.loads(out)
    expect_equal((report["failed"], report["left_out"]), ([], []), "failures")
    expect_equal([(each["tunnel"], each["work"]) for each in report["medians"]],
                 [(tunnel, work) for work in ("tcp1", "udp64") for tunnel in tunnels], "figures")
    for each in report["medians"]:
        expect(each.get("mbit_per_second", 100) > 1 and each.get("packets_per_second", 1000) > 100, f"{each}")
        expect(each["ratio_to"]["socat"] > 0 and each["ratio_to"]["single"] > 0, f"ratios: {each}")
    expect_nothing_left(before)


@scenario()
def soaks_while_the_wire_is_disturbed():
    before = before_bench()
    bench = start("--tunnels", "culvert-gre", "--workers", "2", "--soak", "8", "--disturb")
    out, err = bench.communicate(timeout=170)
    expect_equal(bench.returncode, 0, f"status; {out} {err}")
    expect("every byte right" in out and "the wire was disturbed" in out, out)
    expect(re.search(r"counters of b: [1-9][0-9,]+ taken = ", out), out)
    expect_nothing_left(before)


@scenario()
def is_interrupted():
    before = before_bench()
    for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)):
        bench = start("--rounds", "100", "--work", "tcp1", "--tunnels", "culvert-sit,socat")
        wait_at_work(bench, 6, "two tunnels and a load")
        time.sleep(0.1)
        bench.send_signal(number)
        out, err = bench.communicate(timeout=60)
        expect_equal(bench.returncode, status, f"status; stderr: {err}")
        expect_equal(out, "", "stdout")
        expect(number.name in err, f"stderr: {err}")
        expect_nothing_left(before)


@scenario()
def is_killed():
    before = before_bench()
    bench = start("--rounds", "100", "--work", "udp64", "--tunnels", "culvert-sit,socat,single")
    wait_at_work(bench, 8, "three tunnels and a load")
    bench.kill()
    bench.communicate(timeout=60)
    expect_nothing_left(before)


@scenario()
def gives_options_to_culvert():
    before = before_bench()
    bench = start("--rounds", "1", "--seconds", "1", "--tunnels", "culvert-sit", "--work", "latency", "--busy-poll",
                  "0,50", "--json")
    out, err = bench.communicate(timeout=170)
    expect_equal(bench.returncode, 0, f"status; stderr: {err}")
    report = json.loads(out)
    expect_equal(report["failed"], [], "failures")
    expect_equal([each["tunnel"] for each in report["medians"]],
                 ["culvert-sit/busy_poll=0", "culvert-sit/busy_poll=50"], "a tunnel for each value")
    expect_nothing_left(before)


@scenario()
def measures_the_limit():
    before = before_bench()
    bench = start("--rounds", "1", "--seconds", "1", "--tunnels", "bare", "--work", "tcp1,udp64,latency", "--json")
    out, err = bench.communicate(timeout=170)
    expect_equal(bench.returncode, 0, f"status; stderr: {err}")
    report = json.loads(out)
    expect_equal(report["failed"], [], "failures")
    tcp, udp, latency = report["medians"]
    # Its super-packets arrive: without them TCP lives by retransmissions alone, 2 Mbit/s.
    expect(tcp["mbit_per_second"] > 50, f"{tcp}")
    expect(udp["packets_per_second"] > 100 and udp["not_in_order"] == 0, f"{udp}")
    expect(latency["lost"] == 0, f"{latency}")
    expect_nothing_left(before)


def expect_more(figures, work, names, limit):
    for name in names.split():
        expect(figures[work, name] > limit, f"{work}, {name}: {figures[work, name]}, wanted more than {limit}; {figures}")


@scenario(limit=300)
def measures_a_server():
    before = before_bench()
    bench = start("--server", "--work", "ndp,storm,load,tunnels,flows", "--rounds", "1", "--seconds", "1",
                  "--count", "20", "--solicitations", "100000", "--json")  # two turns of the storm
    out, err = bench.communicate(timeout=290)
    expect_equal(bench.returncode, 0, f"status; stderr: {err}")
    report = json.loads(out)
    expect_equal(report["failed"], [], "failures")
    figures = figures_of(report)
    expect_more(figures, "ndp", "culvert_64_answers_per_second culvert_1_answers_per_second", 100)
    if shutil.which("ndppd", path="/usr/sbin:/sbin:" + os.environ["PATH"]):
        expect_more(figures, "ndp", "ratio_64 ratio_1", 0)
    else:
        expect_equal([each["what"] for each in report["left_out"]], ["ndppd"], "what is left out")
    expect_more(figures, "storm", "solicitations", 99999)
    expect_more(figures, "storm", "answers_per_second", 1)
    expect_more(figures, "storm", "storm_ratio", 0)
    expect_more(figures, "load", "many_seconds", 0)
    expect_more(figures, "load", "many_resident_kib", 1000)
    expect_more(figures, "tunnels", "udp_ratio tcp_ratio", 0)
    expect_more(figures, "flows", "many_packets_per_second", 0)
    expect_nothing_left(before)


@scenario()
def is_interrupted_while_it_measures_a_server():
    before = before_bench()
    bench = start("--server", "--work", "tunnels", "--count", "20", "--rounds", "100")
    wait_at_work(bench, 6, "two servers, their clients and a load")
    bench.send_signal(signal.SIGINT)
    out, err = bench.communicate(timeout=60)
    expect_equal((bench.returncode, out), (130, ""), f"status; stderr: {err}")
    expect("SIGINT" in err, f"stderr: {err}")
    expect_nothing_left(before)


@scenario()
def says_what_is_wrong():
    for words, status, sentence in ((["--tunnels", "culvert-sitt"], 2, "is 'culvert-sit' meant?"),
                                    (["--work", "tcp9"], 2, "--work"),
                                    (["--io", "uringg"], 2, "uringg"),
                                    (["--seconds", "0"], 2, "--seconds"),
                                    (["--json", "--csv"], 2, "--csv"),
                                    (["--disturb"], 2, "--soak"),
                                    (["--server", "--work", "npd"], 2, "is 'ndp' meant?"),
                                    (["--server", "--count", "1"], 2, "--count"),
                                    (["--count", "2"], 2, "--server"),
                                    (["--server", "--soak", "5"], 2, "--server"),
                                    (["--soak", "5", "--tunnels", "socat"], 1, "is for culvert")):
        bench = start(*words)
        out, err = bench.communicate(timeout=60)
        expect_equal((bench.returncode, out), (status, ""), f"{words}: {err}")
        expect(sentence in err and err.count("\n") == 1, f"{words}: {err}")
    nobody = subprocess.run([program(), "bench"], user=65534, capture_output=True, text=True, timeout=60)
    expect_equal(nobody.returncode, 1, "status without root")
    expect("needs root" in nobody.stderr, nobody.stderr)


run_all()
