"""What two guests can be joined by: ours, and what a user would run instead.

Each topology leaves two guests, namespaces with `eth0` and the addresses of `state.GUESTS`, on two hosts joined by a
veth that stands for the underlay.
"""

import os
import shutil

import state
from place import Failed, Place, ip, ns, sh, sysctl, within
from sled import Sled


class Topology(Place):
    """Two guests `g1` and `g2`; for most, two hosts `h1` and `h2`."""

    name = ""
    hosts = True

    def up(self, guest_mtu, underlay_mtu):
        self.directory()
        for name in ["g1", "g2"] + (["h1", "h2"] if self.hosts else []):
            self.namespace(name)
            sysctl(name, ipv6__conf__all__accept_dad=0, ipv6__conf__default__accept_dad=0,
                   ipv4__ip_local_port_range="1024 65535", ipv4__tcp_tw_reuse=1,
                   ipv4__tcp_rmem="4096 131072 33554432", ipv4__tcp_wmem="4096 65536 33554432",
                   core__somaxconn=4096)
        if self.hosts:
            self.underlay(underlay_mtu)
        self.join(guest_mtu, underlay_mtu)
        if not self.reaches():
            raise Failed(f"the guests do not reach each other{self.logs()}")

    @staticmethod
    def reaches():
        """Whether one guest hears the other, within some seconds."""
        return any(" 0% " in within("g1", f"ping -c1 -W1 {state.GUESTS[2]}", check=False) for _ in range(15))

    def underlay(self, mtu):
        sh(f"ip link add u0 netns {ns('h1')} mtu {mtu} type veth peer name u0 netns {ns('h2')} mtu {mtu}")
        for node, peer in ((1, 2), (2, 1)):
            host = f"h{node}"
            ip(host, f"addr add fd00::{node}/64 dev u0 nodad")
            ip(host, f"addr add {state.end_point(node)}/128 dev lo")
            ip(host, "link set u0 up")
            ip(host, f"route add {state.sled(peer)} via fd00::{peer} dev u0")
            sysctl(host, ipv6__conf__all__forwarding=1, ipv6__fib_multipath_hash_policy=1)

    def guest_veths(self, mtu):
        for node in (1, 2):
            sh(f"ip link add g0 netns {ns(f'h{node}')} mtu {mtu} type veth peer name eth0 netns {ns(f'g{node}')} mtu {mtu}")
            ip(f"h{node}", "link set g0 up")
            self.guest_address(node)

    def guest_address(self, node):
        ip(f"g{node}", f"addr replace {state.GUESTS[node]}/16 dev eth0")
        ip(f"g{node}", "link set eth0 up")


class Direct(Topology):
    """A veth between the guests: no network can be faster."""

    name = "direct"
    hosts = False

    def join(self, guest_mtu, _underlay_mtu):
        sh(f"ip link add eth0 netns {ns('g1')} mtu {guest_mtu} type veth peer name eth0 netns {ns('g2')} mtu {guest_mtu}")
        for node in (1, 2):
            self.guest_address(node)


NFT = """table inet fw {
  chain rp { type filter hook prerouting priority raw; udp dport 4789 notrack; }
  chain ro { type filter hook output priority raw; udp dport 4789 notrack; }
  chain f1 { type filter hook forward priority 0; policy drop;
    ct state established,related counter accept; ct state invalid drop;
    ip saddr 10.0.0.0/16 ip daddr 10.0.0.0/16 ct state new accept; }
}"""


class VxlanConntrack(Topology):
    """The kernel's VXLAN, a bridge, and nftables with connection tracking."""

    name = "vxlanct"

    def join(self, guest_mtu, _underlay_mtu):
        self.guest_veths(guest_mtu)
        for node, peer in ((1, 2), (2, 1)):
            host = f"h{node}"
            sysctl(host, **{f"bridge__bridge-nf-call-{table}": 1 for table in ("iptables", "ip6tables", "arptables")})
            ip(host, "link add br0 type bridge")
            ip(host, f"link add vx0 mtu {guest_mtu} type vxlan id 77 dstport 4789 local fd00::{node} remote fd00::{peer} dev u0")
            for link in ("vx0", "g0"):
                ip(host, f"link set {link} master br0 up")
            ip(host, "link set br0 up")
            within(host, "nft -f -", input=NFT)


OVS_FLOWS = """table=0,priority=10,arp,in_port=20,actions=output:10
table=0,priority=10,arp,in_port=10,actions=output:20
table=0,priority=5,ip,actions=ct(zone=1,table=1)
table=1,priority=20,ct_state=+trk+est,ip,actions=goto_table:2
table=1,priority=20,ct_state=+trk+rel,ip,actions=goto_table:2
table=1,priority=10,ct_state=+trk+new,ip,nw_src=10.0.0.0/16,actions=ct(commit,zone=1,table=2)
table=1,priority=1,actions=drop
table=2,in_port=20,actions=output:10
table=2,in_port=10,actions=output:20
"""


