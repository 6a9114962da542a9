#!/usr/bin/python3
"""proto/ compared with two other implementations. Random packets, the same in every run:

    scapy    builds what encapsulate() and the ICMP errors have to give, byte for byte, and what
             decapsulate() has to take apart again
    tshark   dissects every packet that proto/ wrote and finds nothing malformed and no bad checksum

usage: scapy_test.py ENCAPSULATE_TOOL; exit status 0, 1 (what differs is printed), 77 (no scapy, or
no tshark)
"""
import logging
import os
import random
import shutil
import subprocess
import sys
import tempfile

logging.getLogger("scapy").setLevel(logging.ERROR)
try:
    from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption
    from scapy.layers.inet6 import (
        ICMPv6DestUnreach, ICMPv6EchoRequest, ICMPv6ND_NA, ICMPv6ND_NS,
        ICMPv6NDOptDstLLAddr, ICMPv6NDOptMTU, ICMPv6NDOptSrcLLAddr, ICMPv6PacketTooBig,
        ICMPv6ParamProblem, ICMPv6TimeExceeded, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop,
        IPv6ExtHdrRouting, PadN)
    from scapy.layers.l2 import GRE
    from scapy.packet import Raw
    from scapy.utils import RawPcapWriter, checksum
except ImportError:
    sys.exit(77)

PACKETS = 400
RNG = random.Random(4213)


def random_bytes(size):
    return bytes(RNG.getrandbits(8) for _ in range(size))


def ipv4_address():
    return f"{RNG.randint(1, 223)}." + ".".join(str(RNG.randint(0, 255)) for _ in range(3))


def ipv6_address():
    return "2001:db8:" + ":".join(f"{RNG.randint(1, 0xffff):x}" for _ in range(6))


def upper_layer(is_ipv6):
    """UDP, TCP or an echo request, with a payload of any size, often odd."""
    payload = Raw(random_bytes(RNG.choice([0, 1, 2, 13, RNG.randint(0, 1300)])))
    ports = {"sport": RNG.randint(40000, 49999), "dport": RNG.randint(40000, 49999)}
    kind = RNG.randrange(3)
    if kind == 0:
        return UDP(**ports) / payload
    if kind == 1:
        options = RNG.choice([[], [("MSS", 1440)], [("NOP", None), ("MSS", 1440), ("WScale", 7)],
                              [("MSS", 1440), ("SAckOK", b""), ("Timestamp", (1, 0))]])
        return TCP(**ports, seq=RNG.getrandbits(32), ack=RNG.getrandbits(32),
                   flags=RNG.choice(["S", "A", "PA", "SA", "FA"]), options=options) / payload
    return (ICMPv6EchoRequest(id=7, seq=9) if is_ipv6 else ICMP(id=7, seq=9)) / payload


def extension_headers():
    """None most often; else up to three, in the order of RFC 8200 4.1."""
    chain = []
    if RNG.random() < 0.2:
        chain.append(IPv6ExtHdrHopByHop(options=[PadN(optdata=bytes(RNG.choice([4, 12])))]))
    if RNG.random() < 0.2:
        chain.append(IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(RNG.choice([4, 20])))]))
    if RNG.random() < 0.1:
        chain.append(IPv6ExtHdrFragment(offset=0, m=0, id=RNG.getrandbits(32)))
    return chain


def ipv6_packet():
    packet = IPv6(src=ipv6_address(), dst=ipv6_address(), tc=RNG.getrandbits(8),
                  fl=RNG.getrandbits(20), hlim=RNG.randint(1, 255))
    for header in extension_headers():
        packet /= header
    return packet / upper_layer(is_ipv6=True)


def ipv4_packet():
    return IP(src=ipv4_address(), dst=ipv4_address(), tos=RNG.getrandbits(8),
              id=RNG.getrandbits(16), ttl=RNG.randint(1, 255)) / upper_layer(is_ipv6=False)


