#!/usr/bin/python3
r"""culvert against a real Linux kernel's sit, ipip and gre: Debian's user-mode-linux is the remote endpoint.

    namespace near                       user-mode Linux 6.1
      culvert  198.51.100.1 --- tap ---  198.51.100.2  sit, ipip or ip_gre
      TUN tun  fd00::1/64  ............  fd00::2/64    device tun
               10.9.0.1/30               10.9.0.2/30   (gre, ipip, any)

    with a router that marks, for ECN:

    near  192.0.2.1 --- veth --- router 198.51.100.1 --- tap --- 198.51.100.2 user-mode Linux
"""

from support import traffic
from support.culvert import IO, SEND, Culvert
from support.net import Namespace, veth
from support.rig import ENCAPSULATIONS, families, mirrored
from support.uml import Uml
from support.world import Failure, expect, expect_equal, parametrize, run_all, scenario, wait_until

NEAR, FAR = "198.51.100.1", "198.51.100.2"
BYTES = 4 << 20


def far_device(far, words, mtu, near=NEAR, extra=""):
    """The kernel's own tunnel, with the words that culvert gets."""
    if words == "mode any":  # `ip tunnel` does not know it; it is a mode of sit
        far.ip(f"link add tun type sit mode any remote {near} local {FAR} ttl 64 {extra}")
    else:
        far.ip(f"tunnel add tun {mirrored(words)} remote {near} local {FAR} ttl 64 {extra}")
    far.ip(f"link set dev tun mtu {mtu} up")
    for address in families(words, "fd00::2/64", "10.9.0.2/30"):
        far.ip(f"addr add {address} dev tun")


def inner_addresses(words):
    return " ".join(families(words, "address fd00::1/64", "address 10.9.0.1/30"))


def link_local(place):
    found = [a["local"] for a in place.ip_json("addr show dev tun")[0]["addr_info"] if a["scope"] == "link"]
    expect(found, "the tunnel device has no link-local address")
    return found[0]


@scenario(limit=600)
def pings_and_tcp():
    """All encapsulations, one after the other, with a kernel that is booted once."""
    near = Namespace("near")
    far = Uml(near, NEAR, FAR)
    for label, words, overhead in ENCAPSULATIONS:
        try:
            pings_and_tcp_through(near, far, words, overhead)
        except Exception as error:
            raise Failure(f"with {label}: {error}") from error
        far.ip("tunnel del tun")


def pings_and_tcp_through(near, far, words, overhead):
    mtu = 1500 - overhead
    far_device(far, words, mtu)
    culvert = Culvert(near, f"tun {words} remote {FAR} local {NEAR} ttl 64 {inner_addresses(words)}")
    expect_equal(near.mtu("tun"), mtu, "tunnel MTU")
    if SEND == "auto":
        wait_until(lambda: culvert.tunnel()["send"] == "packet", "send packet")
        is_cut_there = IO != "refused" and "csum" not in words and "seq" not in words
        expect_equal(culvert.tunnel()["send_reason"].endswith("cut there"), is_cut_there, culvert.show_text())

    edge = f"56-64,127-129,575-577,1279-1281,{mtu - 17}-{mtu}"
    beyond = f"{mtu + 1}-{mtu + 9},2000,2 * MTU,4000,8192,16000"
    beyond = beyond.replace("2 * MTU", str(2 * mtu))
    for here, there in families(words, ("fd00::1", "fd00::2"), ("10.9.0.1", "10.9.0.2")):
        for place, other in ((near, there), (far, here)):
            traffic.ping(place, other, edge)
            traffic.ping(place, other, beyond, window=4)
    if families(words, 6, 4)[0] == 6:
        traffic.ping(near, link_local(far), "56-64,1280", interface="tun")
        traffic.ping(far, link_local(near), "56-64,1280", interface="tun")

    for here, there in families(words, ("fd00::1", "fd00::2"), ("10.9.0.1", "10.9.0.2")):
        traffic.tcp(near, far, there, BYTES)
        traffic.tcp(far, near, here, BYTES)
    expect_equal(culvert.drops(), {}, "drops")
    culvert.expect_conserved()
    culvert.stop()


