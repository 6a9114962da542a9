#!/usr/bin/python3
r"""Who owns an address: the proxy takes none from hosts of its own link, and leaves none to a neighbor that is not
there. And what goes onto the link: one answer and no more, from which source, and what announces an address.

    host 2001:db8:0:1::aa eth0 --- veth --- up0 near 2001:db8:0:1::2, culvert
"""

from support.ndp import (ADVERTISEMENT, AUTO, ECHO_REQUEST, PREFIX, SOLICITATION, STATIC, Link, Ndp, address_bytes,
                         tunnel_to)
from support.wire import Capture
from support.world import expect, expect_equal, parametrize, run_all, scenario, wait_until

TUNNEL, EVERYTHING = tunnel_to(f"{PREFIX}:5/128"), tunnel_to(None)
STRANGER = "02:00:00:00:00:77"


def link_with_address():
    link = Link()
    link.near.ip(f"addr add {PREFIX}:2/64 dev up0 nodad")
    link.give_tunnel_ends()
    link.near.sysctl("net.ipv6.conf.all.forwarding", 1)
    return link


def serving(link, toml):
    ndp = Ndp(link.near, toml)
    ndp.says("answers for")
    return ndp


@parametrize([("an entry or none", False), ("REACHABLE", True)])
def a_router_that_comes_back_keeps_its_address(is_known):
    """After a power cut it looks whether its own address is free."""
    link = link_with_address()
    link.near.ip(f"-6 route add default via {PREFIX}:1 dev up0")
    if is_known:
        link.near.ip(f"-6 neigh replace {PREFIX}:1 lladdr {STRANGER} dev up0 nud reachable")
    ndp = serving(link, STATIC)
    wait_until(lambda: "holds the prefix of the link itself" in ndp.process.stderr(), "a warning of the rule")
    link.expect_silence(ndp, f"{PREFIX}:1")
    expect_equal(link.tentative(f"{PREFIX}:1"), "free", "the router's address")
    expect(ndp.show()["ignored"].get("gateway", 0) >= 2, f"{ndp.show()['ignored']}")
    link.near.ip(f"-6 route del default via {PREFIX}:1 dev up0")
    link.near.ip(f"-6 route add default via {PREFIX}:3 dev up0")  # it is followed
    link.host.ip(f"-6 addr del {PREFIX}:1/64 dev eth0")
    link.expect_answered(f"{PREFIX}:1")
    ndp.stop()


@scenario()
def a_tunnel_for_everything_takes_no_hosts_of_the_link():
    """The kernel's route to them is the link itself."""
    link = link_with_address()
    ndp = serving(link, EVERYTHING + AUTO)
    link.expect_silence(ndp, f"{PREFIX}:6")
    expect(ndp.show()["ignored"].get("route_on_link", 0) >= 1, f"{ndp.show()}")
    expect_equal(link.tentative(f"{PREFIX}:77"), "free", "a new host's address")
    link.near.ip(f"-6 route add {PREFIX}:5/128 dev broker")
    link.expect_answered(f"{PREFIX}:5")
    link.near.ip(f"-6 route add {PREFIX}:5/128 dev up0 metric 1")  # the host's own, and better
    link.expect_silence(ndp, f"{PREFIX}:5")
    ndp.stop()


@parametrize([("auto", "auto"), ("static", "static")])
def a_rule_for_everything_takes_no_part_in_the_link(answer):
    link = link_with_address()
    ndp = serving(link, EVERYTHING + STATIC.replace(f'"{PREFIX}:/64"', '"::/0"').replace("static", answer))
    for target in ("fe80::dead", "::1"):
        link.expect_silence(ndp, target)
    expect(ndp.show()["ignored"].get("target_not_forwarded", 0) >= 2, f"{ndp.show()}")
    expect_equal(link.tentative("fe80::beef"), "free", "a link-local address")
    expect_equal(link.tentative(f"{PREFIX}:77"), "free", "a new host's address")
    ndp.stop()


@scenario()
def the_anycast_address_of_the_subnet_is_the_kernels():
    link = link_with_address()
    ndp = serving(link, STATIC)
    with link.solicited(f"{PREFIX}:") as capture:
        capture.wait_for(1, "the kernel's answer", 20)
        wait_until(lambda: ndp.show()["ignored"].get("own_address", 0) >= 1, "the solicitation to be ignored")
        expect_equal(len(capture.frames), 1, "answers")
    ndp.stop()


