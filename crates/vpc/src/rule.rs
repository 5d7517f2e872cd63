//! Rule numbers: which layer, what kind of rule, whose.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

use rackweave_engine::program::{Action, Match, Rule, RuleId, RuleSet};
use rackweave_types::state::{FirewallRuleId, RouteId, SubnetId};

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $layer:ident, $code:literal, $name:literal;)+) => {
        /// What a rule of a port's program is for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum RuleKind {
            $($(#[$doc])* $variant,)+
        }

        impl RuleKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The layer in which rules of this kind stand.
            #[must_use]
            pub const fn layer(self) -> LayerName {
                match self {
                    $(Self::$variant => LayerName::$layer,)+
                }
            }

            /// The kind as people read it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// The kind's number, unique in its layer; never given to another kind.
            const fn code(self) -> u8 {
                match self {
                    $(Self::$variant => $code,)+
                }
            }
        }
    };
}

kinds! {
    /// Frames with an 802.1Q tag.
    VlanTag = Guard, 1, "vlan tag";
    /// Packets with the gateway's address as source.
    ForgedGateway = Guard, 2, "forged gateway";
    /// What a DHCP server would send.
    GuestDhcpServer = Guard, 3, "dhcp server in a guest";
    /// What a router would send: router advertisements and redirects.
    GuestRouter = Guard, 4, "router in a guest";
    /// What a guest sends before it has an address.
    Bootstrap = Guard, 5, "source of a guest without address";
    /// ARP with the guest's own claims.
    OwnArp = Guard, 6, "own arp";
    /// ARP with foreign claims.
    ForgedArp = Guard, 7, "forged arp";
    /// Neighbour discovery with the guest's own claims.
    OwnNdp = Guard, 8, "own neighbour discovery";
    /// Neighbour discovery with foreign claims.
    ForgedNdp = Guard, 9, "forged neighbour discovery";
    /// The guest's own addresses.
    OwnAddress = Guard, 10, "own address";
    /// Addresses that are allowed besides.
    TransitAddress = Guard, 11, "transit prefix";
    /// Foreign sources.
    ForgedAddress = Guard, 12, "forged address";
    /// Foreign Ethernet sources.
    ForgedMac = Guard, 13, "forged mac";
    /// Neither IP nor ARP.
    NotIp = Guard, 14, "neither ip nor arp";
    /// To the guest, but not to an address of it.
    NotOurs = Guard, 15, "destination not of this guest";

    /// ARP requests for the gateway.
    GatewayArp = Gateway, 1, "arp for the gateway";
    /// Other ARP: nobody else is on the link.
    OtherArp = Gateway, 2, "arp for others";
    /// Neighbour solicitations for the gateway.
    GatewayNdp = Gateway, 3, "neighbour solicitation for the gateway";
    /// Router solicitations.
    RouterSolicitation = Gateway, 4, "router solicitation";
    /// Other neighbour discovery: nobody else is on the link.
    OtherNdp = Gateway, 5, "neighbour discovery for others";
    /// DHCPv4.
    Dhcp4 = Gateway, 6, "dhcpv4";
    /// DHCPv6.
    Dhcp6 = Gateway, 7, "dhcpv6";
    /// Echo requests to the gateway.
    GatewayEcho = Gateway, 8, "echo of the gateway";
    /// DNS queries.
    Dns = Gateway, 9, "dns";
    /// Requests to the metadata service.
    Metadata = Gateway, 10, "metadata";
    /// Everything else to a reserved address.
    Reserved = Gateway, 11, "reserved address";
    /// Multicast and broadcast.
    Multicast = Gateway, 12, "multicast";
    /// To addresses that no packet may have.
    MartianDestination = Gateway, 13, "martian destination";
    /// To the underlay.
    UnderlayDestination = Gateway, 14, "underlay destination";

    /// A user's firewall rule.
    Firewall = Firewall, 1, "rule";

    /// A route to a subnet of the VPC, made from the subnet.
    SubnetRoute = Router, 1, "subnet";
    /// A user's route.
    Route = Router, 2, "route";
    /// To where no route leads.
    NoRoute = Router, 3, "no route";
    /// From outside, with the address of an inside host.
    InsideFromOutside = Router, 4, "inside address from outside";
    /// From outside, with a source that no packet may have.
    MartianSource = Router, 5, "martian source";

    /// An external address that an inside one has for itself.
    OneToOne = Nat, 1, "external address";
    /// A block of ports of a shared external address.
    SourceNat = Nat, 2, "source nat";
    /// To the world outside without an external address.
    NoExternal = Nat, 3, "no external address";
    /// From outside, to an address that is not translated.
    NotTranslated = Nat, 4, "not translated";

    /// Between guests of the VPC.
    Vpc = Overlay, 1, "vpc";
    /// Between guests of peers.
    Peer = Overlay, 2, "peer";
    /// From a guest that may send with foreign sources.
    TransitSender = Overlay, 3, "transit sender";
    /// To the world outside, or straight to who holds the external address.
    Internet = Overlay, 4, "internet";
    /// From boundary services.
    FromBoundary = Overlay, 5, "from boundary services";
    /// From outside, relayed by a sled of the rack.
    FromRack = Overlay, 6, "relayed in the rack";
    /// From a guest with an external address, straight.
    FromHolder = Overlay, 7, "from an external address's holder";
    /// With the boundary's identifier, to an external address that the port does not hold.
    NotHeld = Overlay, 8, "external address not held";
    /// With the identifier of a network that is neither the port's nor a peer's.
    ForeignVni = Overlay, 9, "foreign vni";
}

