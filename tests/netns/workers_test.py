#!/usr/bin/python3
r"""More than one worker: each packet exactly once, each flow in order, all counters add up.

    h1 --- a 192.0.2.1 culvert --- veth --- culvert 192.0.2.2 b --- h2
"""

from support import traffic
from support.rig import HOST_ROUTES, HOST_ROUTES_6, Pair
from support.world import expect, expect_equal, parametrize, run_all

# With sequence numbers one worker does it all: they are in order only if one counts.
CORE = [("sit", "mode sit"), ("gre key csum", "mode gre key 42 csum")]
COUNT, FLOWS, RATE, WINDOW = 1000, 16, 20000, 512


@parametrize([(f"{label}, {workers}", words, workers) for label, words in CORE for workers in (1, 2)])
def each_packet_once_and_in_order(words, workers):
    pair = Pair(words, *(HOST_ROUTES if "gre" in words else HOST_ROUTES_6), workers=str(workers))
    pair.hosts()
    for culvert in (pair.culvert_a, pair.culvert_b):
        expect_equal(culvert.show()["workers"], workers, "workers")
    before = pair.counts()
    for length in (64, 1200):
        for sender, receiver, to in ((pair.h1, pair.h2, "2001:db8:2::2"), (pair.h2, pair.h1, "2001:db8:1::2")):
            counted = traffic.udp(sender, receiver, to, count=COUNT, flows=FLOWS, bytes=length, rate=RATE,
                                  window=WINDOW)
            traffic.expect_exactly_once(counted)
    pair.expect_nothing_lost(before, at_least=2 * COUNT * FLOWS)
    pair.stop()


@parametrize(CORE)
def both_ways_at_once(words):
    """Two workers, TCP and UDP in both directions at the same time."""
    pair = Pair(words, *(HOST_ROUTES if "gre" in words else HOST_ROUTES_6), workers="2")
    pair.hosts()
    running = []
    for sender, receiver, to, port in ((pair.h1, pair.h2, "2001:db8:2::2", 6000),
                                       (pair.h2, pair.h1, "2001:db8:1::2", 7000)):
        for number in range(2):
            server = traffic.start(receiver, "tcp-receive", port=port + number)
            client = traffic.start(sender, "tcp-send", to=to, port=port + number, bytes=8 << 20, seed=port + number)
            running.append((client, server))
    counted = traffic.udp(pair.h1, pair.h2, "2001:db8:2::2", count=1000, flows=4, bytes=200, rate=4000)
    expect(counted["duplicates"] == counted["reordered"] == counted["wrong_length"] == 0, f"UDP beside TCP: {counted}")
    for client, server in running:
        sent, received = traffic.finish(client), traffic.finish(server)
        expect_equal(received["sha256"], sent["sha256"], "hash")
    for culvert in (pair.culvert_a, pair.culvert_b):
        culvert.expect_conserved()
    pair.stop()


run_all()
