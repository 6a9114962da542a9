#!/usr/bin/python3
"""relay_error() compared with scapy: random packets (the same in every run) in every kind of tunnel,
and every kind of ICMPv4 error about them, quoted to any length. Scapy builds the outer packet, the
error about it, and the expected error for the inner source. The conditions for relaying are
implemented here once more, from RFC 4213 3.2.2 and 3.4, RFC 1191, RFC 5927 and RFC 4443 2.4(e).

usage: icmp_scapy_test.py RELAY_TOOL; exit status 0, 1 (the differences are printed), 77 (no scapy)
"""
import logging
import random
import subprocess
import sys

logging.getLogger("scapy").setLevel(logging.ERROR)
try:
    from scapy.layers.inet import ICMP, IP, TCP, UDP
    from scapy.layers.inet6 import (ICMPv6DestUnreach, ICMPv6EchoRequest, ICMPv6PacketTooBig,
                                    ICMPv6TimeExceeded, IPv6, IPv6ExtHdrDestOpt)
    from scapy.layers.l2 import GRE
    from scapy.packet import Raw
except ImportError:
    sys.exit(77)

MESSAGES = 3000
MIN_PMTU = 552  # as net.ipv4.route.min_pmtu of Linux
PLATEAUS = [32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68]  # RFC 1191 7.1
RNG = random.Random(1191)
HOST, SERVER, HOST4, SERVER4 = "2001:db8::1", "2001:db8:1::2", "192.0.2.1", "198.51.100.1"


class Inner:
    """An inner packet, and whether RFC 4443 and RFC 1122 allow an error about it."""

    def __init__(self, is_ipv6):
        data = Raw(RNG.randbytes(RNG.choice([0, 10, 600, RNG.randint(1100, 1400)])))
        self.is_ipv6, self.has_df, self.is_answerable, self.needs_bytes = is_ipv6, True, True, 0
        if is_ipv6:
            upper = RNG.choice([TCP(), UDP(), ICMPv6EchoRequest(), ICMPv6TimeExceeded()])
            options = RNG.choice([True, False, False])
            head = IPv6(src=HOST, dst=SERVER, hlim=RNG.randint(1, 255), tc=RNG.getrandbits(8))
            packet = (head / IPv6ExtHdrDestOpt() if options else head) / upper / data
            # What must be quoted to see that it is no ICMPv6 error: 2.4(e.1).
            self.needs_bytes = 40 + 8 * options + ("ICMPv6" in upper.name)
            self.is_answerable = not isinstance(upper, ICMPv6TimeExceeded)
        else:
            upper = RNG.choice([TCP(), UDP(), ICMP(type=8), ICMP(type=3)])
            self.has_df = RNG.random() < 0.7
            packet = IP(src=HOST4, dst=SERVER4, flags="DF" if self.has_df else 0) / upper / data
            self.needs_bytes = 20 + isinstance(upper, ICMP)
            self.is_answerable = not (isinstance(upper, ICMP) and upper.type == 3)
        self.bytes = bytes(packet)


def encapsulate(mode, inner):
    """The outer packet, and the bytes in front of the inner one."""
    outer = IP(src="10.0.0.1", dst="10.0.0.2", flags="DF", ttl=RNG.randint(1, 255))
    if mode == "sit":
        packet = IP(**outer.fields, proto=41) / Raw(inner.bytes)
    else:
        gre = GRE(proto=0x86dd if inner.is_ipv6 else 0x0800)
        if "k" in mode:
            gre.key_present, gre.key = 1, 42
        if "c" in mode:
            gre.chksum_present = 1
        if "s" in mode:
            gre.seqnum_present, gre.seqence_number = 1, RNG.getrandbits(32)
        packet = IP(**outer.fields, proto=47) / gre / Raw(inner.bytes)
    raw = bytes(packet)
    return raw, len(raw) - len(inner.bytes)


