//! Why something was dropped, in words, and what can be done about it.

use rackweave_engine::DropReason;

/// What a reason means, and what a person can do; no step where nothing needs to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Advice {
    pub(crate) meaning: &'static str,
    pub(crate) next: &'static str,
}

const fn advice(meaning: &'static str, next: &'static str) -> Advice {
    Advice { meaning, next }
}

const CAPTURE: &str = "look at the packets: `rackweave sled capture PORT`";
const EXPLAIN: &str = "ask for the rule: `rackweave sled explain PORT …`";
const SENDER: &str =
    "the sender's network stack makes bad packets; look at them: `rackweave sled capture PORT`";
const UNDERLAY: &str =
    "something else sends to UDP port 6081 of this sled, or a sled runs another release";
const STATE: &str =
    "compare the mappings in the host state: `rackweave sled status` names its generation";

/// What the engine drops for.
pub(crate) const fn engine(reason: DropReason) -> Advice {
    use DropReason as R;
    match reason {
        R::Truncated => advice("the packet is shorter than its headers say", SENDER),
        R::Ipv4Header => advice("the IPv4 header is malformed", SENDER),
        R::Ipv4Checksum => advice("the IPv4 header checksum is wrong", SENDER),
        R::Ipv6Header => advice("the IPv6 header is malformed", SENDER),
        R::ExtensionHeaders => advice(
            "too many, too long or malformed IPv6 extension headers",
            SENDER,
        ),
        R::TcpHeader => advice("the TCP header is malformed", SENDER),
        R::UdpHeader => advice("the UDP length is wrong", SENDER),
        R::IcmpHeader => advice(
            "the ICMP message is too short or quotes no usable packet",
            SENDER,
        ),
        R::ArpHeader => advice("ARP that is not for IPv4 over Ethernet", ""),
        R::NeighborDiscovery => advice("malformed neighbour discovery", SENDER),
        R::Offload => advice(
            "the offloads that the guest asks for do not fit its frame",
            "the guest's virtio driver is at fault",
        ),
        R::NotGeneve => advice("what came from the underlay is no Geneve packet", UNDERLAY),
        R::GeneveHeader => advice(
            "the Geneve header is malformed or of another version",
            UNDERLAY,
        ),
        R::UnknownCriticalOption => advice(
            "a Geneve option that must be understood is not",
            "upgrade this sled: the sender runs a newer release",
        ),
        R::EcnNotCapable => advice(
            "the underlay was congested, and the inner packet does not take part in ECN (RFC 6040)",
            "find the congested link of the underlay",
        ),
        R::EncapsulationTooLong => advice(
            "the packet with its tunnel headers is longer than IPv6 allows",
            "lower the guest's MTU",
        ),
        R::RuleDenied => advice("a rule denied it", EXPLAIN),
        R::NoMapping => advice("nobody is known to hold the destination", STATE),
        R::SourceMismatch => advice(
            "it came from another sled than the one that holds its source",
            STATE,
        ),
        R::TtlExceeded => advice(
            "its TTL or hop limit was used up",
            "look for a routing loop; traceroute causes it too",
        ),
        R::TooBig => advice(
            "it is longer than the path allows and must not be fragmented",
            "if it goes on, ICMP is filtered in the guest: it does not learn the path MTU",
        ),
        R::NatMismatch => advice(
            "it cannot be translated: protocol, family or address does not fit",
            "source NAT carries TCP, UDP and ICMP queries; give the port a floating address for others",
        ),
        R::NatNoConnection => advice(
            "from outside to a shared address, and no connection of the guest is known",
            "normal for scans; give the port a floating address to be reached",
        ),
        R::NatPortsExhausted => advice(
            "the port's block of NAT ports is used up towards this remote end",
            "give the port a larger block or an address of its own",
        ),
        R::NatPortsResting => advice(
            "the free ports of its block still rest after a restart: who had them is not known",
            "wait two minutes, or give the port a larger block",
        ),
        R::FlowTableFull => advice(
            "the port has as many connections as it may, and none can be evicted",
            "raise the port's limit of flows; look at them: `rackweave sled flows PORT`",
        ),
        R::FlowConflict => advice(
            "another connection has the same addresses and ports on one side",
            "look at both: `rackweave sled flows PORT`",
        ),
        R::FragmentUnknown => advice(
            "a fragment whose first one was not seen in time",
            "fragments are reordered or lost on the way",
        ),
        R::FragmentMalformed => advice(
            "a fragment that is overlong, or too small to be a first one",
            SENDER,
        ),
        R::IcmpErrorUnrelated => advice("an ICMP error about a packet of no known connection", ""),
        R::Metered => advice(
            "the port sends or receives faster than its cap",
            "raise the cap in the host state if that is not meant",
        ),
        R::PuntQueueFull => advice(
            "the guest asks for DNS or metadata faster than the agent answers",
            "look for a loop in the guest; `rackweave sled status` shows the agent",
        ),
        R::NoAnswer => advice(
            "a request to the network itself that is malformed or not for it",
            CAPTURE,
        ),
        R::ReplyMetered => advice(
            "more requests to the network itself than are answered in a second",
            "look for a loop in the guest",
        ),
        R::Undecided => advice("no layer said where it goes", EXPLAIN),
        R::FlowCut => advice(
            "a change of rules cut its connection",
            "the guest opens a new one if the rules allow it",
        ),
        R::WrongShard => advice(
            "it came to the wrong worker and was not handed over",
            "report this: it is a fault of the sled",
        ),
        _ => advice("a reason that this command does not know yet", ""),
    }
}

