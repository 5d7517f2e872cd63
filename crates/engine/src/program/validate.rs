//! What a program must be to run; checked whole before anything of it is applied.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use core::fmt;
use core::net::IpAddr;

use ipnet::IpNet;

use super::{Action, Layer, Match, NatPool, ProgramSpec, RuleSet, Select};
use crate::direction::Direction;
use crate::respond::ResponderError;

/// Why a program cannot run, and where in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramError {
    /// The place, such as `layers[1] "firewall".in.rules[3].match.src_port`.
    pub place: String,
    /// What is wrong there.
    pub problem: Problem,
}

/// What can be wrong with a program.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// No layer, or more than [`ProgramSpec::MAX_LAYERS`].
    LayerCount(usize),
    /// The name stands twice, or is empty.
    LayerName,
    /// The number stands twice in its set.
    DuplicateRule,
    /// A list of actions without an end, or with actions behind it.
    ActionsEnd,
    /// The action does not belong into this direction.
    WrongDirection(Direction),
    /// No mapping table has this number.
    NoSuchTable(u16),
    /// No pool has this number.
    NoSuchPool(u16),
    /// No meter has this number.
    NoSuchMeter(u16),
    /// Meters in more than one layer of a direction, or two for one packet.
    MeterTwice,
    /// Two fields that no packet has together.
    Contradiction(&'static str),
    /// Two addresses of different families that must be of one.
    FamilyMismatch,
    /// An IPv4-mapped IPv6 address or prefix, which no packet carries.
    MappedAddress,
    /// A choice among nothing.
    EmptyGroup,
    /// A block of ports that is not an aligned power of two of at most 32,768.
    PortBlock,
    /// An MTU below the least that IPv4 allows (68, RFC 791).
    MtuTooSmall(u16),
    /// Two VLAN tags or other Ethernet types where IP is asked for.
    NotIp,
    /// A burst smaller than a packet, so that nothing would ever pass.
    Burst,
    /// More than one address translation in a direction's list of actions.
    TranslatedTwice,
    /// An answer that could not be made.
    Responder(ResponderError),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LayerCount(count) => {
                write!(f, "{count} layers; 1 to {} may be", ProgramSpec::MAX_LAYERS)
            }
            Self::LayerName => f.write_str("layer name empty or used twice"),
            Self::DuplicateRule => f.write_str("rule id used twice in its set"),
            Self::ActionsEnd => f.write_str(
                "exactly the last action must be allow, allow_stateful, deny, hairpin or punt",
            ),
            Self::WrongDirection(direction) => write!(f, "not possible for {direction:?} packets"),
            Self::NoSuchTable(index) => write!(f, "there is no mapping table {index}"),
            Self::NoSuchPool(index) => write!(f, "there is no pool {index}"),
            Self::NoSuchMeter(index) => write!(f, "there is no meter {index}"),
            Self::MeterTwice => {
                f.write_str("only one layer of a direction may meter, and a packet only once")
            }
            Self::Contradiction(what) => write!(f, "no packet can match: {what}"),
            Self::FamilyMismatch => f.write_str("addresses of one family needed"),
            Self::MappedAddress => {
                f.write_str("an ipv4-mapped ipv6 address stands for ipv4: write it as ipv4")
            }
            Self::EmptyGroup => f.write_str("a group needs at least one target"),
            Self::PortBlock => {
                f.write_str("a block of ports is an aligned power of two of at most 32768")
            }
            Self::MtuTooSmall(mtu) => write!(f, "mtu {mtu} is below 68"),
            Self::NotIp => f.write_str("the ethernet type is not of the prefix's family"),
            Self::Burst => {
                f.write_str("a limited rate needs a burst of at least one packet (65535 octets)")
            }
            Self::TranslatedTwice => f.write_str("one address translation for a list of actions"),
            Self::Responder(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for ProgramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.problem)
    }
}

impl core::error::Error for ProgramError {}