def error_about(outer):
    """Type, code, MTU, and the whole message, which quotes a random number of bytes."""
    kind, code = RNG.choice([(3, 4)] * 4 + [(3, 0), (3, 1), (3, 2), (11, 0), (11, 1), (12, 0), (4, 0),
                                           (5, 1)])
    mtu = RNG.choice([0, 1, 576, RNG.randint(1000, 1600)]) if (kind, code) == (3, 4) else 0
    quoted = outer[:RNG.choice([28, 60, 61, 100, 548, 65535])]
    more = {"nexthopmtu": mtu} if (kind, code) == (3, 4) else {}
    message = IP(src="10.9.9.9", dst="10.0.0.1") / ICMP(type=kind, code=code, **more) / Raw(quoted)
    return kind, code, mtu, quoted, bytes(message)


def expected_error(inner, quoted_inner, is_too_big, mtu):
    """The error packet for the inner source."""
    if inner.is_ipv6:
        error = ICMPv6PacketTooBig(mtu=mtu) if is_too_big else ICMPv6DestUnreach(code=3)
        return bytes(IPv6(src=SERVER, dst=HOST, hlim=64) / error / Raw(quoted_inner[:1232]))
    error = ICMP(type=3, code=4, nexthopmtu=mtu) if is_too_big else ICMP(type=3, code=1)
    # RFC 1812 4.3.2.3 and 4.3.2.5
    return bytes(IP(src=SERVER4, dst=HOST4, tos=0xc0, flags="DF", id=0, ttl=64) / error /
                 Raw(quoted_inner[:548]))


def expect(inner, overhead, path_mtu, error):
    """The expected output of relay_error()."""
    kind, code, mtu, quoted, _ = error
    sent = overhead + len(inner.bytes)
    if kind in (4, 5):
        return "icmp_error_not_relayed 0 "
    if sent > path_mtu + 20:  # with the surplus of RFC 1191 5
        return "icmp_error_implausible 0 "
    is_too_big, learned, new_path_mtu, tunnel_mtu = (kind, code) == (3, 4), 0, path_mtu, 0
    if is_too_big:
        mtu = mtu or next((p for p in PLATEAUS if p < sent), 68)
        if mtu >= sent:
            return "icmp_error_not_relayed 0 "
        mtu = max(MIN_PMTU, mtu)
        if mtu < path_mtu:
            learned = new_path_mtu = mtu
        least = 1280 if inner.is_ipv6 else 68
        tunnel_mtu = min(max(least, new_path_mtu - overhead), path_mtu - overhead)
        if inner.is_ipv6:
            tunnel_mtu = max(1280, tunnel_mtu)
    quoted_inner = quoted[overhead:]
    if len(quoted) < overhead or len(quoted_inner) < (40 if inner.is_ipv6 else 20):
        return f"icmp_error_quotes_too_little {learned} "
    if is_too_big and (len(inner.bytes) <= tunnel_mtu or not inner.has_df):
        return f"icmp_error_not_relayed {learned} "
    if not inner.is_answerable or len(quoted_inner) < inner.needs_bytes:
        return f"icmp_error_not_answerable {learned} "
    return f"none {learned} " + expected_error(inner, quoted_inner, is_too_big, tunnel_mtu).hex()


def main(tool):
    requests, expected = [], []
    for _ in range(MESSAGES):
        mode = RNG.choice(["sit", "gre", "grek", "grec", "gres", "grekcs"])
        inner = Inner(is_ipv6=mode == "sit" or RNG.random() < 0.5)
        outer, overhead = encapsulate(mode, inner)
        error = error_about(outer)
        path_mtu = RNG.choice([1500, 1500, 9000, 1400])
        requests.append(f"{mode} {path_mtu} {error[-1].hex()}")
        expected.append(expect(inner, overhead, path_mtu, error))
    output = subprocess.run([tool], input="\n".join(requests) + "\n", text=True, timeout=60,
                            stdout=subprocess.PIPE, check=True).stdout.splitlines()
    differences = [triple for triple in zip(requests, expected, output) if triple[1] != triple[2]]
    for request, wanted, got in differences[:5]:
        print(f"{request}\n  scapy   {wanted}\n  culvert {got}")
    relayed = sum(line.startswith("none") for line in output)
    print(f"{len(output)} errors, {relayed} relayed, {len(differences)} differ")
    return 0 if len(output) == MESSAGES and relayed > MESSAGES // 10 and not differences else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
