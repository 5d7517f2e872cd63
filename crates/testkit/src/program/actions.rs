//! Random actions.

use std::net::IpAddr;

use rackweave_engine::Direction;
use rackweave_engine::program::{Action, ProgramSpec, Reject};
use rackweave_engine::respond::{AdvertisedPrefix, Dhcp4, Dhcp6, Responder, RouterAdvert};

use super::world::{GATEWAY_MAC, GUEST_MAC, LOCALS, MACS, OUTSIDES, PORTS, ROUTER_V4, ROUTER_V6};
use super::{Scope, matches, select, tunnel};
use crate::source::Source;

/// What the actions of one direction of one layer may refer to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drawer<'a> {
    pub(super) scope: Scope,
    pub(super) spec: &'a ProgramSpec,
    pub(super) tables: usize,
    pub(super) direction: Direction,
    /// Whether this layer's rules may meter.
    pub(super) meters: bool,
    /// Whether the layer is the guest's last.
    pub(super) last: bool,
}

impl Drawer<'_> {
    /// The actions of a rule.
    pub(super) fn actions(&self, source: &mut Source<'_>) -> Vec<Action> {
        let mut actions = Vec::new();
        for _ in 0..source.below(4) {
            actions.extend(self.action(source));
        }
        self.once(&mut actions);
        if self.last && !source.one_in(4) {
            actions.extend(self.way_on(source));
        }
        actions.push(Self::end(source));
        actions
    }

    /// The actions for packets that no rule is about: mostly those that let them pass.
    pub(super) fn default(&self, source: &mut Source<'_>) -> Vec<Action> {
        if source.one_in(3) {
            return self.actions(source);
        }
        let mut actions = Vec::new();
        if self.last {
            actions.extend(self.way_on(source));
        }
        actions.push(source.pick(&[Way::Allow, Way::Stateful]).action());
        actions
    }

    /// What the last layer does to packets that are to arrive.
    fn way_on(&self, source: &mut Source<'_>) -> Vec<Action> {
        match self.direction {
            Direction::Out => vec![
                Action::Select(select(source, self.tables)),
                Action::Encapsulate(tunnel(source)),
            ],
            Direction::In => {
                let table = u16::try_from(source.below(self.tables)).unwrap_or(0);
                let verify = source.maybe(3, |_| Action::VerifySource { table });
                verify.into_iter().chain([Action::Decapsulate]).collect()
            }
        }
    }

    /// An action that does not end; `None` where it does not belong here.
    fn action(&self, source: &mut Source<'_>) -> Option<Action> {
        let outbound = self.direction == Direction::Out;
        let table = u16::try_from(source.below(self.tables)).unwrap_or(0);
        Some(match source.below(16) {
            0 => Action::Tag(matches::tag(source)),
            1 => Action::SetSrcMac(source.pick(&MACS)),
            2 => Action::SetDstMac(source.pick(&MACS)),
            3 => Action::Route {
                router_v4: ROUTER_V4,
                router_v6: ROUTER_V6,
            },
            4 => Action::Via(matches::address(source)),
            5 => Action::Mtu {
                mtu: source.pick(&[1500, 576, 9000]),
                router_v4: ROUTER_V4,
                router_v6: ROUTER_V6,
            },
            6 => one_to_one(source),
            7 => Action::SourceNat {
                pool: u16::try_from(source.below(self.spec.pools.len())).unwrap_or(0),
            },
            8 if self.meters => Action::Meter {
                meter: u16::try_from(source.below(self.spec.meters.len())).unwrap_or(0),
            },
            9 if !outbound => Action::VerifySource { table },
            10 if !outbound => Action::Decapsulate,
            11 => Action::Select(select(source, self.tables)),
            12 if outbound => Action::Encapsulate(tunnel(source)),
            13 | 14 if self.scope.rewrites => rewrite(source),
            _ => return None,
        })
    }

    /// Leaves out a second meter and a second translation.
    fn once(&self, actions: &mut Vec<Action>) {
        let (mut metered, mut translated) = (!self.meters, false);
        actions.retain(|action| match action {
            Action::Meter { .. } => !core::mem::replace(&mut metered, true),
            Action::SourceNat { .. } | Action::OneToOne { .. } => {
                !core::mem::replace(&mut translated, true)
            }
            _ => true,
        });
    }

    fn end(source: &mut Source<'_>) -> Action {
        use Way::{Allow, Answer, Deny, Punt, Stateful};
        let ways = [
            Allow, Stateful, Allow, Stateful, Stateful, Allow, Deny, Deny, Punt, Answer,
        ];
        match source.pick(&ways) {
            Deny => Action::Deny {
                reply: source.maybe(2, |_| ROUTER),
            },
            Punt => Action::Punt {
                queue: source.octet(),
            },
            Answer => Action::Hairpin(Box::new(responder(source))),
            way => way.action(),
        }
    }
}