@scenario()
def one_advertisement_of_another_silences_nothing():
    """Neither a proxy's (O clear) nor a forged owner's, who does not answer when asked."""
    link = link_with_address()
    ndp = serving(link, STATIC)
    link.advertise(f"{PREFIX}:5", STRANGER, 0)
    wait_until(lambda: ndp.show()["advertisements"] == 1, "the advertisement")
    link.expect_answered(f"{PREFIX}:5")
    expect_equal(ndp.show()["questions"], 0, "questions after a proxy's advertisement")
    link.advertise(f"{PREFIX}:6", STRANGER, 0x20)
    wait_until(lambda: ndp.show()["advertisements"] == 2, "the advertisement")
    link.expect_answered(f"{PREFIX}:6")
    expect(ndp.show()["questions"] >= 3, f"{ndp.show()}")
    ndp.stop()


@parametrize([("STALE", "stale"), ("PERMANENT", "permanent")])
def an_entry_of_the_kernel_silences_nothing(state):
    link = link_with_address()
    link.near.ip(f"-6 neigh replace {PREFIX}:5 lladdr {STRANGER} dev up0 nud {state}")
    ndp = serving(link, TUNNEL + AUTO)
    wait_until(lambda: ndp.show()["on_link"] >= 1, "the neighbor to be known")
    link.expect_answered(f"{PREFIX}:5")
    expect(ndp.show()["questions"] >= 3, f"{ndp.show()}")
    ndp.stop()


@scenario()
def a_host_that_answers_keeps_its_address():
    """And `show` names it."""
    link = link_with_address()
    link.host.ip(f"addr add {PREFIX}:7/64 dev eth0 nodad")
    link.host.run(["ping", "-6", "-c", "1", "-I", f"{PREFIX}:7", f"{PREFIX}:2"])  # near's kernel knows it now
    ndp = serving(link, STATIC)
    wait_until(lambda: ndp.show()["on_link"] >= 1, "the neighbor to be known")
    link.expect_silence(ndp, f"{PREFIX}:7")
    mac = link.host.ip_json("link show dev eth0")[0]["address"]
    expect_equal(ndp.show()["confirmed"], [{"address": f"{PREFIX}:7", "lladdr": mac}], "who is left alone")
    text = link.near.run([ndp.program, "show", "--control", ndp.control]).stdout
    expect(f"left to {PREFIX}:7 at {mac}" in text, text)
    ndp.stop()


@scenario()
def two_proxies_on_one_link_do_not_silence_each_other():
    link = link_with_address()
    near, far = serving(link, STATIC), Ndp(link.host, STATIC.replace("up0", "eth0"), name="far")
    far.says("answers for")
    for _ in range(3):
        link.expect_answered(f"{PREFIX}:5")
    expect_equal(near.show()["confirmed"], [], "who is left alone")
    far.stop()
    near.stop()


@scenario()
def detection_while_the_tunnel_is_down_does_not_silence_it():
    link = link_with_address()
    ndp = serving(link, TUNNEL.replace("prefix =", "up = false\nprefix =") + AUTO)
    expect_equal(link.tentative(f"{PREFIX}:5"), "free", "an address behind a tunnel that is down")
    link.host.ip(f"addr del {PREFIX}:5/64 dev eth0")
    link.near.run([ndp.program, "tunnel", "set", "broker", "alice", "up", "--control", ndp.control])
    wait_until(lambda: link.resolve(f"{PREFIX}:5", 5) == link.mac(), "an answer for the tunnel's own address", 60)
    ndp.stop()


