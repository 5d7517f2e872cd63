//! What each action does to a packet's fields and its way.

use super::{Context, End, Path, Refusal, Step};
use crate::addr::Addr;
use crate::direction::Direction;
use crate::drop_reason::DropReason;
use crate::fields::Fields;
use crate::flow::CompiledFlow;
use crate::hash;
use crate::parse::{ETHERTYPE_IPV4, ETHERTYPE_IPV6};
use crate::program::{Action, Reject, Select, Target};

/// Does a rule's actions in order.
pub(super) fn all<'p>(
    context: &Context<'_, 'p>,
    actions: &'p [Action],
    bit: u16,
    path: &mut Path<'p>,
) -> Step<'p> {
    for action in actions {
        match one(context, action, bit, path) {
            Step::Action => {}
            step => return step,
        }
    }
    Step::Layer
}

const fn drop_it<'p>(reason: DropReason) -> Step<'p> {
    Step::End(End::Drop(reason, None))
}

fn one<'p>(
    context: &Context<'_, 'p>,
    action: &'p Action,
    bit: u16,
    path: &mut Path<'p>,
) -> Step<'p> {
    match action {
        Action::Allow => return Step::Layer,
        Action::AllowStateful => {
            path.stateful |= bit;
            return Step::Layer;
        }
        Action::Deny { reply } => return deny(context, *reply, bit, path),
        Action::Hairpin(responder) => return Step::End(End::Hairpin(responder)),
        Action::Punt { queue } => return Step::End(End::Punt(*queue)),
        Action::Tag(tag) => path.last.tags = path.last.tags.with(*tag),
        Action::SetSrcMac(mac) => path.last.src_mac = *mac,
        Action::SetDstMac(mac) => path.last.dst_mac = *mac,
        Action::Via(addr) => path.last.next_hop = (*addr).into(),
        Action::Route {
            router_v4,
            router_v6,
        } => {
            return route(
                path,
                Reject {
                    router_v4: *router_v4,
                    router_v6: *router_v6,
                },
            );
        }
        Action::Mtu {
            mtu,
            router_v4,
            router_v6,
        } => {
            return limit(
                path,
                *mtu,
                Reject {
                    router_v4: *router_v4,
                    router_v6: *router_v6,
                },
            );
        }
        Action::SetSrc(_)
        | Action::SetDst(_)
        | Action::SetSrcPort(_)
        | Action::SetDstPort(_)
        | Action::OneToOne { .. }
        | Action::SourceNat { .. } => return translate(context, action, path),
        Action::Select(select) => return choose(context, select, path),
        Action::Encapsulate(encapsulate) => path.encapsulate = Some(encapsulate),
        Action::Decapsulate => path.decapsulated = true,
        Action::VerifySource { table } => return verify(context, *table, path),
        Action::Meter { meter } => path.meter = Some(*meter),
    }
    Step::Action
}

/// Denies, unless the connection was admitted before and the change did not ask to cut.
fn deny<'p>(
    context: &Context<'_, 'p>,
    reply: Option<Reject>,
    bit: u16,
    path: &mut Path<'p>,
) -> Step<'p> {
    if !context.cut
        && context
            .connection
            .as_ref()
            .is_some_and(|connection| connection.passed(bit))
    {
        path.kept = true;
        path.stateful |= bit;
        return Step::Layer;
    }
    Step::End(End::Drop(
        DropReason::RuleDenied,
        reply.map(Refusal::Reject),
    ))
}

fn route<'p>(path: &mut Path<'p>, router: Reject) -> Step<'p> {
    // A packet passes one router here, however many layers say so.
    if path.routed {
        return Step::Action;
    }
    if path.last.ttl <= 1 {
        return Step::End(End::Drop(
            DropReason::TtlExceeded,
            Some(Refusal::TimeExceeded(router)),
        ));
    }
    path.last.ttl -= 1;
    path.routed = true;
    Step::Action
}

fn limit<'p>(path: &mut Path<'p>, mtu: u16, router: Reject) -> Step<'p> {
    if path.last.segment_len > u32::from(mtu) {
        return Step::End(End::Drop(
            DropReason::TooBig,
            Some(Refusal::TooBig(router, mtu)),
        ));
    }
    path.mtu = if path.mtu == 0 {
        mtu
    } else {
        path.mtu.min(mtu)
    };
    Step::Action
}