class OvsConntrack(Topology):
    """Open vSwitch's user-space datapath over AF_PACKET, with Geneve and connection tracking."""

    name = "ovsct"

    def underlay(self, mtu):
        sh(f"ip link add u0 netns {ns('h1')} mtu {mtu} type veth peer name u0 netns {ns('h2')} mtu {mtu}")
        for host in ("h1", "h2"):
            ip(host, "link set u0 up")

    def join(self, guest_mtu, underlay_mtu):
        if not shutil.which("ovs-vsctl"):
            raise Failed("Open vSwitch is missing: apt-get install openvswitch-switch")
        self.guest_veths(guest_mtu)
        for node in (1, 2):
            self.switch(node, underlay_mtu)
        for node in (1, 2):
            within(f"h{node}", f"ping -6 -c1 -W2 fd00::{3 - node}", check=False)

    def switch(self, node, underlay_mtu):
        host, here = f"h{node}", self.dir / f"ovs{node}"
        here.mkdir()
        sh(f"ovsdb-tool create {here}/conf.db /usr/share/openvswitch/vswitch.ovsschema")
        common = ["--no-chdir", "-vconsole:off", "-vsyslog:off"]
        database = [f"{here}/conf.db", f"--remote=punix:{here}/db.sock", f"--unixctl={here}/db.ctl"]
        self.start(host, ["ovsdb-server", *database, *common, f"--log-file={here}/db.log"], f"ovsdb{node}.log")
        self.wait_until((here / "db.sock").exists)
        self.ctl(here, "--no-wait", "init")
        environment = {**os.environ, "OVS_RUNDIR": str(here)}
        switch = [f"unix:{here}/db.sock", f"--unixctl={here}/sw.ctl"]
        self.start(host, ["/usr/lib/openvswitch-switch/ovs-vswitchd", *switch, *common, f"--log-file={here}/sw.log"],
                   f"ovs{node}.log", env=environment)
        self.ctl(here, "add-br", "br-phy", "--", "set", "bridge", "br-phy", "datapath_type=netdev",
                 f"other-config:hwaddr=02:00:00:00:00:0{node}", "--", "set", "int", "br-phy", f"mtu_request={underlay_mtu}")
        self.ctl(here, "add-br", "br-int", "--", "set", "bridge", "br-int", "datapath_type=netdev", "fail_mode=secure")
        self.ctl(here, "add-port", "br-phy", "u0")
        ip(host, f"addr add fd00::{node}/64 dev br-phy nodad")
        ip(host, f"link set br-phy up mtu {underlay_mtu}")
        self.ctl(here, "add-port", "br-int", "gnv0", "--", "set", "int", "gnv0", "type=geneve",
                 f"options:remote_ip=fd00::{3 - node}", "options:key=77", "options:csum=true", "ofport_request=10")
        # AF_PACKET hands large segments over with checksums that nobody finishes.
        within(f"g{node}", "ethtool -K eth0 tx off tso off gso off", check=False)
        self.ctl(here, "add-port", "br-int", "g0", "--", "set", "int", "g0", "ofport_request=20")
        sh(["ovs-ofctl", "add-flows", "br-int", "-"], input=OVS_FLOWS, env=environment)

    @staticmethod
    def ctl(here, *words):
        environment = {**os.environ, "OVS_RUNDIR": str(here)}
        sh(["ovs-vsctl", f"--db=unix:{here}/db.sock", *words], env=environment)


def tap(guest):
    """A TAP that is `eth0` in a guest's namespace."""
    return {"tap": {"name": "eth0", "netns": f"/run/netns/{ns(guest)}"}}


class Ours(Topology):
    """Two sleds with 1,000 firewall rules and 10,000 mappings."""

    poll = "adaptive"
    kind = "auto"
    name = "ours"

    def join(self, guest_mtu, underlay_mtu):
        self.sleds = {}
        for node in (1, 2):
            sled = Sled(self, f"h{node}", f"sled{node}", self.kind, self.poll)
            self.sleds[node] = sled
            sled.write(self.host_state(node, guest_mtu, underlay_mtu))
            sled.start()
        for node in (1, 2):
            self.wait_until(lambda node=node: "eth0" in ip(f"g{node}", "link show", check=False))
            self.guest_address(node)
        self.alive()

    @staticmethod
    def host_state(node, guest_mtu, underlay_mtu):
        return state.host_state(node, guest_mtu, underlay_mtu, tap(f"g{node}"))

    def guest_address(self, node):
        # As DHCP sets it: everything but the guest itself is behind the gateway.
        guest = f"g{node}"
        ip(guest, f"addr replace {state.GUESTS[node]}/32 dev eth0")
        ip(guest, "link set eth0 up")
        ip(guest, f"route replace {state.GATEWAY} dev eth0")
        ip(guest, f"route replace default via {state.GATEWAY}")


class OursUdp(Ours):
    """As `ours`, over UDP sockets."""

    kind = "udp"
    name = "ours-udp"


class OursBlocking(Ours):
    """As `ours`, workers always sleep."""

    poll = "block"
    name = "ours-block"


class OursSpinning(Ours):
    """As `ours`, workers never sleep."""

    poll = "spin"
    name = "ours-spin"


ALL = {kind.name: kind for kind in (Direct, VxlanConntrack, OvsConntrack, Ours, OursUdp, OursBlocking, OursSpinning)}
