//! Rules: which table is asked for a packet.

use futures_util::TryStreamExt;
use ipnet::IpNet;
use rtnetlink::IpVersion;
use rtnetlink::packet_core::{DefaultNla, Nla};
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::rule::{RuleAction, RuleAttribute, RuleMessage, RulePortRange};

use super::route::family;
use super::{Netlink, NetlinkError, unless};

/// The table of the host's own addresses.
pub const LOCAL_TABLE: u32 = 255;

/// The bits of the destination port that a rule looks at (`linux/fib_rules.h`, Linux since 6.15), which the library
/// does not name.
const FRA_DPORT_MASK: u16 = 29;

/// A rule that sends packets to a table. The fields are its conditions, and all must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Rules are asked in ascending order.
    pub priority: u32,
    /// Where the packet goes to; `/0` for any, of that address family.
    pub to: IpNet,
    /// The number of the protocol above IP.
    pub protocol: Option<u8>,
    /// The destination port.
    pub port: Option<u16>,
    /// The table that is asked.
    pub table: u32,
}

impl Netlink {
    /// The rules, IPv4 and IPv6, that send packets to a table and have no other conditions than a [`Rule`] can name.
    ///
    /// # Errors
    /// [`NetlinkError`].
    pub fn rules(&self) -> Result<Vec<Rule>, NetlinkError> {
        let mut rules = Vec::new();
        for version in [IpVersion::V4, IpVersion::V6] {
            let list = self
                .handle
                .rule()
                .get(version)
                .execute()
                .try_collect::<Vec<_>>();
            let messages = self.wait(|| "list rules".into(), list)?;
            rules.extend(messages.iter().filter_map(Rule::of));
        }
        Ok(rules)
    }

    /// Makes the rule be there, once.
    ///
    /// # Errors
    /// [`NetlinkError`].
    pub fn ensure_rule(&self, rule: &Rule) -> Result<(), NetlinkError> {
        let mut add = self.handle.rule().add();
        *add.message_mut() = rule.message();
        let added = self.wait(|| format!("add {}", rule.name()), add.execute());
        unless(added, &[libc::EEXIST])
    }

    /// Takes the rule away.
    ///
    /// # Errors
    /// [`NetlinkError`]; that there is none is none.
    pub fn remove_rule(&self, rule: &Rule) -> Result<(), NetlinkError> {
        let remove = self.handle.rule().del(rule.message()).execute();
        let removed = self.wait(|| format!("remove {}", rule.name()), remove);
        unless(removed, &[libc::ENOENT])
    }
}

impl Rule {
    fn name(&self) -> String {
        format!(
            "rule {} to {}, table {}",
            self.priority, self.to, self.table
        )
    }

    fn message(&self) -> RuleMessage {
        let mut message = RuleMessage::default();
        message.header.family = family(self.to.addr());
        message.header.dst_len = self.to.prefix_len();
        message.header.action = RuleAction::ToTable;
        let attributes = &mut message.attributes;
        attributes.push(RuleAttribute::Priority(self.priority));
        attributes.push(RuleAttribute::Table(self.table));
        if self.to.prefix_len() > 0 {
            attributes.push(RuleAttribute::Destination(self.to.network()));
        }
        attributes.extend(
            self.protocol
                .map(|it| RuleAttribute::IpProtocol(i32::from(it).into())),
        );
        attributes.extend(self.port.map(|port| {
            RuleAttribute::DestinationPortRange(RulePortRange {
                start: port,
                end: port,
            })
        }));
        message
    }

    fn of(message: &RuleMessage) -> Option<Self> {
        let header = &message.header;
        if header.action != RuleAction::ToTable || header.src_len != 0 || header.tos != 0 {
            return None;
        }
        let any = match header.family {
            AddressFamily::Inet => IpNet::new([0; 4].into(), 0),
            AddressFamily::Inet6 => IpNet::new([0; 16].into(), 0),
            _ => return None,
        };
        let mut rule = Self {
            // A rule at the very front says nothing of its priority.
            priority: 0,
            to: any.ok()?,
            protocol: None,
            port: None,
            table: header.table.into(),
        };
        for attribute in &message.attributes {
            match attribute {
                RuleAttribute::Priority(priority) => rule.priority = *priority,
                RuleAttribute::Table(table) => rule.table = *table,
                RuleAttribute::Destination(to) => rule.to = IpNet::new(*to, header.dst_len).ok()?,
                RuleAttribute::IpProtocol(protocol) => {
                    rule.protocol = u8::try_from(i32::from(*protocol)).ok();
                }
                RuleAttribute::DestinationPortRange(ports) if ports.start == ports.end => {
                    rule.port = Some(ports.start);
                }
                RuleAttribute::Other(other) if other.kind() == FRA_DPORT_MASK && whole(other) => {}
                RuleAttribute::Protocol(_) | RuleAttribute::SuppressPrefixLen(u32::MAX) => {}
                _ => return None,
            }
        }
        Some(rule)
    }
}

/// Whether the mask is all ones.
fn whole(mask: &DefaultNla) -> bool {
    let mut octets = vec![0; mask.value_len()];
    mask.emit_value(&mut octets);
    octets.iter().all(|octet| *octet == 0xff)
}