def outer_header(**more):
    return IP(src=ipv4_address(), dst=ipv4_address(), tos=RNG.getrandbits(8),
              ttl=RNG.randint(1, 255), id=RNG.getrandbits(16), flags=RNG.choice(["DF", 0]), **more)


def outer_words(header):
    return (f"source={header.src} destination={header.dst} tos={header.tos} ttl={header.ttl} "
            f"id={header.id} df={int(bool(header.flags.DF))}")


def gre_header():
    """A header and the words with which the tool builds the same."""
    fields, words = {}, ""
    if RNG.random() < 0.5:
        fields |= {"chksum_present": 1}
        words += " csum=1"
    if RNG.random() < 0.5:
        fields |= {"key_present": 1, "key": RNG.choice([0, RNG.getrandbits(32)])}
        words += f" key={fields['key']}"
    if RNG.random() < 0.5:
        fields |= {"seqnum_present": 1, "seqence_number": RNG.getrandbits(32)}
        words += f" sequence={fields['seqence_number']}"
    return GRE(**fields), words


class Comparison:
    """Requests and scapy's answers; all requests are sent at once."""

    def __init__(self):
        self.requests, self.expected, self.is_packet = [], [], []

    def add(self, request, expected, is_packet=False):
        self.requests.append(request)
        self.expected.append(expected)
        self.is_packet.append(is_packet)

    def run(self, tool):
        """The number of differences, and the packets that the tool wrote."""
        output = subprocess.run([tool], input="\n".join(self.requests) + "\n", text=True, timeout=60,
                                stdout=subprocess.PIPE, check=True).stdout.splitlines()
        differences = 0
        if len(output) != len(self.expected):
            print(f"{len(self.expected)} requests, {len(output)} answers")
            differences += 1
        for request, got, expected in zip(self.requests, output, self.expected):
            if got != expected:
                differences += 1
                if differences <= 5:
                    print(f"{request}\n  scapy   {expected}\n  culvert {got}")
        return differences, [bytes.fromhex(got) for got, wanted in zip(output, self.is_packet)
                             if wanted and not got.startswith("error")]


def add_encapsulations(comparison):
    for _ in range(PACKETS):
        inner, outer = ipv6_packet(), outer_header()
        comparison.add(f"sit {outer_words(outer)} inner={bytes(inner).hex()}",
                       bytes(outer / inner).hex(), is_packet=True)
        inner, outer = ipv4_packet(), outer_header()
        comparison.add(f"ipip {outer_words(outer)} inner={bytes(inner).hex()}",
                       bytes(outer / inner).hex(), is_packet=True)
        inner, outer = RNG.choice([ipv6_packet, ipv4_packet])(), outer_header()
        comparison.add(f"any {outer_words(outer)} inner={bytes(inner).hex()}",
                       bytes(outer / inner).hex(), is_packet=True)
        inner, outer = RNG.choice([ipv6_packet, ipv4_packet])(), outer_header()
        header, words = gre_header()
        comparison.add(f"gre {outer_words(outer)}{words} inner={bytes(inner).hex()}",
                       bytes(outer / header / inner).hex(), is_packet=True)


def add_decapsulations(comparison):
    for _ in range(PACKETS):
        options = RNG.choice([[], [IPOption(bytes.fromhex("94040000"))]])
        padding = bytes(RNG.choice([0, 0, 4, 26]))
        inner = RNG.choice([ipv6_packet, ipv4_packet])()
        packet = bytes(outer_header(options=options) / inner) + padding
        comparison.add(f"decapsulate bytes={packet.hex()}", f"- - {bytes(inner).hex()}")

        inner = RNG.choice([ipv6_packet, ipv4_packet])()
        header, _ = gre_header()
        packet = bytes(outer_header(options=options) / header / inner) + padding
        key = header.key if header.key_present else "-"
        sequence = header.seqence_number if header.seqnum_present else "-"
        comparison.add(f"decapsulate bytes={packet.hex()}", f"{key} {sequence} {bytes(inner).hex()}")


