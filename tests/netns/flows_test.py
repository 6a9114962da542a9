#!/usr/bin/python3
r"""Flows and workers: a flow stays on one worker from its first packet on, and a busy worker is nobody else's trouble.

    a 192.0.2.1 culvert, 2 workers --- veth --- culvert, 2 workers 192.0.2.2 b
"""

import os
import re
import signal
import socket
import struct
from collections import Counter

from support import traffic
from support.culvert import IO
from support.rig import Pair
from support.world import WORK, Failure, expect, expect_equal, parametrize, run_all, scenario, wait_until

MODES = [("sit", "mode sit"), ("gre", "mode gre key 42")]
ASKED = 200
PORT, SINK, ASK = 7000, 7100, 7101
TRIES, WAITING, LATER = 6, 3000, 5000  # flows, each of which would be moved every other time
IPV6_CHECKSUM = 7


def pair_of_workers(words, options="", **how):
    return Pair(words, workers="2", options=options, **how)


def answer_by_hand(pair, port):
    """A datagram of a flow's other direction, while its socket at b only listens."""
    with pair.b.entered():
        raw = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_UDP)
    with raw:
        raw.setsockopt(socket.IPPROTO_IPV6, IPV6_CHECKSUM, 6)
        raw.sendto(struct.pack("!HHHH", SINK, port, 8, 0), ("fd00::1", 0))


def send_while_the_first_answer_comes(pair, port):
    """A flow's datagrams wait in the queue of its worker when the first of its other direction comes.

    Were the flow to follow that to another worker, those sent after it would overtake the ones that wait.
    """
    server = traffic.start(pair.b, "udp-receive", bind="fd00::2", port=SINK, count=WAITING + LATER)
    wait_until(lambda: "listening" in server.stdout(), "the UDP receiver")
    pair.culvert_a.send_signal(signal.SIGSTOP)
    to = {"to": "fd00::2", "port": SINK, "from_port": port}
    traffic.finish(traffic.start(pair.a, "udp-send", count=WAITING, rate=1e9, **to))
    answer_by_hand(pair, port)
    later = traffic.start(pair.a, "udp-send", count=LATER, first=WAITING, rate=20000, **to)
    wait_until(lambda: "begun" in later.stdout(), "the datagrams after the answer", interval=0.01)
    pair.culvert_a.send_signal(signal.SIGCONT)
    traffic.finish(later)
    return traffic.finish(server)


@parametrize([(f"{mode}, {receive}", words, receive) for mode, words in MODES for receive in ("packet", "raw")])
def a_flow_stays_in_order_when_it_is_answered(words, receive):
    """The kernel moves a flow where raw sockets receive, since all that is received comes by the first worker; where
    packet sockets do, both directions are spread by the same hash, as long as that stays so."""
    pair = pair_of_workers(words, receive=receive)
    before = pair.counts()
    counted = [send_while_the_first_answer_comes(pair, PORT + flow) for flow in range(TRIES)]
    for one in counted:
        expect_equal((one["received"], one["duplicates"]), (WAITING + LATER, 0), "received, duplicates")
        if IO != "refused" or receive == "packet":
            expect_equal(one["reordered"], 0, "datagrams that were overtaken")
    pair.expect_nothing_lost(before, at_least=TRIES)
    pair.stop()


@scenario()
def who_steers_is_logged_for_those_who_ask():
    pair = pair_of_workers("mode sit", "--log-level debug")
    said = "the kernel steers flows: load BPF program culvert_steer: EPERM" in pair.culvert_a.process.stderr()
    expect_equal(said, IO == "refused", f"the log: {pair.culvert_a.process.stderr()}")
    pair.stop()


def wakes(culvert):
    """{worker: how often it has been woken}"""
    counts, tasks = {}, f"/proc/{culvert.process.pid}/task"
    for task in os.listdir(tasks):
        with open(f"{tasks}/{task}/comm") as file:
            name = file.read().strip()
        if "/" in name:  # a worker's: DEVICE/NUMBER
            with open(f"{tasks}/{task}/status") as file:
                counts[name] = int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", file.read(), re.M).group(1))
    return counts


