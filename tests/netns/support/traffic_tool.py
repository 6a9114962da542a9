#!/usr/bin/python3
"""Traffic of one kind, run where it starts or ends: in a namespace, or inside a user-mode Linux.

Every command prints one line of JSON when it is done. Only the standard library is used, since the same
file also runs on the other kernel.
"""

import argparse
import hashlib
import json
import mmap
import os
import random
import select
import socket
import struct
import sys
import threading
import time

ICMP_ECHO = {4: (8, 0), 6: (128, 129)}  # request, reply
IP_RECVTOS = 13
IPV6_RECVTCLASS, IPV6_TCLASS = 66, 67
SO_RCVBUFFORCE = 33
PIECE = 1 << 20


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def destination(address, port, interface):
    if ":" not in address:
        return (address, port)
    return (address, port, 0, socket.if_nametoindex(interface) if interface else 0)


def set_traffic_class(sock, address, value):
    if ":" in address:
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_TCLASS, value)
    else:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, value)


# ---- ping ---------------------------------------------------------------------------------------


def sizes_of(text):
    """`56-60,1400` -> [56, 57, 58, 59, 60, 1400]"""
    sizes = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        sizes += range(int(first), int(last or first) + 1)
    return sizes


def internet_checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ping(a):
    """Echo requests of given sizes (of the whole IP packet); each reply is compared byte for byte."""
    version = 6 if ":" in a.to else 4
    header = 40 if version == 6 else 20
    request, reply = ICMP_ECHO[version]
    protocol = socket.IPPROTO_ICMPV6 if version == 6 else socket.IPPROTO_ICMP
    sock = socket.socket(family_of(a.to), socket.SOCK_RAW, protocol)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
    if a.interface:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, a.interface.encode())
    if a.tclass:
        set_traffic_class(sock, a.to, a.tclass)
    identifier = threading.get_native_id() & 0xFFFF
    to = destination(a.to, 0, a.interface)
    waiting, queue = {}, list(enumerate(sizes_of(a.sizes)))
    lost, wrong, refused, received = [], [], [], 0
    while queue or waiting:
        if len(lost) > 20:
            queue = []  # that is clear enough
        while queue and len(waiting) < a.window:
            sequence, size = queue.pop(0)
            data = random.Random(size).randbytes(size - header - 8)
            message = struct.pack("!BBHHH", request, 0, 0, identifier, sequence & 0xFFFF) + data
            if version == 4:
                message = message[:2] + struct.pack("!H", internet_checksum(message)) + message[4:]
            try:
                sock.sendto(message, to)
                waiting[sequence & 0xFFFF] = (size, data, time.monotonic() + a.timeout)
            except OSError as error:
                refused.append([size, error.strerror])
        if select.select([sock], [], [], 0.05)[0]:
            message = sock.recv(70000)
            message = message[header:] if version == 4 else message
            kind, _, _, its_identifier, sequence = struct.unpack("!BBHHH", message[:8])
            if kind == reply and its_identifier == identifier and sequence in waiting:
                size, data, _ = waiting.pop(sequence)
                received += 1
                if message[8:] != data:
                    wrong.append(size)
        now = time.monotonic()
        for sequence in [s for s, entry in waiting.items() if entry[2] < now]:
            lost.append(waiting.pop(sequence)[0])
    return {"received": received, "lost": lost, "wrong": wrong, "refused": refused}


# ---- TCP ----------------------------------------------------------------------------------------


