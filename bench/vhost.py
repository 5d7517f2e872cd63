"""Packets of 64 bytes from a guest behind vhost-user, through one worker with firewall and Geneve, to a vhost-user wire.

DPDK's testpmd is the guest and the machine behind the wire at once: it sends 64 flows as fast as they are taken and
counts what comes out. The worker has one processor, testpmd the other. The peer is Open vSwitch with DPDK, Geneve and
connection tracking, with one poll-mode thread.
"""

import ipaddress
import os
import pathlib
import re
import shutil
import statistics
import struct
import subprocess
import time

import state
from janitor import JANITOR
from place import Failed, Place, ip, sh
from sled import Sled

FLOWS = 64
WORKER, TESTER = 0, 1
# Descriptors of a ring; the same for both.
RING = 1024
# The share of its time that a worker must be busy for a run to count.
BUSY = 0.98
# How often a run is made for one that counts, and how often where there is but one round.
TRIES, QUICK_TRIES = 5, 2
PAGES = pathlib.Path("/proc/sys/vm/nr_hugepages")
PAGES_WANTED = 700


def measure(rounds, seconds, say):
    """Our packets/s by those of Open vSwitch with DPDK, medians of as many rounds."""
    for program, package in (("dpdk-testpmd", "dpdk-dev"), (OvsDpdk.DAEMON, "openvswitch-switch-dpdk")):
        if not shutil.which(program):
            raise Failed(f"{program} is missing: apt-get install {package}")
    results = {Ours: [], OvsDpdk: []}
    hugepages()
    try:
        for _ in range(rounds):
            for kind, measured in results.items():
                measured.append(valid(kind, seconds, TRIES if rounds > 1 else QUICK_TRIES, say))
    finally:
        JANITOR.undo("hugepages")
    ours, peer = (statistics.median(measured) for measured in results.values())
    say(f"64-byte packets through vhost-user: ours {ours / 1e6:.2f} Mpps, Open vSwitch {peer / 1e6:.2f} Mpps")
    return ours / peer


def hugepages():
    """Lends testpmd and Open vSwitch huge pages."""
    before = PAGES.read_text()
    JANITOR.note("hugepages", "setting", str(PAGES), before)
    PAGES.write_text(str(int(before) + PAGES_WANTED))
    if int(PAGES.read_text()) < int(before) + PAGES_WANTED:
        raise Failed(f"this machine has no {PAGES_WANTED} huge pages left")


def valid(kind, seconds, tries, say):
    """The packets/s of the first run in which the worker was busy."""
    for _ in range(tries):
        place = kind()
        try:
            place.up()
            packets, busy = place.run(seconds)
        finally:
            place.down()
        say(f"{kind.name}: {packets / 1e6:.3f} Mpps, worker {busy:.1%} busy")
        if busy >= BUSY:
            return packets
    raise Failed(f"{kind.name}: the worker was never {BUSY:.0%} busy: testpmd did not get its processor")


