#!/usr/bin/python3
r"""The bytes on the wire, both ways, against what scapy builds and what tshark's dissector reads.

    near
      TUN tun  <- inner packets, by hand
      culvert 192.0.2.1 --- veth --- wire: captured, and packets by hand
"""

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6, IPv6ExtHdrFragment
from scapy.layers.l2 import GRE
from scapy.packet import Raw

from support.culvert import Culvert
from support.rig import ENCAPSULATIONS, families, mirrored, wire_rig
from support.wire import Capture, Injector, dissect
from support.world import expect, expect_equal, parametrize, run_all, scenario

NEAR, FAR = "192.0.2.1", "192.0.2.2"
HERE, THERE, HERE4, THERE4 = "2001:db8::1", "2001:db8::2", "10.9.0.1", "10.9.0.2"


def addresses(words):
    return " ".join(families(words, f"address {HERE}/64", f"address {HERE4}/30"))


def payload(count):
    return Raw(bytes(i * 7 & 0xFF for i in range(count)))


def inner_packets(mtu, words):
    """(what, packet): lengths even and odd, up to the tunnel MTU; several next headers."""
    six = dict(src=HERE, dst=THERE, hlim=61)
    ipv6 = [
        ("no payload", IPv6(**six, nh=59)),
        ("UDP, 1 byte", IPv6(**six) / UDP(sport=1000, dport=2000) / payload(1)),
        ("UDP, odd length", IPv6(**six, fl=0x12345) / UDP(sport=1000, dport=2000) / payload(511)),
        ("TCP", IPv6(**six) / TCP(sport=1000, dport=2000, flags="PA", seq=7, ack=9) / payload(1000)),
        ("echo request", IPv6(**six) / ICMPv6EchoRequest(id=1, seq=2, data=bytes(payload(56)))),
        ("a fragment", IPv6(**six) / IPv6ExtHdrFragment(offset=10, m=1, id=77, nh=17) / payload(64)),
        ("tunnel MTU", IPv6(**six) / UDP(sport=1, dport=2) / payload(mtu - 48)),
        ("tunnel MTU less 1", IPv6(**six) / UDP(sport=1, dport=2) / payload(mtu - 49)),
    ]
    four = dict(src=HERE4, dst=THERE4, ttl=61, id=0x1234)
    ipv4 = [
        ("IPv4 UDP", IP(**four) / UDP(sport=1000, dport=2000) / payload(3)),
        ("IPv4 ICMP", IP(**four) / ICMP(id=1, seq=2) / payload(56)),
        ("IPv4 tunnel MTU", IP(**four, flags="DF") / UDP(sport=1, dport=2) / payload(mtu - 28)),
    ]
    return [(what, bytes(packet)) for packets in families(words, ipv6, ipv4) for what, packet in packets]


def gre_fields(words, sequence):
    """What `words` ask of the GRE header: the way out has okey."""
    words = words.split()
    fields = {}
    for word in ("key", "okey"):
        if word in words:
            fields |= {"key_present": 1, "key": int(words[words.index(word) + 1])}
    if "csum" in words:
        fields["chksum_present"] = 1
    if "seq" in words:
        fields |= {"seqnum_present": 1, "sequence_number": sequence}
    return fields


def protocol(words, inner):
    """The protocol of the outer header."""
    return 47 if words.split()[1] == "gre" else 41 if inner[0] >> 4 == 6 else 4


def outer(words, inner, sequence=0, **fields):
    """The datagram as scapy builds it around `inner`, with the outer header's `fields`."""
    fields = {"src": NEAR, "dst": FAR, "ttl": 64, **fields}
    if words.split()[1] != "gre":
        return IP(**fields, proto=protocol(words, inner)) / Raw(inner)
    gre = gre_fields(words, sequence) | {"proto": 0x86DD if inner[0] >> 4 == 6 else 0x0800}
    return IP(**fields) / GRE(**gre) / Raw(inner)


