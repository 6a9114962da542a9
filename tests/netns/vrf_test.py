#!/usr/bin/python3
r"""culvert on a kernel with VRF and with tunnels of its own: user-mode Linux. Its network namespace v has an
interface in a VRF.

    namespace near                      user-mode Linux 6.1         namespace v there
      culvert  198.51.100.1 --- tap --- 198.51.100.2
                                        10.0.0.1 ------ veth ------ 10.0.0.2 v0, in vrf0
      TUN tun  fd00::1/64  .......................................  fd00::2/64   culvert
"""

from support import traffic
from support.culvert import Culvert, program
from support.net import Namespace
from support.uml import Uml
from support.world import expect, run_all, scenario, wait_until

NEAR, FAR = "198.51.100.1", "10.0.0.2"


def in_v(*argv):
    return ["ip", "netns", "exec", "v", *argv]


def boot(near):
    far = Uml(near, NEAR, modules=("tun", "vrf", "veth"))
    near.ip("route add 10.0.0.0/24 via 198.51.100.2")
    far.run(["mount", "-t", "tmpfs", "tmpfs", "/run"])  # for ip netns, and for the control socket
    far.run(["sysctl", "-qw", "net.ipv4.ip_forward=1"])
    for words in ("netns add v", "link add to_v type veth peer name v0 netns v", "addr add 10.0.0.1/24 dev to_v",
                  "link set to_v up", "-n v link set lo up", "-n v link add vrf0 type vrf table 10",
                  "-n v link set vrf0 up", "-n v link set v0 master vrf0", "-n v addr add 10.0.0.2/24 dev v0",
                  "-n v link set v0 up", "-n v route add default via 10.0.0.1 table 10"):
        far.ip(words)
    return far


class FarCulvert:
    """culvert in namespace v of the other kernel."""

    def __init__(self, far, words):
        self.far = far
        self.process = far.start(in_v(program(), "run", "tun", *words.split()), timeout=100)
        wait_until(lambda: " is up: " in self.process.stdout() or self.process.reply, "culvert there to start", 30)
        expect(self.process.reply is None, f"it ended: {self.process.reply}")

    def show(self):
        return self.far.run(in_v(program(), "show")).stdout

    def stop(self):
        """Returns what it has logged."""
        self.far.run(["pkill", "-x", "culvert"])
        result = self.process.wait(30)
        expect(result.status == 0, f"{result}")
        return result.stderr


def a_tunnel_in_a_vrf(near, far):
    """By the VRF itself or by its member; without `dev` the reason and the word are named."""
    endpoints = f"mode sit remote {NEAR} local {FAR} address fd00::2/64"
    for dev in ("vrf0", "v0"):
        culvert = FarCulvert(far, f"{endpoints} dev {dev}")
        traffic.ping(near, "fd00::2", "56-60,1280")
        expect("dropped " not in culvert.show().replace("dropped            held", ""), culvert.show())
        logged = culvert.stop()
        expect("waits" not in logged, f"dev {dev}: {logged}")
    culvert = FarCulvert(far, endpoints)
    logged = culvert.stop()
    expect("is on v0, which is in a VRF that the tunnel does not use: write dev v0" in logged, logged)


def a_tunnel_of_the_kernel(far):
    """It receives the same packets, until it is down; one with another remote endpoint does not."""
    far.ip(f"-n v tunnel add other mode sit remote 198.51.100.77 local {FAR}")
    far.ip(f"-n v tunnel add same mode sit remote {NEAR} local {FAR}")
    far.ip("-n v link set other up")
    far.ip("-n v link set same up")
    culvert = FarCulvert(far, f"mode sit remote {NEAR} local {FAR} dev v0 address fd00::2/64")
    wait_until(lambda: "warning" in culvert.show(), "the warning", 30)
    warnings = [line for line in culvert.show().splitlines() if "warning" in line]
    said = "the kernel's tunnel device same receives the packets of tunnel 'tun' too"
    expect(len(warnings) == 1 and said in warnings[0], f"{warnings}")
    far.run(in_v(*warnings[0].split("`")[1].split()))
    wait_until(lambda: "warning" not in culvert.show(), "`show` without the warning", 30)
    culvert.stop()


@scenario(limit=600)
def a_vrf_and_a_tunnel_of_the_kernel():
    """One kernel is booted for both."""
    near = Namespace("near")
    far = boot(near)
    culvert = Culvert(near, f"tun mode sit remote {FAR} local {NEAR} ttl 64 address fd00::1/64")
    a_tunnel_in_a_vrf(near, far)
    a_tunnel_of_the_kernel(far)
    culvert.stop()


run_all()
