"""Traffic between two places: a place is a Namespace, or a user-mode Linux (both have start and run)."""

import json
import tempfile

from . import traffic_tool
from .world import WORK, expect, expect_equal, wait_until

TOOL = ["/usr/bin/python3", traffic_tool.__file__]


def start(place, command, **options):
    words = [command]
    for key, value in options.items():
        words += [f"--{key.replace('_', '-')}", str(value)]
    return place.start([*TOOL, *words], name=command, function=lambda: traffic_tool.main(words))


def finish(process, timeout=90):
    result = process.wait(timeout)
    expect_equal(result.status, 0, str(result))
    return json.loads(result.stdout.strip().splitlines()[-1])


def ping(place, to, sizes="64", **options):
    """Every echo request must be answered with its own bytes. `sizes` are those of the whole IP packet."""
    options.setdefault("timeout", 40)  # on a crowded machine an answer may take its time
    answer = finish(start(place, "ping", to=to, sizes=sizes, **options), 90)
    expect(not answer["lost"] and not answer["wrong"] and not answer["refused"] and answer["received"] > 0,
           f"ping {to} with sizes {sizes}: {answer}")
    return answer


def ping_lost(place, to, sizes="64", **options):
    """The sizes that went unanswered, where that is what a test expects."""
    answer = finish(start(place, "ping", to=to, sizes=sizes, **options), 90)
    expect(not answer["wrong"], f"ping {to}: {answer}")
    return answer["lost"]


def answers(place, to):
    """Whether a ping is answered now."""
    return not ping_lost(place, to, "64", timeout=0.3)


def tcp(sender, receiver, to, count, timeout=90, **options):
    """Moves `count` bytes from `sender` to address `to` of `receiver`, and compares the hashes."""
    server = start(receiver, "tcp-receive", bind="0.0.0.0" if ":" not in to else "::", timeout=timeout,
                   port=options.get("port", 5001))
    client = start(sender, "tcp-send", to=to, bytes=count, timeout=timeout, **options)
    sent, received = finish(client, timeout), finish(server, timeout)
    expect_equal((received["bytes"], received["sha256"]), (sent["bytes"], sent["sha256"]), f"TCP to {to}")
    return sent


def udp(sender, receiver, to, bind=None, timeout=60, idle=5, **options):
    """Sends numbered datagrams; returns what the receiver counted and `sent`.

    The receiver ends when all came, or none for `idle` seconds. With `window`, both are in namespaces and at most so
    many datagrams are under way: then no queue overflows while its reader waits for a processor.
    """
    shared = {key: options[key] for key in ("flows", "count", "bytes", "port") if key in options}
    with tempfile.NamedTemporaryFile(prefix="progress-", dir=WORK) as progress:
        if "window" in options:
            progress.write(bytes(traffic_tool.Progress.FORMAT.size))
            progress.flush()
            shared["progress"] = options["progress"] = progress.name
        server = start(receiver, "udp-receive", bind=bind or to, idle=idle, **shared)
        wait_until(lambda: "listening" in server.stdout(), "the UDP receiver")
        sent = finish(start(sender, "udp-send", to=to, **options), timeout)
        counted = finish(server, timeout)
    counted["sent"], counted["seconds"] = sent["sent"], sent["seconds"]
    return counted


def expect_exactly_once(counted):
    """Each datagram once, each flow in order."""
    wrong = {key: counted[key] for key in ("duplicates", "reordered", "wrong_length") if counted[key]}
    expect(counted["received"] == counted["sent"] and not wrong, f"UDP: {counted}")
