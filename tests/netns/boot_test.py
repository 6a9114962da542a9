#!/usr/bin/python3
r"""culvert beside the rest of the host: what is not there yet, what others take away, what they leave behind.

    a 192.0.2.1 culvert --- veth --- culvert 192.0.2.2 b
"""

import signal

from support import traffic
from support.culvert import Culvert, run_refused
from support.net import Namespace
from support.rig import Pair
from support.world import expect, run_all, scenario


@scenario()
def started_at_once_after_sigkill():
    """The kernel removes the device of a killed process a little later, above all with io_uring."""
    pair = Pair("mode sit", workers="1")
    for _ in range(4):
        pair.culvert_a.send_signal(signal.SIGKILL)
        pair.culvert_a.process.wait()
        pair.culvert_a = Culvert(pair.a, pair.words_a, workers="1")
    traffic.ping(pair.a, "fd00::2")
    pair.stop()


@scenario()
def a_persistent_device_has_the_name():
    a = Namespace("a")
    a.ip("addr add 192.0.2.1/32 dev lo")
    a.ip("tuntap add dev left mode tun")
    own_sysfs = ["unshare", "-m", "sh", "-c", 'mount -t sysfs none /sys && exec "$@"', "sh"]
    result = run_refused(a, "left mode sit remote 192.0.2.2 local 192.0.2.1", prefix=own_sysfs)
    expect("persistent" in result.stderr and "`ip link delete left`" in result.stderr, f"{result}")
    a.ip("link delete left")


run_all()
