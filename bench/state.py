"""The host states of the two sleds of the bench: two guests, many rules, many mappings."""

import ipaddress

AZ = "fd52:7761:6b65"
VNI = 4096
GUESTS = {1: "10.0.0.11", 2: "10.0.0.12"}
GATEWAY = "10.0.0.1"
RESOLVER = "10.0.0.2"
GATEWAY_MAC = "02:72:77:ff:ff:01"
MACS = {1: "02:72:77:00:00:01", 2: "02:72:77:00:00:02"}
RULES = 1_000
MAPPINGS = 10_000


def sled(node):
    """The prefix of a sled of rack 1."""
    return f"{AZ}:1{node:02x}::/64"


def end_point(node):
    """The address of a sled on the underlay."""
    return f"{AZ}:1{node:02x}::1"


def rules():
    """What lets the guests talk, and RULES - 3 others that never match them, all stateful."""
    allow = [
        {"id": 1, "priority": 65535, "direction": "out", "action": "allow"},
        {"id": 2, "priority": 65535, "direction": "in", "action": "allow",
         "filters": {"hosts": [{"vpc": VNI}]}},
        {"id": 3, "priority": 65535, "direction": "in", "action": "allow",
         "filters": {"protocols": [{"icmp": {}}, {"icmpv6": {}}]}},
    ]
    others = []
    for number in range(4, RULES + 1):
        net = f"192.0.{number % 256}.{(number // 256) * 16}/28"
        others.append({
            "id": number, "priority": 1000 + number, "direction": "in", "action": "deny",
            "filters": {"hosts": [{"cidr": net}], "protocols": ["tcp"], "ports": [[number, number]]},
        })
    return allow + others


def mappings():
    """Both guests, and MAPPINGS others on 250 sleds."""
    entries = [{"prefix": f"{GUESTS[node]}/32", "sled": sled(node), "mac": MACS[node]} for node in GUESTS]
    first = int(ipaddress.ip_address("10.0.64.0"))
    for number in range(MAPPINGS):
        address = ipaddress.ip_address(first + number)
        mac = "02:72:77:%02x:%02x:%02x" % (1 + number // 65536, number // 256 % 256, number % 256)
        entries.append({"prefix": f"{address}/32", "sled": sled(3 + number % 250), "mac": mac})
    return entries


def host_state(node, guest_mtu, underlay_mtu, device):
    """The state of one sled; `device` is where its guest is.

    An AZ's underlay MTU is 1,600 or more. Where the links carry less, it is the guests' MTU that keeps packets short.
    """
    version = {"version": 1, "generation": 1}
    return {
        **version,
        "underlay": {"version": 1, "sled": sled(node), "src_mac": f"02:00:00:00:01:0{node}",
                     "dst_mac": f"02:00:00:00:02:0{node}", "mtu": max(underlay_mtu, 1600)},
        "boundary": {**version, "vni": 99, "mtu": 1500,
                     "groups": [{"address": f"{AZ}:ff10::1", "mac": "02:72:77:ff:00:01"}]},
        "vpcs": [{
            **version, "vni": VNI, "ipv4": ["10.0.0.0/16"],
            "subnets": [{"id": 1, "ipv4": "10.0.0.0/16"}],
            "routers": [{"id": 1, "routes": [{"id": 1, "destination": "0.0.0.0/0", "target": "internet_gateway"}]}],
            "rule_sets": [{"id": 1, "rules": rules()}],
        }],
        "mappings": [{**version, "vni": VNI, "entries": mappings()}],
        "ports": [{
            **version, "id": f"{node:016x}", "mac": MACS[node], "slot": 0, "vni": VNI,
            "addresses": [{"address": GUESTS[node], "subnet": 1}], "router": 1, "rule_sets": [1],
            "mtu": guest_mtu,
        }],
        "attachments": [{**version, "port": f"{node:016x}", "device": device}],
    }