class Switch(Place):
    """What is between the guest and the wire, and testpmd at both."""

    name = ""
    WIRE_PORT = 2

    def up(self):
        self.directory()
        self.namespace("h1")
        self.flows = self.dir / "flows.pcap"
        self.flows.write_bytes(capture(packet(number, 1, 2) for number in range(FLOWS)))
        self.join()
        self.tester = self.start("h1", self.testpmd(), "testpmd.log", stdin=subprocess.PIPE, text=True)
        self.said = 0
        self.wait_until(lambda: "testpmd>" in self.log(), 60)
        self.tell("start")

    def testpmd(self):
        """From the packets of a file to the guest's port, and from the wire's port to nowhere."""
        guest, wire = self.sockets()
        devices = [
            f"net_pcap0,rx_pcap={self.flows},infinite_rx=1",
            f"net_virtio_user0,path={guest},mac={state.MACS[1]},queue_size={RING}",
            f"net_virtio_user1,path={wire},queue_size={RING}",
            "net_null0,no-rx=1",
        ]
        eal = ["--in-memory", "--single-file-segments", "--no-pci", "--no-telemetry", "-m", "256", "--lcores", f"0@{TESTER},1@{TESTER}"]
        order = ["--portmask=0xf", "--port-topology=paired", "--forward-mode=io", "--total-num-mbufs=16384"]
        return ["stdbuf", "-oL", "dpdk-testpmd", *eal, *(word for device in devices for word in ("--vdev", device)), "--",
                "-i", *order, f"--rxd={RING}", f"--txd={RING}", "--no-flush-rx", "--burst=64"]

    def log(self):
        return (self.dir / "testpmd.log").read_text(errors="replace")

    def tell(self, command):
        self.tester.stdin.write(command + "\n")
        self.tester.stdin.flush()

    def rate(self):
        """Packets/s that came out of the wire since this was asked last."""
        seen = self.log().count("Rx-pps")
        self.tell(f"show port stats {self.WIRE_PORT}")
        self.wait_until(lambda: self.log().count("Rx-pps") > seen)
        return int(re.findall(r"Rx-pps:\s+(\d+)", self.log())[-1])

    def settle(self):
        """Lets what is measured be the flows' long run, when all of them have come by."""

    def run(self, seconds):
        time.sleep(0.5)
        self.settle()
        time.sleep(0.5)
        self.rate()
        before = self.worked()
        time.sleep(seconds)
        packets = self.rate()
        busy, idle = (after - begun for after, begun in zip(self.worked(), before))
        if not packets:
            raise Failed(f"{self.name}: nothing came out of the wire{self.logs()}")
        return packets, busy / max(busy + idle, 1)


class Ours(Switch):
    """A sled whose guest and whose wire are vhost-user ports, with the firewall and mappings of the other figures."""

    name = "ours"

    def join(self):
        self.sled = Sled(self, "h1", "sled", "vhost", "adaptive", [WORKER])
        self.sled.write(state.host_state(1, 1500, 9000, {"vhost_user": {"socket": str(self.dir / "guest.sock")}}))
        self.sled.start()
        for socket in self.sockets():
            self.wait_until(socket.exists)

    def sockets(self):
        return self.dir / "guest.sock", self.sled.dir / "wire.sock"

    def worked(self):
        """Nanoseconds that the worker was busy, and that it was not."""
        [worker] = self.sled.status()["workers"]
        return worker["busy_ns"], worker["spin_ns"] + worker["sleep_ns"]


FLOWS_OF_OVS = """table=0,priority=5,ip,actions=ct(zone=1,table=1)
table=1,priority=20,ct_state=+trk+est,ip,actions=goto_table:2
table=1,priority=10,ct_state=+trk+new,ip,nw_src=10.0.0.0/16,actions=ct(commit,zone=1,table=2)
table=1,priority=1,actions=drop
table=2,in_port=20,actions=output:10
"""