/// The layers of a port's program, in the order of a packet of the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LayerName {
    /// Anti-spoofing: nothing leaves with another's addresses, nothing comes in for another.
    Guard,
    /// What the network answers or the agent serves.
    Gateway,
    /// The users' firewall rules.
    Firewall,
    /// Routes.
    Router,
    /// External addresses.
    Nat,
    /// Geneve, and from whom it is taken.
    Overlay,
}

impl LayerName {
    /// Every layer, in order.
    pub const ALL: [Self; 6] = [
        Self::Guard,
        Self::Gateway,
        Self::Firewall,
        Self::Router,
        Self::Nat,
        Self::Overlay,
    ];

    /// The name as it stands in the program.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Guard => "guard",
            Self::Gateway => "gateway",
            Self::Firewall => "firewall",
            Self::Router => "router",
            Self::Nat => "nat",
            Self::Overlay => "overlay",
        }
    }

    const fn code(self) -> u8 {
        match self {
            Self::Guard => 1,
            Self::Gateway => 2,
            Self::Firewall => 3,
            Self::Router => 4,
            Self::Nat => 5,
            Self::Overlay => 6,
        }
    }
}

/// A rule's number, taken apart.
///
/// The number holds the layer (8 bits), the kind (8), the item it was made for (32: the user's own
/// number of a firewall rule or route, the number of a subnet, the VNI of a peer) and the part
/// (16): one item can become several rules. Kind and item do not change while the item lives, so
/// counters stay with it over every change of the program; an item's count is the sum over its
/// parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleName {
    /// What the rule is for.
    pub kind: RuleKind,
    /// What it was made from; 0 where nothing of the configuration.
    pub item: u32,
    /// Which of the item's rules.
    pub part: u16,
}

impl RuleName {
    /// The number taken apart; `None` where this crate never gave it.
    #[must_use]
    pub fn of(id: RuleId) -> Option<Self> {
        let id = id.0.to_be_bytes();
        let is = |kind: &&RuleKind| kind.layer().code() == id[0] && kind.code() == id[1];
        let kind = *RuleKind::ALL.iter().find(is)?;
        Some(Self {
            kind,
            item: u32::from_be_bytes([id[2], id[3], id[4], id[5]]),
            part: u16::from_be_bytes([id[6], id[7]]),
        })
    }

    /// The rule's number.
    #[must_use]
    pub fn id(self) -> RuleId {
        let layer = u64::from(self.kind.layer().code()) << 56;
        let kind = u64::from(self.kind.code()) << 48;
        RuleId(layer | kind | u64::from(self.item) << 16 | u64::from(self.part))
    }