def add_damage(comparison):
    """One flipped bit behind the outer header; with C set, each must be detected."""
    for _ in range(PACKETS):
        packet = bytearray(bytes(outer_header() / GRE(chksum_present=1) / ipv6_packet()))
        packet[RNG.randrange(24, len(packet))] ^= 1 << RNG.randrange(8)
        comparison.add(f"decapsulate bytes={packet.hex()}", "error bad_checksum")


def add_icmp_errors(comparison):
    for _ in range(PACKETS):
        offending, header = bytes(ipv6_packet()), IPv6(src=ipv6_address(), dst=ipv6_address(), hlim=64)
        number = RNG.choice([1280, RNG.getrandbits(32)])
        message = RNG.choice([ICMPv6DestUnreach(code=3), ICMPv6PacketTooBig(mtu=number),
                              ICMPv6TimeExceeded(), ICMPv6ParamProblem(code=1, ptr=number)])
        parameter = number if isinstance(message, (ICMPv6PacketTooBig, ICMPv6ParamProblem)) else 0
        comparison.add(f"icmpv6 source={header.src} destination={header.dst} type={message.type} "
                       f"code={message.code} parameter={parameter} offending={offending.hex()}",
                       bytes(header / message / Raw(offending[:1280 - 48])).hex(), is_packet=True)

        offending = bytes(ipv4_packet())
        header = IP(src=ipv4_address(), dst=ipv4_address(), tos=0xc0, ttl=64, id=0, flags="DF")
        mtu = RNG.randint(68, 65535)
        message = RNG.choice([ICMP(type=3, code=4, nexthopmtu=mtu), ICMP(type=3, code=1),
                              ICMP(type=11, code=0)])
        word = mtu if message.code == 4 else 0
        comparison.add(f"icmpv4 source={header.src} destination={header.dst} type={message.type} "
                       f"code={message.code} mtu={word} offending={offending.hex()}",
                       bytes(header / message / Raw(offending[:576 - 28])).hex(), is_packet=True)


def add_small_units(comparison):
    for _ in range(PACKETS):
        data = random_bytes(RNG.randint(0, 3000))
        comparison.add(f"checksum bytes={data.hex()}", f"{checksum(data):04x}")

        packet = ipv6_packet()
        protocols = {UDP: 17, TCP: 6, ICMPv6EchoRequest: 58}
        upper = next(kind for kind in protocols if kind in packet)
        offset = len(packet) - len(packet[upper])
        comparison.add(f"upper bytes={bytes(packet).hex()}", f"{protocols[upper]} {offset}")

        syn = (IPv6(src=ipv6_address(), dst=ipv6_address()) /
               TCP(sport=40000, dport=40001, flags="S", seq=RNG.getrandbits(32)))
        mss = RNG.randint(1, 65535)
        before = [("NOP", None)] * RNG.randrange(4)
        syn[TCP].options = before + [("MSS", RNG.randint(mss, 65535)), ("SAckOK", b"")]
        clamped = syn.copy()
        clamped[TCP].options = before + [("MSS", mss), ("SAckOK", b"")]
        comparison.add(f"clamp mss={mss} offset=40 bytes={bytes(syn).hex()}", bytes(clamped).hex(),
                       is_packet=True)


def link_layer_address():
    octets = random_bytes(6)
    return octets.hex(), ":".join(f"{octet:02x}" for octet in octets)


def neighbor_header():
    return IPv6(src=ipv6_address(), dst=ipv6_address(), hlim=255)


