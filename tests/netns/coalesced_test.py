#!/usr/bin/python3
r"""A receiver whose network card coalesces (GRO on, the default of real ones).

    h1 --- a 192.0.2.1 --- veth, a: TSO off, b: GRO on --- 192.0.2.2 b --- h2 2001:db8:2::2
           culvert sends MTU-sized packets                   culvert    segmentation offload off

With TSO off on its peer a veth interface receives through NAPI and GRO, and gro_flush_timeout lets it wait
for more packets as a card's interrupt moderation does. The kernel then coalesces TCP segments in 6in4 and
GRE although it has no such tunnel: raw sockets see packets of up to 64 KiB whose inner lengths and
checksums were rewritten. Each scenario proves that this did take place.
"""

from support import traffic
from support.culvert import is_sanitized, refusing_super_packets
from support.rig import HOST_ROUTES, HOST_ROUTES_6, Pair
from support.wire import Capture
from support.world import expect, expect_equal, parametrize, run_all

OUTER_MTU = 1500
TCP_BYTES = 16 << 20


def receiver_coalesces(pair):
    pair.a.run(["ethtool", "-K", "to_b", "tso", "off"])
    pair.b.run(["ethtool", "-K", "to_a", "gro", "on", "rx-udp-gro-forwarding", "on"])
    pair.b.device_setting("to_a", "gro_flush_timeout", 2_000_000)  # ns


def coalesced(capture):
    return sum(len(frame.ip) > OUTER_MTU for frame in capture.frames)


def expect_fits(capture, mtu, what):
    """No packet longer than the MTU but super-packets, which say how they are to be cut."""
    wrong = [f for f in capture.frames if len(f.ip) > mtu and (f.gso_type == 0 or not 0 < f.gso_size < mtu)]
    expect(capture.frames, f"{what}: nothing was captured")
    expect(not wrong, f"{what}: {len(wrong)} oversized packets, first {len(wrong) and len(wrong[0].ip)} bytes")


def forms(receive):
    for label, words, overhead, six in (("sit", "mode sit", 20, True), ("gre", "mode gre", 24, True),
                                        ("gre key", "mode gre key 42", 28, True),
                                        ("gre csum", "mode gre csum", 28, True),
                                        ("IPv4 in gre", "mode gre", 24, False)):
        yield f"{label}, {receive}", words, overhead, six, receive


