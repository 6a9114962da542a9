"""Packets by hand: what goes onto a wire or into a TUN device, and what is seen there."""

import itertools
import os
import select
import socket
import struct
import subprocess
import threading
import time

from .world import WORK, Failure, expect

ETH_P_ALL, ETH_P_IP, ETH_P_IPV6 = 0x0003, 0x0800, 0x86DD
SOL_PACKET, PACKET_STATISTICS, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 263, 6, 15, 23
SO_RCVBUFFORCE = 33
SHORT_WHILE = 0.03  # seconds
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
    """Reads an interface of a namespace from now on, in a thread; a context manager.

    `keep`: what goes into `frames`. `outgoing`: also what the namespace itself sends.
    """

    def __init__(self, namespace, interface, keep=lambda frame: True, outgoing=False):
        with namespace.entered():
            # Protocol 0: with another it receives from every interface until it is bound to one.
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20)
        self.socket.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        self.socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 0 if outgoing else 1)
        self.socket.bind((interface, ETH_P_ALL))
        self.socket.setblocking(False)
        self.ethernet = namespace.ip_json(f"link show dev {interface}")[0]["link_type"] == "ether"
        self.keep, self.frames = keep, []
        self.came, self.read = 0, 0  # packets that the kernel has put into the socket, and that were read from it
        self.changed, self.end = threading.Condition(), os.eventfd(0)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        link_header = 14 if self.ethernet else 0
        wait = select.poll()
        wait.register(self.socket, select.POLLIN)
        wait.register(self.end, select.POLLIN)
        buffer = bytearray(70000)
        while True:
            kept, count, is_empty = [], 0, False
            while count < 100 and not is_empty:
                try:
                    length, address = self.socket.recvfrom_into(buffer)
                except BlockingIOError:
                    is_empty = True
                    continue
                except OSError:
                    return  # the interface is gone
                count += 1
                if length > 10 + link_header and address[1] in (ETH_P_IP, ETH_P_IPV6):
                    frame = Frame(bytes(buffer[10:length]), address[2] == socket.PACKET_OUTGOING, link_header,
                                  VNET_HEADER.unpack_from(buffer))
                    if self.keep(frame):
                        kept.append(frame)
            if count:
                with self.changed:
                    self.frames += kept
                    self.read += count
                    self.changed.notify_all()
            if is_empty and any(fd == self.end for fd, _ in wait.poll()):
                return

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.eventfd_write(self.end, 1)
        self.thread.join()
        self.socket.close()
        os.close(self.end)

    def wait_for(self, count, what="packets", seconds=60, where=lambda frame: True):
        """The first `count` frames that satisfy `where`."""
        seen, found = 0, []

        def enough():
            nonlocal seen
            if seen > len(self.frames):  # a test has cleared them
                seen = 0
                found.clear()
            found.extend(frame for frame in self.frames[seen:] if where(frame))
            seen = len(self.frames)
            return len(found) >= count

        with self.changed:
            if not self.changed.wait_for(enough, seconds):
                seen = [frame.ip[:60].hex(" ", 4) for frame in self.frames[:10]]
                raise Failure(f"{len(found)} of {count} {what} in {seconds} s; {len(self.frames)} seen: {seen}")
        return found[:count]

    def settle(self, seconds=60):
        """Waits until all that has come to the interface so far is in `frames`, or is not to be kept."""
        packets, lost = struct.unpack("=II", self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        self.came += packets - lost  # the kernel begins anew after each look
        with self.changed:
            expect(self.changed.wait_for(lambda: self.read >= self.came, seconds),
                   f"{self.read} of {self.came} packets were read from the capture in {seconds} s")

    def expect_none(self, what, where=lambda frame: True):
        """Nothing that satisfies `where` has come. What proves that it would have come by now goes before this."""
        time.sleep(SHORT_WHILE)
        self.settle()
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
    """A namespace with culvert, and a bare wire in place of the remote endpoint:

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

    def capture(self, protocols=(4, 41, 47)):
        """What comes out of near, of these protocols."""
        return Capture(self.wire, self.interface, lambda f: f.ip[0] >> 4 == 4 and f.protocol in protocols)


def write_pcap(path, packets):
    """Raw IP packets (LINKTYPE_RAW)."""
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 101))
        for index, packet in enumerate(packets):
            file.write(struct.pack("<IIII", index, 0, len(packet), len(packet)) + packet)


CHECKSUMS = [f"{protocol}.checksum.status" for protocol in ("ip", "gre", "tcp", "udp", "icmp", "icmpv6")]
COMPLAINTS = ["_ws.malformed", "_ws.short"]
_pcap_serial = itertools.count(1)


def dissect(packets, fields=()):
    """tshark's reading of raw IP packets: a list of field lists. Fails on what it finds malformed or wrongly summed."""
    path = f"{WORK}/dissect-{next(_pcap_serial)}.pcap"
    write_pcap(path, packets)
    verify = [word for p in ("ip", "tcp", "udp") for word in ("-o", f"{p}.check_checksum:TRUE")]
    names = [word for field in [*COMPLAINTS, *CHECKSUMS, *fields] for word in ("-e", field)]
    lines = _tshark(["tshark", "-n", "-r", path, *verify, "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=,",
                     *names])
    rows = [line.split("\t") for line in lines.splitlines()]
    expect(len(rows) == len(packets), f"tshark has read {len(rows)} of {len(packets)} packets")
    for index, row in enumerate(rows):
        sums = dict(zip(CHECKSUMS, row[len(COMPLAINTS):]))
        bad = [name for name, status in sums.items() if "0" in status.split(",")]
        malformed = [name for name, value in zip(COMPLAINTS, row) if value]
        expect(not bad and not malformed, f"tshark finds packet {index} {malformed} or wrongly summed {bad}:\n"
                                          f"{packets[index].hex(' ', 4)}")
    return [row[len(COMPLAINTS) + len(CHECKSUMS):] for row in rows] if fields else []


def _tshark(argv):
    result = subprocess.run(argv, capture_output=True, text=True, timeout=60, env={**os.environ, "HOME": WORK})
    if result.returncode != 0:
        raise Failure(f"tshark: {result.stderr}")
    return result.stdout.rstrip("\n")