/// The router that tells of refusals.
const ROUTER: Reject = Reject {
    router_v4: ROUTER_V4,
    router_v6: ROUTER_V6,
};

/// How a packet's way through a layer ends.
#[derive(Clone, Copy, Debug)]
enum Way {
    Allow,
    Stateful,
    Deny,
    Punt,
    Answer,
}

impl Way {
    const fn action(self) -> Action {
        match self {
            Self::Stateful => Action::AllowStateful,
            _ => Action::Allow,
        }
    }
}

fn one_to_one(source: &mut Source<'_>) -> Action {
    let place = source.below(2);
    Action::OneToOne {
        inside: LOCALS[place],
        outside: OUTSIDES[place],
    }
}

fn rewrite(source: &mut Source<'_>) -> Action {
    match source.below(4) {
        0 => Action::SetSrc(matches::address(source)),
        1 => Action::SetDst(matches::address(source)),
        2 => Action::SetSrcPort(source.pick(&PORTS)),
        _ => Action::SetDstPort(source.pick(&PORTS)),
    }
}

/// Who answers, and with what.
pub(crate) fn responder(source: &mut Source<'_>) -> Responder {
    let dns = vec![ROUTER_V4; source.below(3)];
    let dns6 = vec![[0xfd00, 0, 0, 0, 0, 0, 0, 2].into(); source.below(3)];
    let search: Vec<String> = (0..source.below(3))
        .map(|at| format!("zone{at}.example"))
        .collect();
    let address = matches::address_like(source, LOCALS[0]);
    match source.below(6) {
        0 => Responder::Echo,
        1 => Responder::Arp { mac: GATEWAY_MAC },
        2 => Responder::Neighbor {
            mac: GATEWAY_MAC,
            router: source.one_in(2),
        },
        3 => Responder::Router(RouterAdvert {
            mac: GATEWAY_MAC,
            router: ROUTER_V6,
            lifetime: 1800,
            managed: source.one_in(2),
            other: source.one_in(2),
            mtu: 1500,
            prefixes: vec![
                AdvertisedPrefix {
                    prefix: "fd12::/64".parse().unwrap_or_default(),
                    on_link: false,
                    autonomous: true,
                    lifetime: 3600,
                };
                source.below(3)
            ],
            dns: dns6,
            search,
        }),
        4 => Responder::Dhcp4(Dhcp4 {
            mac: GATEWAY_MAC,
            server: ROUTER_V4,
            client: GUEST_MAC,
            address: match address {
                IpAddr::V4(addr) => addr,
                IpAddr::V6(_) => ROUTER_V4,
            },
            prefix_len: 32,
            gateway: ROUTER_V4,
            routes: vec![("10.0.0.0/8".parse().unwrap_or_default(), ROUTER_V4); source.below(3)],
            dns,
            domain: source.maybe(2, |_| "rack.example".to_owned()),
            search,
            hostname: source.maybe(2, |_| "guest".to_owned()),
            mtu: 1500,
            lease: 3600,
        }),
        _ => Responder::Dhcp6(Dhcp6 {
            mac: GATEWAY_MAC,
            server: ROUTER_V6,
            client: GUEST_MAC,
            addresses: vec![[0xfd12, 0, 0, 0, 0, 0, 0, 5].into(); source.below(3)],
            dns: dns6,
            search,
            lease: 3600,
        }),
    }
}
