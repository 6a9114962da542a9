"""Packets by hand: what goes onto a wire or into a TUN device, and what is seen there."""

import os
import socket
import struct
import subprocess
import threading
import time

from .world import WORK, Failure, expect, wait_until

ETH_P_ALL, ETH_P_IP, ETH_P_IPV6 = 0x0003, 0x0800, 0x86DD
SOL_PACKET, PACKET_IGNORE_OUTGOING, PACKET_VNET_HDR = 263, 23, 15
SO_RCVBUFFORCE = 33
VNET_HEADER = struct.Struct("<BBHHHH")  # flags, gso_type, hdr_len, gso_size, csum_start, csum_offset


class Frame:
    """One captured packet: `ip` are its bytes from the IP header on; `gso_size` is not 0 for a super-packet."""

    def __init__(self, data, outgoing, link_header, virtio):
        self.needs_checksum, self.gso_type, self.gso_size = virtio[0] & 1, virtio[1], virtio[3]
        self.link, self.ip, self.outgoing = data[:link_header], data[link_header:], outgoing

    @property
    def protocol(self):
        """Of an IPv4 header; the next header of an IPv6 header."""
        return self.ip[9] if self.ip[0] >> 4 == 4 else self.ip[6]


class Capture:
    """Reads an interface of a namespace from now on, in a thread; a context manager."""

    def __init__(self, namespace, interface, keep=lambda frame: True):
        with namespace.entered():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20)
        self.socket.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        self.socket.bind((interface, ETH_P_ALL))
        self.socket.settimeout(0.1)
        self.ethernet = namespace.ip_json(f"link show dev {interface}")[0]["link_type"] == "ether"
        self.keep, self.frames, self.ended = keep, [], False
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        link_header = 14 if self.ethernet else 0
        while not self.ended:
            try:
                data, address = self.socket.recvfrom(70000)
            except TimeoutError:
                continue
            except OSError:
                return  # the interface is gone
            virtio = VNET_HEADER.unpack_from(data)
            if len(data) <= 10 + link_header or address[1] not in (ETH_P_IP, ETH_P_IPV6):
                continue
            frame = Frame(data[10:], address[2] == socket.PACKET_OUTGOING, link_header, virtio)
            if self.keep(frame):
                self.frames.append(frame)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ended = True
        self.thread.join()
        self.socket.close()

    def wait_for(self, count, what="packets", seconds=3, where=lambda frame: True):
        """The first `count` frames that satisfy `where`."""
        found = []

        def enough():
            found[:] = [frame for frame in list(self.frames) if where(frame)]
            return len(found) >= count

        try:
            wait_until(enough, f"{count} {what}", seconds, 0.01)
        except Failure:
            seen = [frame.ip[:60].hex(" ", 4) for frame in self.frames[:10]]
            raise Failure(f"{len(found)} of {count} {what} in {seconds} s; {len(self.frames)} seen: {seen}") from None
        return found[:count]

    def expect_none(self, what, seconds=0.3, where=lambda frame: True):
        time.sleep(seconds)
        found = [frame for frame in self.frames if where(frame)]
        expect(not found, f"{what}: {len(found)}, first {found[0].ip[:80].hex(' ', 4) if found else ''}")


class Injector:
    """Sends whole packets out of an interface, as they are. Into a TUN device: the program reads them."""

    def __init__(self, namespace, interface, to_mac=None):
        with namespace.entered():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.bind((interface, 0))
        self.interface, self.header = interface, b""
        self.link = b""
        if to_mac:
            own = namespace.ip_json(f"link show dev {interface}")[0]["address"]
            self.link = bytes.fromhex((to_mac + own).replace(":", ""))

    def send(self, packet):
        data = bytes(packet)
        kind = ETH_P_IPV6 if data[0] >> 4 == 6 else ETH_P_IP
        if self.link:
            self.socket.send(self.link + struct.pack("!H", kind) + data)
        else:
            self.socket.sendto(data, (self.interface, kind))


class Wire:
    """A namespace with culvert, and a bare wire in place of the other end:

        near 192.0.2.1 --- veth --- (wire: no address, no stack that answers) 192.0.2.2
    """

    def __init__(self, near, wire, interface, near_interface, remote="192.0.2.2"):
        self.near, self.wire, self.interface = near, wire, interface
        wire_mac = wire.ip_json(f"link show dev {interface}")[0]["address"]
        near_mac = near.ip_json(f"link show dev {near_interface}")[0]["address"]
        near.ip(f"neigh replace {remote} lladdr {wire_mac} dev {near_interface} nud permanent")
        self.injector = Injector(wire, interface, near_mac)

    def send(self, packet):
        self.injector.send(packet)

    def capture(self, protocols=(41, 47)):
        """What comes out of near, of these protocols."""
        return Capture(self.wire, self.interface,
                       lambda f: not f.outgoing and f.ip[0] >> 4 == 4 and f.protocol in protocols)


def write_pcap(path, packets):
    """Raw IP packets (LINKTYPE_RAW)."""
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 101))
        for index, packet in enumerate(packets):
            file.write(struct.pack("<IIII", index, 0, len(packet), len(packet)) + packet)


CHECKSUMS = ["ip", "gre", "tcp", "udp", "icmp", "icmpv6"]


def dissect(packets, fields=()):
    """tshark's reading of raw IP packets: a list of field lists. Fails on what it finds malformed or wrongly summed."""
    path = f"{WORK}/dissect-{time.monotonic_ns()}.pcap"
    write_pcap(path, packets)
    bad = " || ".join(["_ws.malformed", "_ws.short", *(f"{p}.checksum.status == 0" for p in CHECKSUMS)])
    verify = [word for p in ("ip", "tcp", "udp") for word in ("-o", f"{p}.check_checksum:TRUE")]
    common = ["tshark", "-n", "-r", path, *verify]
    complaints = _tshark([*common, "-Y", bad])
    expect(not complaints, f"tshark finds these malformed or with a bad checksum:\n{complaints}")
    if not fields:
        return []
    names = [word for field in fields for word in ("-e", field)]
    lines = _tshark([*common, "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=,", *names]).splitlines()
    return [line.split("\t") for line in lines]


def _tshark(argv):
    result = subprocess.run(argv, capture_output=True, text=True, timeout=30, env={**os.environ, "HOME": WORK})
    if result.returncode != 0:
        raise Failure(f"tshark: {result.stderr}")
    return result.stdout.strip("\n")