/// What a worker, a queue or the agent loses things for.
pub(crate) fn other(by: &str, reason: &str) -> Advice {
    match (by, reason) {
        ("worker", "no_such_port") => advice(
            "from the wire for an Ethernet address that no port here has",
            "another sled's mappings are old, or a port is missing here: `rackweave sled ports`",
        ),
        ("worker", "wrong_outer_destination") => advice(
            "from the wire for another tunnel end point than this sled's",
            "the underlay routes another sled's prefix to this one",
        ),
        ("worker", "bad_tunnel") => {
            advice("what came from the underlay is no Geneve packet", UNDERLAY)
        }
        ("worker", "hand_over_full") => advice(
            "the worker that it belongs to is behind",
            "give the sled more workers, or fewer guests",
        ),
        ("worker", "hand_over_loop") => advice(
            "handed from worker to worker without end",
            "report this: it is a fault of the sled",
        ),
        ("worker", "punt_channel_full") => advice(
            "guests ask for DNS or metadata faster than the agent answers",
            "look which guest does: `rackweave sled drops`",
        ),
        ("worker", "guest_absent") => advice(
            "for a port whose guest is not there",
            "start the guest, or see why its device is not attached: `rackweave sled ports`",
        ),
        ("worker", "guest_full") => advice(
            "the guest did not take it: its receive ring was full",
            "the guest is too slow or hangs",
        ),
        ("worker", "wire_absent") => advice(
            "there is no way to the underlay",
            "see the log of the sled's start",
        ),
        ("worker", "wire_full") => advice(
            "the underlay did not take it",
            "the host's NIC is saturated or its link is down",
        ),
        (_, "full") => advice(
            "the other side took nothing: its ring or socket buffer was full",
            "it is too slow or hangs",
        ),
        (_, "unsendable") => advice(
            "it could not be sent on this device",
            "see the log of the sled",
        ),
        ("guest", "malformed") => advice(
            "what the guest's device handed over is no frame",
            "the guest's driver is at fault, or hostile",
        ),
        (_, "malformed") => advice("what came is no frame", UNDERLAY),
        ("agent", "dropped_unknown_port") => advice("a request of a port that is gone", ""),
        ("agent", "dropped_rate_limited") => advice(
            "the guest asks for DNS or metadata faster than it may",
            "look for a loop in the guest",
        ),
        ("agent", "dropped_queue_full") => advice(
            "the guest's requests to DNS or metadata pile up",
            "look for a loop in the guest",
        ),
        ("agent", "dropped_malformed") => {
            advice("a request to DNS or metadata that is malformed", SENDER)
        }
        ("agent", "dropped_fragment") => advice(
            "a fragment of a request to DNS or metadata",
            "the guest's resolver should use smaller queries or TCP",
        ),
        ("agent", "dropped_connection_limit") => advice(
            "too many connections to DNS or metadata",
            "look for a loop in the guest",
        ),
        _ => advice("a reason that this command does not know yet", ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::Losses;
    use crate::worker::OwnDrops;

    const UNKNOWN: &str = "a reason that this command does not know yet";

    #[test]
    fn every_reason_is_told_in_words() {
        for reason in DropReason::ALL {
            assert_ne!(engine(*reason).meaning, UNKNOWN, "{reason}");
        }
        for (name, _) in OwnDrops::default().each() {
            assert_ne!(other("worker", name).meaning, UNKNOWN, "{name}");
        }
        for (name, _) in super::super::drops::losses(&Losses::default()) {
            for by in ["guest", "wire"] {
                assert_ne!(other(by, name).meaning, UNKNOWN, "{by} {name}");
            }
        }
    }
}
