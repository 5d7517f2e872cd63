//! Numbers that say what comes next.

use crate::number::registry;

registry! {
    /// What follows an IP header: protocol (RFC 791 section 3.1) or next header (RFC 8200
    /// section 3), numbers of one IANA registry.
    IpProtocol: u8, "protocol {}" {
        /// IPv6 hop-by-hop options (RFC 8200 section 4.3).
        HOP_BY_HOP = 0, "hop-by-hop options";
        /// ICMPv4 (RFC 792).
        ICMP = 1, "icmp";
        /// Internet group management (RFC 3376).
        IGMP = 2, "igmp";
        /// IPv4 in IP (RFC 2003).
        IPV4 = 4, "ipv4";
        /// TCP (RFC 9293).
        TCP = 6, "tcp";
        /// UDP (RFC 768).
        UDP = 17, "udp";
        /// DCCP (RFC 4340).
        DCCP = 33, "dccp";
        /// IPv6 in IP (RFC 2473).
        IPV6 = 41, "ipv6";
        /// IPv6 routing header (RFC 8200 section 4.4).
        ROUTING = 43, "routing header";
        /// IPv6 fragment header (RFC 8200 section 4.5).
        FRAGMENT = 44, "fragment header";
        /// Generic routing encapsulation (RFC 2784).
        GRE = 47, "gre";
        /// Encapsulating security payload (RFC 4303).
        ESP = 50, "esp";
        /// Authentication header (RFC 4302).
        AUTHENTICATION = 51, "authentication header";
        /// ICMPv6 (RFC 4443).
        ICMPV6 = 58, "icmpv6";
        /// Nothing follows (RFC 8200 section 4.7).
        NO_NEXT_HEADER = 59, "no next header";
        /// IPv6 destination options (RFC 8200 section 4.6).
        DESTINATION_OPTIONS = 60, "destination options";
        /// SCTP (RFC 9260).
        SCTP = 132, "sctp";
        /// UDP-Lite (RFC 3828).
        UDP_LITE = 136, "udp-lite";
    }
}

registry! {
    /// What an Ethernet frame or a tunnel carries (IEEE 802 section 9.2).
    EtherType: u16, "ethertype {:#06x}" {
        /// IPv4 (RFC 894).
        IPV4 = 0x0800, "ipv4";
        /// ARP (RFC 826).
        ARP = 0x0806, "arp";
        /// An Ethernet frame inside a tunnel (RFC 8926 section 3.4).
        ETHERNET = 0x6558, "transparent ethernet";
        /// An 802.1Q tag (IEEE 802.1Q section 9.4).
        VLAN = 0x8100, "802.1q tag";
        /// IPv6 (RFC 2464 section 3).
        IPV6 = 0x86dd, "ipv6";
        /// An 802.1ad service tag (IEEE 802.1Q section 9.5).
        SERVICE_VLAN = 0x88a8, "802.1ad tag";
        /// Link layer discovery (IEEE 802.1AB section 7.4).
        LLDP = 0x88cc, "lldp";
    }
}

impl EtherType {
    /// The least number that is a type: below, the field is the length of an 802.3 frame
    /// (IEEE 802.3 section 3.2.6).
    pub const MIN: u16 = 0x0600;

    /// Whether the field is a length.
    #[inline]
    #[must_use]
    pub const fn is_length(self) -> bool {
        self.0 < Self::MIN
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn names_or_numbers() {
        assert_eq!(IpProtocol::TCP.to_string(), "tcp");
        assert_eq!(IpProtocol(200).to_string(), "protocol 200");
        assert_eq!(EtherType(0x1234).to_string(), "ethertype 0x1234");
    }

    #[test]
    fn lengths_are_no_types() {
        assert!(EtherType(0x05ff).is_length());
        assert!(!EtherType(0x0600).is_length());
    }
}