/// Checks everything; the first fault found is told.
pub(super) fn validate(spec: &ProgramSpec, tables: usize) -> Result<(), ProgramError> {
    let at = |place: &str, problem| {
        Err(ProgramError {
            place: place.into(),
            problem,
        })
    };
    if spec.layers.is_empty() || spec.layers.len() > ProgramSpec::MAX_LAYERS {
        return at("layers", Problem::LayerCount(spec.layers.len()));
    }
    for (index, pool) in spec.pools.iter().enumerate() {
        block(pool).map_err(|problem| ProgramError {
            place: format!("pools[{index}]"),
            problem,
        })?;
    }
    for (index, meter) in spec.meters.iter().enumerate() {
        let bytes = meter.bytes_per_second.is_some() && meter.burst_bytes < 65_535;
        let packets = meter.packets_per_second.is_some() && meter.burst_packets == 0;
        if bytes || packets {
            return at(&format!("meters[{index}]"), Problem::Burst);
        }
    }
    let mut names = BTreeSet::new();
    let mut metering = [None, None];
    for (index, layer) in spec.layers.iter().enumerate() {
        let place = format!("layers[{index}] \"{}\"", layer.name);
        if layer.name.is_empty() || !names.insert(layer.name.as_str()) {
            return at(&place, Problem::LayerName);
        }
        for direction in [Direction::Out, Direction::In] {
            let mut check = Check {
                spec,
                tables,
                direction,
                meters: false,
            };
            check.layer(layer, &place)?;
            let before = &mut metering[usize::from(direction == Direction::In)];
            if check.meters && before.replace(index).is_some() {
                return at(&place, Problem::MeterTwice);
            }
        }
    }
    Ok(())
}

fn block(pool: &NatPool) -> Result<(), Problem> {
    let aligned = pool.ports.is_power_of_two()
        && pool.ports <= 32_768
        && pool.first_port.is_multiple_of(pool.ports);
    if !aligned {
        return Err(Problem::PortBlock);
    }
    unmapped(pool.address)
}

fn unmapped(addr: IpAddr) -> Result<(), Problem> {
    match addr {
        IpAddr::V6(addr) if addr.to_ipv4_mapped().is_some() => Err(Problem::MappedAddress),
        _ => Ok(()),
    }
}

/// What the check of one direction of a layer needs to know, and learns.
struct Check<'a> {
    spec: &'a ProgramSpec,
    tables: usize,
    direction: Direction,
    meters: bool,
}