@parametrize([("gre csum", "mode gre csum", 28), ("sit", "mode sit", 20)])
def checksum_left_to_the_device(words, overhead):
    """Between virtual machines of one host a sender leaves checksums to a device that never fills them in,
    that of GRE too: a packet socket is told so. A raw socket is not, and can only drop what looks wrong."""
    near = Namespace("near")
    far = Uml(near, NEAR, FAR, offload=True)
    mtu = 1500 - overhead
    far_device(far, words, mtu)
    culvert = Culvert(near, f"tun {words} remote {FAR} local {NEAR} ttl 64 {inner_addresses(words)}", receive="packet")
    traffic.ping(near, "fd00::2", f"56-64,{mtu - 4}-{mtu}")
    traffic.tcp(near, far, "fd00::2", BYTES)
    traffic.tcp(far, near, "fd00::1", BYTES)
    expect_equal(culvert.drops(), {}, "drops")
    culvert.expect_conserved()
    culvert.stop()


NOT_ECT, ECT1, ECT0, CE = range(4)


def routed(words):
    """near - router - user-mode Linux; returns near, router, far and the culvert."""
    near, router = Namespace("near"), Namespace("router")
    veth(near, router, "192.0.2.1/24", "192.0.2.254/24")
    near.ip("route add default via 192.0.2.254")
    router.forwards()
    far = Uml(router, NEAR, FAR)
    far.ip(f"route add default via {NEAR}")
    far_device(far, words, 1400, near="192.0.2.1")
    culvert = Culvert(near, f"tun {words} remote {FAR} local 192.0.2.1 ttl 64 mtu 1400 {inner_addresses(words)}")
    traffic.ping(near, "fd00::2")
    return near, router, far, culvert


def marks(sender, receiver, to, sent):
    """How datagrams with the traffic class `sent` arrive: {traffic class: count}."""
    counted = traffic.udp(sender, receiver, to, count=20, tclass=sent, rate=1000)
    return {int(mark): count for mark, count in counted["classes"].items()}


@parametrize([("sit", "mode sit"), ("gre", "mode gre key 42")])
def congestion_marks(words):
    """RFC 6040 with a router that marks outer packets CE, as a real kernel's tunnel sends and takes them."""
    near, router, far, culvert = routed(words)
    ways = ((near, far, "fd00::2"), (far, near, "fd00::1"))
    for sender, receiver, to in ways:
        for ecn in (NOT_ECT, ECT1, ECT0, CE):
            expect_equal(marks(sender, receiver, to, ecn), {ecn: 20}, f"to {to} without marking")
    router.rule("forward", "ip protocol { 41, 47 } ip ecn { ect0, ect1 } ip ecn set ce", family="ip")
    for sender, receiver, to in ways:
        for ecn, arrives in ((NOT_ECT, NOT_ECT), (ECT1, CE), (ECT0, CE), (CE, CE)):
            expect_equal(marks(sender, receiver, to, ecn), {arrives: 20}, f"ECN {ecn} to {to} with marking")
    expect_equal(culvert.drops(), {}, "drops")
    # A router that marks what must not be marked: RFC 6040 4.2 has it dropped, and both ends agree.
    router.rule("forward", "ip protocol { 41, 47 } ip ecn set ce", family="ip")
    expect_equal(traffic.ping_lost(far, "fd00::1", "64,65,66", timeout=0.5), [64, 65, 66], "pings with a forced mark")
    wait_until(lambda: culvert.drops().get("ecn_ce_on_not_ect", 0) >= 3, "the counter of forced marks")
    culvert.expect_conserved()
    culvert.stop()


run_all()