def add_neighbor_messages(comparison):
    for _ in range(PACKETS):
        header, target, (word, text) = neighbor_header(), ipv6_address(), link_layer_address()
        where = f"source={header.src} destination={header.dst} target={target}"
        r, s, o = (RNG.getrandbits(1) for _ in range(3))
        packet = (header / ICMPv6ND_NA(tgt=target, R=r, S=s, O=o) / ICMPv6NDOptDstLLAddr(lladdr=text))
        comparison.add(f"advertisement {where} address={word} router={r} solicited={s} override={o}",
                       bytes(packet).hex(), is_packet=True)
        flags = f"{'R' * r}{'S' * s}{'O' * o}-"
        comparison.add(f"neighbor bytes={bytes(packet).hex()}",
                       f"136 {target} {flags} {word}")

        bare, option = header / ICMPv6ND_NS(tgt=target), ICMPv6NDOptSrcLLAddr(lladdr=text)
        comparison.add(f"solicitation {where}", bytes(bare).hex(), is_packet=True)
        comparison.add(f"solicitation {where} address={word}", bytes(bare / option).hex(),
                       is_packet=True)
        comparison.add(f"neighbor bytes={bytes(bare / ICMPv6NDOptMTU() / option).hex()}",
                       f"135 {target} - {word}")
        comparison.add(f"neighbor bytes={bytes(header / IPv6ExtHdrFragment() / bare.payload).hex()}",
                       "error fragmented")


def complaints_of_tshark(packets):
    """Lines of tshark about packets that are malformed or have a bad checksum."""
    always = ["ip.checksum.status", "gre.checksum.status", "icmp.checksum.status",
              "icmpv6.checksum.status"]
    # tshark sums the TCP segment that an ICMP error quotes although it is cut short.
    unquoted = ["tcp.checksum.status", "udp.checksum.status"]
    is_error = "(icmp.type in {3, 11} || icmpv6.type < 128)"
    bad = " || ".join(["_ws.malformed"] + [f"{status} == 0" for status in always] +
                      [f"({status} == 0 && !{is_error})" for status in unquoted])
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "packets.pcap")
        with RawPcapWriter(path, linktype=101) as writer:  # LINKTYPE_RAW: an IP header comes first
            for packet in packets:
                writer.write(packet)
        command = ["tshark", "-n", "-r", path,
                   "-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE",
                   "-o", "udp.check_checksum:TRUE", "-o", "tcp.try_heuristic_first:FALSE",
                   "-d", "tcp.port==1-65535,data", "-d", "udp.port==1-65535,data"]
        seen = subprocess.run(command + ["-T", "fields", "-e", "frame.protocols"], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=120,
                              check=True).stdout.splitlines()
        found = subprocess.run(command + ["-Y", bad], text=True, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, timeout=120, check=True)
    tunnelled = sum(1 for line in seen if ":ip:ipv6" in line or ":ip:gre:" in line)
    if len(seen) != len(packets) or tunnelled < PACKETS:
        return [f"tshark saw {len(seen)} of {len(packets)} packets, {tunnelled} of them in tunnels"]
    return found.stdout.splitlines()


def main():
    if shutil.which("tshark") is None:
        print("tshark is not installed")
        return 77
    comparison = Comparison()
    add_encapsulations(comparison)
    add_decapsulations(comparison)
    add_damage(comparison)
    add_icmp_errors(comparison)
    add_small_units(comparison)
    add_neighbor_messages(comparison)
    differences, packets = comparison.run(sys.argv[1])

    # tshark has to be able to complain: a packet with one bit wrong must be among its complaints.
    damaged = bytearray(packets[0])
    damaged[-1] ^= 1
    if not complaints_of_tshark(packets + [bytes(damaged)]):
        print("tshark does not notice a damaged packet")
        return 1
    complaints = complaints_of_tshark(packets)
    for line in complaints[:5]:
        print(f"tshark: {line}")
    print(f"{len(comparison.requests)} requests, {differences} answers differ from scapy's; "
          f"{len(packets)} packets, {len(complaints)} complaints of tshark")
    return 0 if differences == 0 and not complaints else 1


if __name__ == "__main__":
    sys.exit(main())