def pieces(count, seed):
    """`count` bytes that repeat nowhere, in pieces of 1 MiB; each is there until the next is asked for."""
    block = bytearray(random.Random(seed).randbytes(PIECE))
    for index in range(-(-count // PIECE)):
        struct.pack_into("!Q", block, 0, index)
        yield memoryview(block)[: min(PIECE, count - index * PIECE)]


def tcp_receive(a):
    with socket.socket(family_of(a.bind), socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(destination(a.bind, a.port, a.interface))
        listener.listen()
        listener.settimeout(a.timeout)
        sock, _ = listener.accept()
    sock.settimeout(a.timeout)
    digest, count = hashlib.sha256(), 0
    buffer = memoryview(bytearray(PIECE))  # one for all: new memory costs more than what is done with it
    while length := sock.recv_into(buffer):
        digest.update(buffer[:length])
        count += length
    sock.close()
    return {"bytes": count, "sha256": digest.hexdigest()}


def connect(a):
    """Connects, also when the other side listens a little later."""
    end = time.monotonic() + a.timeout
    while True:
        sock = socket.socket(family_of(a.to), socket.SOCK_STREAM)
        sock.settimeout(a.timeout)
        if a.tclass:
            set_traffic_class(sock, a.to, a.tclass)
        try:
            sock.connect(destination(a.to, a.port, a.interface))
            return sock
        except ConnectionRefusedError:
            sock.close()
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def tcp_send(a):
    """Sends `bytes`; fewer once there is a file `until`."""
    sock = connect(a)
    start = time.monotonic()
    digest = hashlib.sha256()
    count = 0
    for data in pieces(a.bytes, a.seed):
        digest.update(data)
        sock.sendall(data)
        count += len(data)
        if a.until and os.path.exists(a.until):
            break
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 232)
    mss = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
    sock.shutdown(socket.SHUT_WR)
    while sock.recv(PIECE):
        pass
    return {"bytes": count, "sha256": digest.hexdigest(), "seconds": round(time.monotonic() - start, 3),
            "retransmitted": struct.unpack_from("=I", info, 100)[0], "mss": mss}


# ---- UDP ----------------------------------------------------------------------------------------


class Progress:
    """The number of datagrams received, in a file of 8 bytes that the sender reads too; without a path, nowhere."""

    FORMAT = struct.Struct("=Q")

    def __init__(self, path):
        self.memory = None
        if path:
            with open(path, "r+b") as file:
                self.memory = mmap.mmap(file.fileno(), self.FORMAT.size)

    def write(self, received):
        if self.memory:
            self.FORMAT.pack_into(self.memory, 0, received)

    def read(self):
        return self.FORMAT.unpack_from(self.memory, 0)[0]

    def wait(self, received, seconds):
        """Until `received` datagrams came; False if `seconds` passed without one."""
        if not self.memory:
            return True
        last, end = self.read(), time.monotonic() + seconds
        while last < received:
            time.sleep(0.0005)
            if (now := self.read()) != last:
                last, end = now, time.monotonic() + seconds
            elif time.monotonic() > end:
                return False
        return True


def udp_send(a):
    """`flows` sockets send `count` datagrams each, in turn: flow, sequence number, padding.

    The first is bound to `from_port`, the next to the one after it; 0: to any. Numbers begin at `first`.
    With a file `progress` at most `window` are under way, however long a queue's reader does not run; it ends
    early where none came for `timeout` seconds.
    """
    progress = Progress(a.progress)
    socks = []
    for flow in range(a.flows):
        sock = socket.socket(family_of(a.to), socket.SOCK_DGRAM)
        if a.tclass:
            set_traffic_class(sock, a.to, a.tclass)
        if a.from_port:
            sock.bind(("", a.from_port + flow))
        sock.connect(destination(a.to, a.port, a.interface))
        socks.append(sock)
    padding, refused, sent = bytes(max(0, a.bytes - 8)), 0, 0
    start = time.monotonic()
    for sequence in range(a.count):
        if sequence == 1:
            a.say("begun")
        if not progress.wait(sent + a.flows - a.window, a.timeout):
            break
        for flow, sock in enumerate(socks):
            try:
                sock.send(struct.pack("!II", flow, a.first + sequence) + padding)
                sent += 1
            except OSError:
                refused += 1
        ahead = start + (sequence + 1) * a.flows / a.rate - time.monotonic()
        if ahead > 0.001:
            time.sleep(ahead)
    return {"sent": sent, "refused": refused, "seconds": round(time.monotonic() - start, 3)}


def udp_ask(a):
    """Sends `count` datagrams, each after the answer to the one before (`udp-receive` with `answer`)."""
    sock = socket.socket(family_of(a.to), socket.SOCK_DGRAM)
    if a.from_port:
        sock.bind(("", a.from_port))
    sock.connect(destination(a.to, a.port, a.interface))
    sock.settimeout(a.timeout)
    answered, slowest = 0, 0.0
    for sequence in range(a.count):
        question = struct.pack("!II", 0, sequence)
        start = time.monotonic()
        sock.send(question)
        try:
            while sock.recv(100) != question:
                pass
        except TimeoutError:
            continue
        answered += 1
        slowest = max(slowest, time.monotonic() - start)
    return {"asked": a.count, "answered": answered, "slowest_seconds": round(slowest, 6)}


def udp_receive(a):
    """Ends when everything came, or nothing came for `idle` seconds, or with a SIGINT, when it has read what came.

    It counts what came twice or too late.

    `answer` 1: each is answered with one of 8 bytes.
    """
    sock = socket.socket(family_of(a.bind), socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
    sock.setsockopt(socket.IPPROTO_IP, IP_RECVTOS, 1)
    if ":" in a.bind:
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVTCLASS, 1)
    sock.bind(destination(a.bind, a.port, a.interface))
    a.say("listening")
    progress = Progress(a.progress)
    last = [-1] * a.flows
    seen = [bytearray(a.count) for _ in range(a.flows)]
    received = duplicates = reordered = short = 0
    classes = {}
    buffer, header = bytearray(65536), struct.Struct("!II")
    idle = a.idle
    sock.settimeout(a.timeout)
    while received < a.flows * a.count:
        try:
            length, ancillary, _, sender = sock.recvmsg_into([buffer], 64)
        except KeyboardInterrupt:
            idle = 0  # what waits in the socket is still read
            sock.settimeout(idle)
            continue
        except (TimeoutError, BlockingIOError):
            break
        sock.settimeout(idle)
        for _, _, value in ancillary:
            mark = value[0]
            classes[mark] = classes.get(mark, 0) + 1
        if length != max(8, a.bytes):
            short += 1
        flow, sequence = header.unpack_from(buffer)
        if a.answer:
            sock.sendto(buffer[:8], sender)
        if seen[flow][sequence]:
            duplicates += 1
            continue
        seen[flow][sequence] = 1
        received += 1
        progress.write(received)
        reordered += sequence < last[flow]
        last[flow] = max(last[flow], sequence)
    return {"received": received, "duplicates": duplicates, "reordered": reordered, "wrong_length": short,
            "by_flow": [sum(flags) for flags in seen], "classes": classes}


def print_line(line):
    print(line, flush=True)


def main(words=None, say=print_line):
    """`say` is given each line of output."""
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(required=True)

    def command(function, name, **options):
        sub = commands.add_parser(name)
        sub.set_defaults(function=function)
        options = {"interface": "", "timeout": 10.0, "tclass": 0, **options}
        for option, default in options.items():
            sub.add_argument(f"--{option.replace('_', '-')}", default=default, type=type(default))

    command(ping, "ping", to="", sizes="", window=16, timeout=2.0)
    command(tcp_receive, "tcp-receive", bind="::", port=5001)
    command(tcp_send, "tcp-send", to="", port=5001, bytes=1 << 20, seed=1, until="")
    command(udp_receive, "udp-receive", bind="::", port=5002, flows=1, count=100, bytes=64, idle=5.0,
            answer=0, progress="")
    command(udp_send, "udp-send", to="", port=5002, flows=1, count=100, bytes=64, rate=20000.0, from_port=0,
            first=0, progress="", window=512)
    command(udp_ask, "udp-ask", to="", port=5002, count=100, from_port=0)
    arguments = parser.parse_args(words)
    arguments.say = say
    say(json.dumps(arguments.function(arguments)))


if __name__ == "__main__":
    sys.exit(main())