class OvsDpdk(Switch):
    """Open vSwitch with DPDK: Geneve over a vhost-user port, connection tracking, one poll-mode thread."""

    name = "ovs-dpdk"
    DAEMON = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"

    def join(self):
        sh(f"ovsdb-tool create {self.dir}/conf.db /usr/share/openvswitch/vswitch.ovsschema")
        common = ["--no-chdir", "-vconsole:off", "-vsyslog:off"]
        database = [f"{self.dir}/conf.db", f"--remote=punix:{self.dir}/db.sock", f"--unixctl={self.dir}/db.ctl"]
        self.start("h1", ["ovsdb-server", *database, *common, f"--log-file={self.dir}/db.log"], "ovsdb.log")
        self.wait_until((self.dir / "db.sock").exists)
        self.ctl("--no-wait", "init")
        self.ctl("--no-wait", "set", "open", ".", "other_config:dpdk-init=true", f"other_config:pmd-cpu-mask={1 << WORKER:#x}",
                 f"other_config:dpdk-lcore-mask={1 << TESTER:#x}", 'other_config:dpdk-extra="--in-memory --no-pci"')
        switch = [f"unix:{self.dir}/db.sock", f"--unixctl={self.dir}/switch.ctl"]
        self.start("h1", [self.DAEMON, *switch, *common, f"--log-file={self.dir}/switch.log"], "ovs.log",
                   env=self.environment())
        self.wait_until((self.dir / "switch.ctl").exists)
        self.bridges()

    def bridges(self):
        here, there = ("fd00::1", "fd00::2")
        for bridge, more in (("br-phy", ["other-config:hwaddr=02:00:00:00:00:01"]), ("br-int", ["fail_mode=secure"])):
            self.ctl("add-br", bridge, "--", "set", "bridge", bridge, "datapath_type=netdev", *more)
        self.ctl("add-port", "br-int", "guest", "--", "set", "int", "guest", "type=dpdkvhostuser", "ofport_request=20")
        self.ctl("add-port", "br-phy", "wire", "--", "set", "int", "wire", "type=dpdkvhostuser")
        ip("h1", f"addr add {here}/64 dev br-phy nodad")
        ip("h1", "link set br-phy up")
        self.ctl("add-port", "br-int", "gnv0", "--", "set", "int", "gnv0", "type=geneve", f"options:remote_ip={there}",
                 "options:key=77", "options:csum=false", "ofport_request=10")
        self.app("tnl/neigh/set", "br-phy", there, "02:00:00:00:00:02")
        sh(["ovs-ofctl", "add-flows", "br-int", "-"], input=FLOWS_OF_OVS, env=self.environment())

    def sockets(self):
        return self.dir / "guest", self.dir / "wire"

    def settle(self):
        # A flow that was never answered is new with every packet, which costs a third pass.
        for number in range(FLOWS):
            frame = packet(number, 2, 1).hex()
            sh(["ovs-ofctl", "packet-out", "br-int", f"in_port=10 packet={frame} actions=resubmit(,0)"], env=self.environment())

    def environment(self):
        return {**os.environ, "OVS_RUNDIR": str(self.dir)}

    def ctl(self, *words):
        sh(["ovs-vsctl", "--timeout=30", f"--db=unix:{self.dir}/db.sock", *words])

    def app(self, *words):
        return sh(["ovs-appctl", f"--target={self.dir}/switch.ctl", *words])

    def worked(self):
        """Cycles that the thread was busy, and that it was not."""
        text = self.app("dpif-netdev/pmd-stats-show")
        return [int(re.search(rf"{word} cycles:\s+(\d+)", text)[1]) for word in ("processing", "idle")]


def packet(number, sender, receiver):
    """An Ethernet frame of 60 bytes, 64 with its check sequence: UDP, a flow for each number, either way."""
    source, destination = (ipaddress.ip_address(state.GUESTS[node]).packed for node in (sender, receiver))
    ports = (20_000 + number, 7001) if sender == 1 else (7001, 20_000 + number)
    payload = bytes(18)
    udp = struct.pack("!HHHH", *ports, 8 + len(payload), 0)
    pseudo = source + destination + struct.pack("!BBH", 0, 17, 8 + len(payload))
    udp = udp[:6] + struct.pack("!H", internet_checksum(pseudo + udp + payload))
    header = struct.pack("!BBHHHBBH", 0x45, 0, 28 + len(payload), 0, 0x4000, 64, 17, 0) + source + destination
    header = header[:10] + struct.pack("!H", internet_checksum(header)) + header[12:]
    macs = [bytes.fromhex(mac.replace(":", "")) for mac in (state.GATEWAY_MAC, state.MACS[sender])]
    return b"".join(macs) + b"\x08\x00" + header + udp + payload


def internet_checksum(octets):
    total = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def capture(packets):
    """A pcap file."""
    parts = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)]
    for frame in packets:
        parts += [struct.pack("<IIII", 0, 0, len(frame), len(frame)), frame]
    return b"".join(parts)