def workers_of(pair, from_port, port):
    """The two workers, a's and b's, by which a flow from one port to another goes: those that it wakes.

    One datagram after the other, each when a worker of both ends has gone back to sleep after the one before.
    """
    ends = (pair.culvert_a, pair.culvert_b)
    with pair.a.entered():
        sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    woken = [Counter(), Counter()]
    with sock:
        sock.bind(("fd00::1", from_port))
        for _ in range(10):
            before = [wakes(end) for end in ends]
            sock.sendto(bytes(8), ("fd00::2", port))
            wait_until(lambda: all(wakes(end) != then for end, then in zip(ends, before)),
                       "a worker of each end to sleep again", interval=0.001)
            for each, end, then in zip(woken, ends, before):
                each.update({name: count - then[name] for name, count in wakes(end).items()})
    for each in woken:  # a packet of the kernel's own may wake another one now and then
        expect(max(each.values()) >= 0.7 * sum(each.values()), f"one worker should have been woken for all: {woken}")
    return [max(each, key=each.get) for each in woken]


def listen(pair, port, answer=0):
    server = traffic.start(pair.b, "udp-receive", bind="fd00::2", port=port, count=1 << 22, idle=150, timeout=150,
                           answer=answer)
    wait_until(lambda: "listening" in server.stdout(), "the UDP receiver")
    return server


def expect_answered(answers):
    expect(answers["answered"] == ASKED and answers["slowest_seconds"] < 2, f"beside a busy flow: {answers}")


def port_on_other_workers(pair, its_workers):
    """A port from which a flow to ASK shares no worker with another flow."""
    listener = listen(pair, ASK)
    try:
        for port in range(PORT + 1, PORT + 40):
            if all(mine != its for mine, its in zip(workers_of(pair, port, ASK), its_workers)):
                return port
    finally:
        listener.kill()
    raise Failure("39 flows, and all share a worker with the first")


@scenario()
def a_flood_on_one_worker_costs_others_nothing():
    """One flow is more than its worker's queue takes. A flow on other workers loses nothing and is answered."""
    pair = pair_of_workers("mode sit")
    listen(pair, SINK)
    its_workers = workers_of(pair, PORT, SINK)
    port = port_on_other_workers(pair, its_workers)
    pair.a.ip("link set dev tun txqueuelen 100")  # of each queue: the flood is to fill its own
    listen(pair, ASK, answer=1)
    before = pair.culvert_a.tunnel()["out_packets"]
    flood = traffic.start(pair.a, "udp-send", to="fd00::2", port=SINK, from_port=PORT, count=4 << 20, bytes=64,
                          rate=1e9)
    wait_until(lambda: pair.culvert_a.tunnel()["out_packets"] > before + 10000, "the flood")
    answers = traffic.finish(traffic.start(pair.a, "udp-ask", to="fd00::2", port=ASK, from_port=port, count=ASKED,
                                           timeout=5), 60)
    expect(flood.alive(), "the flood ended too early")
    flood.kill()
    lost = pair.a.ip_json("-s link show dev tun")[0]["stats64"]["tx"]["dropped"]
    expect(lost > 1000, f"the flood is too small: {lost} packets found no room in its queue")
    expect_answered(answers)
    pair.stop()


@parametrize(MODES)
def a_transfer_beside_others(words):
    """One TCP flow as fast as it goes; others, on whatever worker, are answered, and nothing is lost."""
    pair = pair_of_workers(words)
    before = pair.counts()
    server = traffic.start(pair.b, "tcp-receive", bind="::", timeout=150)
    all_answered = f"{WORK}/all_answered"
    client = traffic.start(pair.a, "tcp-send", to="fd00::2", bytes=16 << 30, until=all_answered, timeout=150)
    listen(pair, ASK, answer=1)
    asking = [traffic.start(pair.a, "udp-ask", to="fd00::2", port=ASK, count=ASKED, timeout=5) for _ in range(4)]
    answers = [traffic.finish(one, 60) for one in asking]
    expect(client.alive(), "the transfer ended too early")
    open(all_answered, "w").close()
    for one in answers:
        expect_answered(one)
    sent, received = traffic.finish(client, 150), traffic.finish(server, 150)
    expect_equal(received["sha256"], sent["sha256"], "hash")
    pair.expect_nothing_lost(before, at_least=4 * ASKED)
    pair.stop()


run_all()