@parametrize([*forms("packet"), *forms("raw")])
def tcp_is_whole(words, overhead, six, receive):
    pair = Pair(words, *(HOST_ROUTES if "gre" in words else HOST_ROUTES_6), receive=receive)
    pair.hosts()
    receiver_coalesces(pair)
    # What leaves b towards h2 must be cut to size in software, with a checksum in it.
    for namespace, interface in ((pair.b, "to_h2"), (pair.h2, "to_b")):
        namespace.run(["ethtool", "-K", interface, "tso", "off", "gso", "off", "tx", "off", "gro", "off"])
    to = "2001:db8:2::2" if six else "10.2.0.2"
    with Capture(pair.b, "to_a") as outside, Capture(pair.b, "tun") as inside, \
            Capture(pair.h2, "to_b") as at_host:
        sent = traffic.tcp(pair.h1, pair.h2, to, TCP_BYTES)
    expect(coalesced(outside) > 20, f"nothing was coalesced: {coalesced(outside)} of {len(outside.frames)} packets")
    mtu = OUTER_MTU - overhead
    expect_fits(inside, mtu, "out of TUN")
    oversized = [len(f.ip) for f in at_host.frames if len(f.ip) > mtu]
    expect(not oversized, f"{len(oversized)} packets at h2 are longer than the tunnel MTU: {oversized[:3]}")
    for name in ("TcpInCsumErrors", "TcpInErrs", "Ip6InHdrErrors", "Ip6InTruncatedPkts", "IpInHdrErrors"):
        expect_equal(pair.h2.kernel_counter(name), 0, f"{name} at h2")
    # The veth's ring of 256 packets overflows now and then; a storm is more than one window's worth.
    expect(sent["retransmitted"] < TCP_BYTES // 1400 // 20, f"a retransmission storm: {sent}")
    pair.expect_no_drops()
    pair.stop()


@parametrize([("sit", "mode sit"), ("gre key csum", "mode gre key 42 csum")])
def tcp_to_the_end_itself(words):
    pair = Pair(words)
    receiver_coalesces(pair)
    with Capture(pair.b, "to_a") as outside:
        traffic.tcp(pair.a, pair.b, "fd00::2", TCP_BYTES)
        traffic.tcp(pair.b, pair.a, "fd00::1", TCP_BYTES)
    expect(coalesced(outside) > 20, f"nothing was coalesced: {coalesced(outside)} of {len(outside.frames)} packets")
    expect_equal(pair.b.kernel_counter("TcpInCsumErrors"), 0, "TcpInCsumErrors")
    pair.expect_no_drops()
    pair.stop()


@parametrize([("sit, packet", "mode sit", "packet"), ("gre, packet", "mode gre", "packet"),
              ("sit, raw", "mode sit", "raw")])
def udp_keeps_its_datagrams(words, receive):
    """The kernel coalesces UDP of equal length, too, and a datagram must come out as it went in."""
    pair = Pair(words, receive=receive)
    receiver_coalesces(pair)
    with Capture(pair.b, "to_a") as outside:
        how = {"window": 512} if receive == "packet" else {"idle": 1}  # by a raw socket some are lost
        counted = traffic.udp(pair.a, pair.b, "fd00::2", count=3000, flows=3, bytes=1200, rate=20000, **how)
    expect(coalesced(outside) > 20, f"nothing was coalesced: {coalesced(outside)} of {len(outside.frames)} packets")
    if receive == "packet":
        traffic.expect_exactly_once(counted)
        pair.expect_no_drops()
    else:
        # A raw socket does not say how long the datagrams were: what cannot be known is dropped and
        # counted, and nothing else is delivered.
        expect(not counted["wrong_length"] and not counted["duplicates"] and not counted["reordered"], f"{counted}")
        drops = pair.culvert_b.drops()
        expect(set(drops) <= {"gro_segment_size_unknown"}, f"drops {drops}")
        expect(drops or counted["received"] == counted["sent"], f"lost, and not counted: {counted}")
        pair.culvert_b.expect_conserved()
    pair.stop()


@parametrize([("auto", "", "the kernel refuses super-packets"), ("off", "--offload off", "asked for")])
def a_kernel_that_takes_no_super_packets(options, reason):
    """Each refused one is cut and written again; and with --offload off there are none."""
    if is_sanitized():
        return  # its library must be the first one
    pair = Pair("mode sit", options=options, io="epoll", prefix=refusing_super_packets())
    receiver_coalesces(pair)
    with Capture(pair.b, "to_a") as outside, Capture(pair.b, "tun") as inside:
        traffic.tcp(pair.a, pair.b, "fd00::2", TCP_BYTES)
    expect(coalesced(outside) > 20, f"nothing was coalesced: {coalesced(outside)} of {len(outside.frames)} packets")
    large = [len(f.ip) for f in inside.frames if len(f.ip) > OUTER_MTU]
    expect(not large or not options, f"{len(large)} super-packets passed TUN: {large[:3]}")
    pair.expect_no_drops()
    show = pair.culvert_b.show()
    expect_equal(show["offload"], "off", "offload")
    expect(reason in show["offload_reason"] and f"offload off ({reason}" in pair.culvert_b.show_text(), f"{show}")
    lines = [line for line in pair.culvert_b.process.stderr().splitlines() if "refuses super-packets" in line]
    expect_equal(len(lines), 0 if options else 1, f"log lines: {lines}")
    pair.stop()


run_all()
