"""Topologies that more than one test uses."""

from .culvert import Culvert
from .net import Namespace, veth
from .world import Failure, expect, expect_equal, wait_until

A, B = "192.0.2.1", "192.0.2.2"

# label, words, bytes of the outer headers
ENCAPSULATIONS = [
    ("sit", "mode sit", 20),
    ("gre", "mode gre", 24),
    ("gre key", "mode gre key 42", 28),
    ("gre csum", "mode gre csum", 28),
    ("gre seq", "mode gre seq", 28),
    ("gre key csum seq", "mode gre key 3232235777 csum seq", 36),
    ("gre ikey okey", "mode gre ikey 7 okey 8", 28),
    ("ipip", "mode ipip", 20),
    ("any", "mode any", 20),
]
CORE = [entry for entry in ENCAPSULATIONS if entry[0] in ("sit", "gre key csum seq")]


def families(words, ipv6, ipv4):
    """Of the two, a list of what the encapsulation of `words` carries."""
    words = words.split()
    mode = words[words.index("mode") + 1]
    carried = {"sit": [ipv6], "ipip": [ipv4], "any": [ipv6, ipv4], "gre": [ipv6, ipv4]}
    return carried[mode]


def mirrored(words):
    """The words of the remote endpoint: what goes in there comes out here."""
    swap = {"ikey": "okey", "okey": "ikey", "icsum": "ocsum", "ocsum": "icsum", "iseq": "oseq", "oseq": "iseq"}
    return " ".join(swap.get(word, word) for word in words.split())


def connect_host(host, end, net):
    """A host in 2001:db8:NET::/64 and 10.NET.0.0/24, for which `end` forwards."""
    veth(host, end, [f"2001:db8:{net}::2/64", f"10.{net}.0.2/24"], [f"2001:db8:{net}::1/64", f"10.{net}.0.1/24"])
    end.forwards()
    host.ip(f"route add default via 2001:db8:{net}::1")
    host.ip(f"route add default via 10.{net}.0.1")


class Pair:
    """Two ends on one wire, each with a culvert:

        a 192.0.2.1 --- veth --- 192.0.2.2 b
        TUN tun fd00::1/64, 10.9.0.1/30    TUN tun fd00::2/64, 10.9.0.2/30
    """

    def __init__(self, words, more_a="", more_b="", options="", mtu=1500, start=True, **how):
        self.a, self.b = Namespace("a"), Namespace("b")
        veth(self.a, self.b, f"{A}/24", f"{B}/24", mtu=mtu)
        own_a = " ".join(families(words, "address fd00::1/64", "address 10.9.0.1/30"))
        own_b = " ".join(families(words, "address fd00::2/64", "address 10.9.0.2/30"))
        self.words_a = f"tun {words} remote {B} local {A} ttl 64 {own_a} {more_a}"
        self.words_b = f"tun {mirrored(words)} remote {A} local {B} ttl 64 {own_b} {more_b}"
        self.options, self.how = options, how  # how: as Culvert takes it (io, workers, receive)
        if start:
            self.start()

    def start(self):
        self.culvert_a = Culvert(self.a, self.words_a, self.options, **self.how)
        self.culvert_b = Culvert(self.b, self.words_b, self.options, **self.how)
        for end in (self.a, self.b):
            # On a busy machine a worker may not run for longer than the device's 500 packets last.
            end.ip("link set dev tun txqueuelen 20000")
        # The kernel's first packets of a came to b before there was a tunnel, and were answered with an error.
        self.counts()
        self.early = {id(end): end.drops() for end in (self.culvert_a, self.culvert_b)}

    def hosts(self):
        """A host behind each end: h1 2001:db8:1::2, 10.1.0.2 - a ... b - h2 2001:db8:2::2, 10.2.0.2.

        The ends need `route 2001:db8:2::/64` and the like in their words.
        """
        self.h1, self.h2 = Namespace("h1"), Namespace("h2")
        for host, end, net in ((self.h1, self.a, 1), (self.h2, self.b, 2)):
            connect_host(host, end, net)

    def alive(self):
        return self.culvert_a.process.alive() and self.culvert_b.process.alive()

    def counts(self):
        """(what a sent, what b received, what b sent, what a received), each as (packets, bytes), at rest."""
        last = [None]

        def at_rest():
            previous, last[0] = last[0], self._counts()
            return previous == last[0] and previous

        return wait_until(at_rest, "the counters to rest", 20, 0.1)

    def _counts(self):
        a, b = self.culvert_a.tunnel(), self.culvert_b.tunnel()
        return tuple((t[f"{way}_packets"], t[f"{way}_bytes"]) for t, way in
                     ((a, "out"), (b, "in"), (b, "out"), (a, "in")))

    def expect_nothing_lost(self, before, at_least=0):
        """Since `before` (counts() at rest) all that one end sent the other received, and none dropped.

        `at_least` packets each way must have been there. On a crowded machine what was sent before `before` may be
        received after it; no more than that.
        """

        def under_way(counts):
            (a_out, b_in, b_out, a_in) = counts
            return [sent - received for sent, received in (*zip(a_out, b_in), *zip(b_out, a_in))]

        moved, early = [], under_way(before)

        def same():
            now = self.counts()
            moved[:] = [(now[0] - then[0], now[1] - then[1]) for now, then in zip(now, before)]
            return all(0 <= late <= most for late, most in zip(under_way(now), early))

        try:
            wait_until(same, "the counters of both ends to agree")
        except Failure:
            raise Failure(f"(packets, bytes) a sent, b got, b sent, a got: {moved}") from None
        least = min(packets for packets, _ in moved)
        expect(least >= at_least, f"{least} packets were counted, {at_least} were sent")
        self.expect_no_drops()

    def expect_no_drops(self):
        for end in (self.culvert_a, self.culvert_b):
            expect_equal(end.drops(), self.early[id(end)], f"drops of {end.namespace.name}")
            end.expect_conserved()

    def stop(self):
        return self.culvert_a.stop(), self.culvert_b.stop()


HOST_ROUTES = ("route 2001:db8:2::/64 route 10.2.0.0/24", "route 2001:db8:1::/64 route 10.1.0.0/24")
HOST_ROUTES_6 = ("route 2001:db8:2::/64", "route 2001:db8:1::/64")


def wire_rig():
    """A wire.Wire between a namespace for culvert (192.0.2.1) and nothing that answers (192.0.2.2)."""
    from .wire import Wire

    near, wire = Namespace("near"), Namespace("wire")
    veth(near, wire, f"{A}/24", None)
    wire.sysctl("net.ipv6.conf.to_near.disable_ipv6", 1)
    return Wire(near, wire, "to_near", "to_wire")