/// Address translation. A packet of a connection that goes against its first one is not translated by rules but to
/// what the connection's record says.
fn translate<'p>(context: &Context<'_, 'p>, action: &Action, path: &mut Path<'p>) -> Step<'p> {
    if let Some(connection) = &context.connection
        && (!connection.forth || connection.related)
    {
        far_side(connection.flow, &mut path.last, connection.related);
        return Step::Action;
    }
    let fields = &mut path.last;
    // ARP has addresses too, and an operation where IP has a protocol.
    if !matches!(fields.ether_type, ETHERTYPE_IPV4 | ETHERTYPE_IPV6) {
        return drop_it(DropReason::NatMismatch);
    }
    let ported = matches!(fields.protocol, 6 | 17);
    match (action, fields.direction) {
        (Action::SetSrc(addr), _) => replace(Addr::from(*addr), fields, |fields| &mut fields.src),
        (Action::SetDst(addr), _) => replace(Addr::from(*addr), fields, |fields| &mut fields.dst),
        (Action::SetSrcPort(port), _) if ported => {
            fields.src_port = *port;
            Step::Action
        }
        (Action::SetDstPort(port), _) if ported => {
            fields.dst_port = *port;
            Step::Action
        }
        (Action::OneToOne { inside, outside }, Direction::Out)
            if fields.src == Addr::from(*inside) =>
        {
            fields.src = (*outside).into();
            Step::Action
        }
        (Action::OneToOne { inside, outside }, Direction::In)
            if fields.dst == Addr::from(*outside) =>
        {
            fields.dst = (*inside).into();
            Step::Action
        }
        (Action::SourceNat { pool }, Direction::Out) => source_nat(context, *pool, path),
        (Action::SourceNat { .. }, Direction::In) => drop_it(DropReason::NatNoConnection),
        _ => drop_it(DropReason::NatMismatch),
    }
}

/// Exchanges an address for one of the same family.
fn replace<'p>(addr: Addr, fields: &mut Fields, place: fn(&mut Fields) -> &mut Addr) -> Step<'p> {
    let fits = match fields.ether_type {
        ETHERTYPE_IPV4 => addr.is_v4(),
        ETHERTYPE_IPV6 => !addr.is_v4(),
        _ => false,
    };
    if !fits {
        return drop_it(DropReason::NatMismatch);
    }
    *place(fields) = addr;
    Step::Action
}

/// Takes addresses and ports from the other side of the connection's record.
fn far_side(flow: &CompiledFlow, fields: &mut Fields, related: bool) {
    let (near, far) = match fields.direction {
        Direction::Out => (&flow.guest, &flow.wire),
        Direction::In => (&flow.wire, &flow.guest),
    };
    let exchange = |addr: Addr| match addr.octets() {
        octets if octets == near.local => Addr::from_octets(far.local),
        octets if octets == near.remote => Addr::from_octets(far.remote),
        _ => addr,
    };
    fields.src = exchange(fields.src);
    fields.dst = exchange(fields.dst);
    if !related {
        (fields.src_port, fields.dst_port) = match fields.direction {
            Direction::Out => (far.local_port, far.remote_port),
            Direction::In => (far.remote_port, far.local_port),
        };
    }
}

fn source_nat<'p>(context: &Context<'_, 'p>, pool: u16, path: &mut Path<'p>) -> Step<'p> {
    let Some(pool) = context.program.pool(pool) else {
        return drop_it(DropReason::NatMismatch);
    };
    let fields = &mut path.last;
    let query = matches!(
        (fields.protocol, fields.icmp_type),
        (6 | 17, _) | (1, 8 | 13 | 15 | 17) | (58, 128)
    );
    if !query || Addr::from(pool.address).is_v4() != (fields.ether_type == ETHERTYPE_IPV4) {
        return drop_it(DropReason::NatMismatch);
    }
    let bound = context
        .connection
        .as_ref()
        .map(|connection| connection.flow);
    match context.ports.bind(pool, fields, bound, context.now) {
        Ok(binding) => {
            fields.src = pool.address.into();
            fields.src_port = binding.port;
            path.binding = Some(binding);
            Step::Action
        }
        Err(reason) => drop_it(reason),
    }
}

fn choose<'p>(context: &Context<'_, 'p>, select: &Select, path: &mut Path<'p>) -> Step<'p> {
    let (table, group) = match select {
        Select::Mapping { table } => (Some(*table), &[][..]),
        Select::Group(group) => (None, &group[..]),
        Select::MappingOrGroup { table, group } => (Some(*table), &group[..]),
    };
    let fields = &mut path.last;
    let addr = if fields.next_hop == Addr::NONE {
        fields.dst
    } else {
        fields.next_hop
    };
    let target = table
        .and_then(|table| context.program.table(table)?.lookup(addr))
        .map(|mapping| Target {
            underlay: mapping.underlay,
            mac: mapping.mac,
        })
        .or_else(|| rendezvous(group, context.entropy));
    let Some(target) = target else {
        return drop_it(DropReason::NoMapping);
    };
    fields.dst_mac = target.mac;
    path.target = Some(target);
    Step::Action
}

/// Chooses by highest random weight, so that a change of the group moves only the flows it must.
fn rendezvous(targets: &[Target], entropy: u64) -> Option<Target> {
    let weight = |target: &Target| hash::weight(target.underlay.to_bits(), entropy);
    targets.iter().copied().max_by_key(weight)
}

fn verify<'p>(context: &Context<'_, 'p>, table: u16, path: &mut Path<'p>) -> Step<'p> {
    let fields = &path.last;
    let mapping = context
        .program
        .table(table)
        .and_then(|table| table.lookup(fields.src));
    let Some(mapping) = mapping else {
        return drop_it(DropReason::SourceMismatch);
    };
    if Addr::from(mapping.underlay) == fields.outer_src {
        return Step::Action;
    }
    match mapping.previous {
        Some(previous)
            if Addr::from(previous.underlay) == fields.outer_src
                && context.now < previous.until =>
        {
            path.moved = true;
            Step::Action
        }
        _ => drop_it(DropReason::SourceMismatch),
    }
}