    /// The user's firewall rule it was made from.
    #[must_use]
    pub fn firewall_rule(self) -> Option<FirewallRuleId> {
        (self.kind == RuleKind::Firewall).then_some(FirewallRuleId::new(self.item))
    }

    /// The user's route it was made from.
    #[must_use]
    pub fn route(self) -> Option<RouteId> {
        (self.kind == RuleKind::Route).then_some(RouteId::new(self.item))
    }

    /// The subnet it was made from.
    #[must_use]
    pub fn subnet(self) -> Option<SubnetId> {
        (self.kind == RuleKind::SubnetRoute).then_some(SubnetId::new(self.item))
    }
}

impl fmt::Display for RuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.layer().name(), self.kind.name())?;
        match self.kind {
            RuleKind::Firewall | RuleKind::Route | RuleKind::SubnetRoute | RuleKind::Peer => {
                write!(f, " {}", self.item)
            }
            _ => Ok(()),
        }
    }
}

/// Gathers the rules of one direction of a layer and numbers them.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    rules: Vec<Rule>,
    parts: BTreeMap<(RuleKind, u32), u16>,
}

impl Rules {
    /// Adds a rule of the system: it comes behind those added before.
    pub(crate) fn add(&mut self, kind: RuleKind, matches: Match, actions: Vec<Action>) {
        self.add_item(kind, 0, 0, matches, actions);
    }

    /// Adds a rule made for an item of the configuration; lower priorities go first.
    pub(crate) fn add_item(
        &mut self,
        kind: RuleKind,
        item: u32,
        priority: u16,
        matches: Match,
        actions: Vec<Action>,
    ) {
        let next = self.parts.entry((kind, item)).or_default();
        let id = RuleName {
            kind,
            item,
            part: *next,
        }
        .id();
        *next = next.saturating_add(1);
        self.rules.push(Rule {
            id,
            priority,
            matches,
            actions,
        });
    }

    /// The rule set, with what is done to packets that no rule matches.
    pub(crate) fn or(self, default: Vec<Action>) -> RuleSet {
        RuleSet {
            rules: self.rules,
            default,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn every_kind_has_its_own_number_and_is_found_by_it() {
        let mut seen = BTreeSet::new();
        for kind in RuleKind::ALL {
            let name = RuleName {
                kind: *kind,
                item: 0x0102_0304,
                part: 5,
            };
            assert!(seen.insert(name.id()), "{kind:?}");
            assert_eq!(RuleName::of(name.id()), Some(name));
        }
        assert_eq!(RuleName::of(RuleId(0)), None);
    }

    #[test]
    fn numbers_are_frozen() {
        // Counters and explanations of older releases name rules by these: do not change them.
        let id = |kind, item, part| RuleName { kind, item, part }.id().0;
        assert_eq!(id(RuleKind::ForgedMac, 0, 0), 0x010d_0000_0000_0000);
        assert_eq!(id(RuleKind::Dns, 0, 1), 0x0209_0000_0000_0001);
        assert_eq!(id(RuleKind::Firewall, 7, 2), 0x0301_0000_0007_0002);
        assert_eq!(id(RuleKind::Route, 3, 0), 0x0402_0000_0003_0000);
        assert_eq!(id(RuleKind::SourceNat, 0, 0), 0x0502_0000_0000_0000);
        assert_eq!(id(RuleKind::ForeignVni, 0, 0), 0x0609_0000_0000_0000);
    }

    #[test]
    fn people_read_the_users_own_number() {
        let name = RuleName {
            kind: RuleKind::Firewall,
            item: 7,
            part: 2,
        };
        assert_eq!(name.to_string(), "firewall: rule 7");
        assert_eq!(name.firewall_rule(), Some(FirewallRuleId::new(7)));
        let spoofed = RuleName {
            kind: RuleKind::ForgedArp,
            item: 0,
            part: 0,
        };
        assert_eq!(spoofed.to_string(), "guard: forged arp");
    }
}