@parametrize(ENCAPSULATIONS)
def what_is_sent(words, overhead):
    wire = wire_rig()
    culvert = Culvert(wire.near, f"tun {words} remote {FAR} local {NEAR} ttl 64 tos 0 {addresses(words)}")
    inner = inner_packets(1500 - overhead, words)
    tun = Injector(wire.near, "tun")
    first = None
    with wire.capture() as capture:
        for index, (what, packet) in enumerate(inner):
            tun.send(packet)
            frame = capture.wait_for(1, f"outer packet of {what}", where=lambda f: f.ip.endswith(packet))[0]
            got = IP(frame.ip)
            # The ID is the sender's to choose (RFC 6864 4.1: with DF it means nothing); the rest is not.
            sequence = 0
            if "seq" in words:
                sequence = GRE(bytes(got.payload)).sequence_number
                first = sequence - index if first is None else first
                expect(sequence >= first + index, f"sequence number {sequence} after {first + index - 1}")
            wanted = bytes(outer(words, packet, sequence, id=got.id, flags="DF"))
            expect_equal(frame.ip.hex(" ", 4), wanted.hex(" ", 4), f"outer packet of {what}")
        # RFC 4213 3.5: outer length = inner length + outer headers, no byte behind it.
        read = dissect([frame.ip for frame in capture.frames], ["ip.len", "frame.len", "ip.proto"])
    for (total, length, protocols), (what, packet) in zip(read, inner, strict=True):
        expect_equal(total.split(",")[0], length, "outer total length and frame length")
        expect_equal(protocols.split(",")[0], str(protocol(words, packet)), f"outer protocol of {what}")
    expect_equal(culvert.drops(), {}, "drops")
    culvert.stop()


@parametrize(ENCAPSULATIONS)
def what_is_received(words, overhead):
    wire = wire_rig()
    culvert = Culvert(wire.near, f"tun {mirrored(words)} remote {FAR} local {NEAR} {addresses(words)}")
    packets = inner_packets(1500 - overhead, words)
    with Capture(wire.near, "tun") as inside:
        for index, (what, packet) in enumerate(packets):
            packet = turned(packet)
            datagram = outer(words, packet, index, src=FAR, dst=NEAR)
            wire.send(datagram)
            frame = inside.wait_for(index + 1, f"inner packet of {what}")[-1]
            expect_equal(frame.ip.hex(" ", 4), packet.hex(" ", 4), f"inner packet of {what}")
    expect_equal(culvert.drops(), {}, "drops")
    expect_equal(culvert.tunnel()["in_packets"], len(packets), "in_packets")
    culvert.expect_conserved()
    culvert.stop()


def turned(packet):
    """The same inner packet the other way round: sums do not change when the addresses swap places."""
    if packet[0] >> 4 == 6:
        return packet[:8] + packet[24:40] + packet[8:24] + packet[40:]
    return packet[:12] + packet[16:20] + packet[12:16] + packet[20:]


@scenario()
def padding_behind_the_inner_packet_is_removed():
    """RFC 4213 3.6: the length is that of the IPv6 header."""
    wire = wire_rig()
    culvert = Culvert(wire.near, f"tun mode sit remote {FAR} local {NEAR} address {HERE}/64")
    inner = bytes(IPv6(src=THERE, dst=HERE) / UDP(sport=1, dport=2) / payload(10))
    with Capture(wire.near, "tun") as inside:
        # tb-tun sends 4 bytes too many; a short Ethernet frame is padded to 60 bytes behind the outer packet.
        for count, padding in enumerate((1, 4, 26, 500), 1):
            wire.send(IP(src=FAR, dst=NEAR, proto=41) / Raw(inner + b"\xAA" * padding))
            got = inside.wait_for(count)[-1].ip
            expect_equal(got.hex(), inner.hex(), f"inner packet with {padding} bytes behind it")
        wire.send(bytes(IP(src=FAR, dst=NEAR, proto=41) / Raw(inner)) + b"\xBB" * 30)
        expect_equal(inside.wait_for(5)[-1].ip.hex(), inner.hex(), "inner packet with link padding")
    expect_equal(culvert.drops(), {}, "drops")
    culvert.stop()


run_all()