impl Check<'_> {
    fn layer(&mut self, layer: &Layer, place: &str) -> Result<(), ProgramError> {
        let (set, name): (&RuleSet, _) = match self.direction {
            Direction::Out => (&layer.outbound, "out"),
            Direction::In => (&layer.inbound, "in"),
        };
        let mut ids = BTreeSet::new();
        for (index, rule) in set.rules.iter().enumerate() {
            let place = format!("{place}.{name}.rules[{index}]");
            if !ids.insert(rule.id) {
                return Err(ProgramError {
                    place: format!("{place}.id"),
                    problem: Problem::DuplicateRule,
                });
            }
            matches(&rule.matches).map_err(|(field, problem)| ProgramError {
                place: format!("{place}.match.{field}"),
                problem,
            })?;
            self.actions(&rule.actions)
                .map_err(|(at, problem)| ProgramError {
                    place: format!("{place}.actions[{at}]"),
                    problem,
                })?;
        }
        self.actions(&set.default)
            .map_err(|(at, problem)| ProgramError {
                place: format!("{place}.{name}.default[{at}]"),
                problem,
            })
    }

    fn actions(&mut self, actions: &[Action]) -> Result<(), (usize, Problem)> {
        let last = actions
            .len()
            .checked_sub(1)
            .ok_or((0, Problem::ActionsEnd))?;
        let mut metered = false;
        let mut translated = false;
        for (index, action) in actions.iter().enumerate() {
            if action.ends() != (index == last) {
                return Err((index, Problem::ActionsEnd));
            }
            let twice = |flag: &mut bool, problem| {
                if core::mem::replace(flag, true) {
                    Err(problem)
                } else {
                    Ok(())
                }
            };
            match action {
                Action::Meter { .. } => {
                    self.meters = true;
                    twice(&mut metered, Problem::MeterTwice)
                }
                Action::SourceNat { .. } | Action::OneToOne { .. } => {
                    twice(&mut translated, Problem::TranslatedTwice)
                }
                _ => Ok(()),
            }
            .and_then(|()| self.action(action))
            .map_err(|problem| (index, problem))?;
        }
        Ok(())
    }

    fn action(&self, action: &Action) -> Result<(), Problem> {
        match action {
            Action::Select(Select::Group(targets)) if targets.is_empty() => {
                Err(Problem::EmptyGroup)
            }
            Action::Select(Select::MappingOrGroup { group, .. }) if group.is_empty() => {
                Err(Problem::EmptyGroup)
            }
            Action::Select(Select::Mapping { table } | Select::MappingOrGroup { table, .. })
            | Action::VerifySource { table } => {
                if matches!(action, Action::VerifySource { .. }) {
                    self.only(Direction::In)?;
                }
                index(*table, self.tables, Problem::NoSuchTable)
            }
            Action::Hairpin(responder) => responder.validate().map_err(Problem::Responder),
            Action::Encapsulate(_) => self.only(Direction::Out),
            Action::Decapsulate => self.only(Direction::In),
            Action::SourceNat { pool } => index(*pool, self.spec.pools.len(), Problem::NoSuchPool),
            Action::Meter { meter } => index(*meter, self.spec.meters.len(), Problem::NoSuchMeter),
            Action::Mtu { mtu, .. } if *mtu < 68 => Err(Problem::MtuTooSmall(*mtu)),
            Action::OneToOne { inside, outside } => {
                if inside.is_ipv4() != outside.is_ipv4() {
                    return Err(Problem::FamilyMismatch);
                }
                unmapped(*inside).and_then(|()| unmapped(*outside))
            }
            Action::SetSrc(addr) | Action::SetDst(addr) | Action::Via(addr) => unmapped(*addr),
            _ => Ok(()),
        }
    }

    fn only(&self, direction: Direction) -> Result<(), Problem> {
        if self.direction == direction {
            Ok(())
        } else {
            Err(Problem::WrongDirection(self.direction))
        }
    }
}

fn index(index: u16, count: usize, problem: fn(u16) -> Problem) -> Result<(), Problem> {
    if usize::from(index) < count {
        Ok(())
    } else {
        Err(problem(index))
    }
}

/// Checks that some packet can match.
fn matches(matches: &Match) -> Result<(), (&'static str, Problem)> {
    let family = |net: &Option<IpNet>| net.map(|net| net.addr().is_ipv4());
    for (field, net) in [("src", &matches.src), ("dst", &matches.dst)] {
        if let Some(IpNet::V6(net)) = net
            && net.prefix_len() >= 96
            && net.addr().to_ipv4_mapped().is_some()
        {
            return Err((field, Problem::MappedAddress));
        }
        if let (Some(ether_type), Some(v4)) = (matches.ether_type, family(net)) {
            let fits = if v4 {
                matches!(ether_type, 0x0800 | 0x0806)
            } else {
                ether_type == 0x86dd
            };
            if !fits {
                return Err((field, Problem::NotIp));
            }
        }
    }
    if let (Some(src), Some(dst)) = (family(&matches.src), family(&matches.dst))
        && src != dst
    {
        return Err(("dst", Problem::FamilyMismatch));
    }
    let ports = matches.src_port.is_some() || matches.dst_port.is_some();
    let icmp = matches.icmp_type.is_some() || matches.icmp_code.is_some();
    match matches.protocol {
        _ if ports && icmp => Err((
            "icmp_type",
            Problem::Contradiction("ports and an icmp type"),
        )),
        Some(protocol) if ports && !matches!(protocol, 6 | 17) => Err((
            "protocol",
            Problem::Contradiction("ports of a protocol other than tcp and udp"),
        )),
        Some(protocol) if icmp && !matches!(protocol, 1 | 58) => Err((
            "protocol",
            Problem::Contradiction("an icmp type of another protocol"),
        )),
        _ => Ok(()),
    }
}