@parametrize([("a link-local asker", None), ("an asker of the prefix", f"{PREFIX}:aa")])
def a_unicast_solicitation_gets_one_advertisement_and_nothing_else(source):
    """Neighbor unreachability detection. The kernel beside culvert neither forwards it nor answers by an error."""
    link = link_with_address()
    ndp = serving(link, TUNNEL + AUTO)
    source = source or link.link_local()
    link.host.ip(f"-6 neigh replace {PREFIX}:2 lladdr {link.mac()} dev eth0 nud permanent")
    with Capture(link.host, "eth0", lambda frame: frame.ip[6] == 58 and frame.ip[24] != 0xFF) as answers, \
            Capture(link.near, "broker", outgoing=True) as tunnel:
        link.solicit_unicast(f"{PREFIX}:5", source)
        wait_until(lambda: ndp.show()["answers"] == 1, "the answer")
        link.host.run(["ping", "-6", "-c", "1", f"{PREFIX}:2"])  # what came before it is through
        answers.wait_for(2, "the advertisement and the echo reply")
        expect_equal([frame.ip[40] for frame in answers.frames], [ADVERTISEMENT, 129], "ICMPv6 types of the answers")
        tunnel.expect_none("what went into the tunnel", lambda frame: frame.ip[6] == 58 and frame.ip[40] == 135)
    link.solicit_unicast(f"{PREFIX}:2", source)  # the kernel's own address is left to it
    wait_until(lambda: ndp.show()["ignored"].get("own_address", 0) >= 1, "the solicitation for near's own address")
    ndp.stop()


@scenario()
def a_unicast_solicitation_is_answered_without_bpf():
    """And the log says that the kernel has it too."""
    link = link_with_address()
    ndp = Ndp(link.near, TUNNEL + AUTO, io="refused")
    ndp.says("answers for")
    link.solicit_unicast(f"{PREFIX}:5", f"{PREFIX}:aa")
    wait_until(lambda: ndp.show()["answers"] == 1, "the answer")
    said = [line for line in ndp.process.stderr().splitlines() if "also reach the kernel" in line]
    expect(len(said) == 1 and "bpf()" in said[0], f"the log: {said}")
    ndp.stop()


@parametrize([("link-local", "link-local"), ("global", "global"), ("target", "target")])
def answers_come_from_the_source_that_is_set(source):
    """Some providers drop advertisements from fe80::/10."""
    link = link_with_address()
    ndp = serving(link, STATIC.replace("[ndp.up0]", f'[ndp.up0]\nsource = "{source}"'))
    expected = {"link-local": link.near_link_local(),
                "global": f"{PREFIX}:2", "target": f"{PREFIX}:5"}[source]
    with link.solicited(f"{PREFIX}:5") as capture:
        answer = capture.wait_for(1, "the answer")[0]
    expect_equal(answer.ip[8:24], address_bytes(expected), f"the source of an answer, which should be {expected}")
    link.expect_believed(f"{PREFIX}:5")
    shown = ndp.show()
    expect_equal((shown["source"], shown["source_address"]), (source, "" if source == "target" else expected), "show")
    if source == "global":
        link.near.ip(f"addr change {PREFIX}:2/64 dev up0 preferred_lft 0")
        ndp.says("waits: it has no global address that is preferred")
    ndp.stop()


@parametrize([("na", "na"), ("dad", "dad"), ("echo", "echo"), ("false", None)])
def an_address_is_announced_in_the_form_that_is_set(form):
    link = link_with_address()
    link.host.sysctl("net.ipv6.conf.all.forwarding", 1)  # a router, which the echo request reaches
    announce = f'"{form}"' if form else "false"
    announced = {"na": ADVERTISEMENT, "dad": SOLICITATION, "echo": ECHO_REQUEST}
    with Capture(link.host, "eth0", lambda frame: frame.ip[6] == 58 and frame.ip[40] in announced.values() and
                 frame.link[6:12].hex(":") == link.mac()) as capture:
        ndp = serving(link, TUNNEL + AUTO.replace("[ndp.up0]", f"[ndp.up0]\nannounce = {announce}"))
        if form:
            frame = capture.wait_for(1, "the announcement", 20, lambda each: each.ip[40] == announced[form])[0]
            expected = {"na": link.near_link_local(), "dad": "::", "echo": f"{PREFIX}:5"}[form]
            expect_equal(frame.ip[8:24], address_bytes(expected), f"its source, which should be {expected}")
        else:
            link.expect_answered(f"{PREFIX}:5")
            expect_equal(ndp.show()["announcements"], 0, "announcements")
        if form == "echo":  # it makes the router solicit the address
            wait_until(lambda: ndp.show()["answers"] >= 1, "the router's solicitation", 20)
    ndp.stop()


if __name__ == "__main__":
    run_all()
