//! What the switches answer on their control socket.

use rackweave_api::local::ApiError;
use rackweave_api::switch_sim::{
    self as api, ChipsRequest, Counters, Done, PortCounters, Request, SERVICE,
};
use rackweave_daemon::conversation::{Client, ClientGone, Outbox, Service};
use rackweave_mgmt::switch::{ChipPort, DropReason, PortKind, Tables};

use super::chips::{Chip, Chips};
use crate::control::{Context, may_change, nothing_called};
use crate::machine::World;

/// The service.
#[derive(Clone, Debug)]
pub(super) struct Control(pub(super) Context<Chips>);

impl Service for Control {
    type Request = Request;
    const NAME: &'static str = SERVICE;
    const REQUESTS: &'static [&'static str] = &Request::NAMES;

    fn program(&self) -> &str {
        &self.0.program
    }

    async fn answer(
        &self,
        client: Client,
        request: Request,
        outbox: &Outbox,
    ) -> Result<(), ApiError> {
        let Self(context) = self;
        // A client that is gone needs no reply.
        let _gone: Result<(), ClientGone> = match request {
            Request::Tables(wanted) => {
                let chips = context.ask(move |world| tables(world, &wanted)).await??;
                outbox.send(chips, false).await
            }
            Request::Counters(wanted) => {
                let counters = context.ask(move |world| counters(world, &wanted)).await??;
                outbox.send(counters, false).await
            }
            Request::Program(request) => {
                may_change(client)?;
                let tables = ours(request.tables);
                let program = move |chip: &mut Chip| chip.switch.program(tables);
                self.change(request.chip, program).await?;
                outbox.send(Done {}, false).await
            }
            Request::Subvert(request) => {
                may_change(client)?;
                let subvert = |chip: &mut Chip| {
                    let tables = subverted(chip.first.clone());
                    chip.switch.program(tables);
                };
                self.change(request.chip, subvert).await?;
                outbox.send(Done {}, false).await
            }
            Request::Restore(request) => {
                may_change(client)?;
                let restore = |chip: &mut Chip| chip.switch.program(chip.first.clone());
                self.change(request.chip, restore).await?;
                outbox.send(Done {}, false).await
            }
            Request::Stop(_) => context.end(client, outbox, Done {}).await?,
        };
        Ok(())
    }
}

impl Control {
    async fn change(
        &self,
        name: String,
        change: impl FnOnce(&mut Chip) + Send + 'static,
    ) -> Result<(), ApiError> {
        let Self(context) = self;
        let changed = context.ask(move |world| match world.machine.named(&name) {
            Some(chip) => {
                change(chip);
                Ok(())
            }
            None => Err(unknown(&world.machine, &name)),
        });
        changed.await?
    }
}

fn unknown(chips: &Chips, name: &str) -> ApiError {
    let names: Vec<&str> = chips.chips.iter().map(|chip| chip.name.as_str()).collect();
    nothing_called("chip", name, &names)
}

/// The chips that are asked for.
fn chosen<'c>(
    chips: &'c Chips,
    wanted: &ChipsRequest,
) -> Result<impl Iterator<Item = &'c Chip> + use<'c>, ApiError> {
    if let Some(name) = &wanted.chip
        && !chips.chips.iter().any(|chip| chip.name == *name)
    {
        return Err(unknown(chips, name));
    }
    let name = wanted.chip.clone();
    let chosen = move |chip: &&Chip| name.as_ref().is_none_or(|name| chip.name == *name);
    Ok(chips.chips.iter().filter(chosen))
}

fn tables(world: &World<Chips>, wanted: &ChipsRequest) -> Result<api::Chips, ApiError> {
    let chip = |chip: &Chip| api::Chip {
        name: chip.name.clone(),
        tables: theirs(chip.switch.tables()),
        learned: chip
            .switch
            .learned()
            .map(|(vlan, mac, port)| api::Learned {
                vlan,
                mac,
                port: port.0,
            })
            .collect(),
    };
    let chips = chosen(&world.machine, wanted)?.map(chip).collect();
    Ok(api::Chips { chips })
}

fn counters(world: &World<Chips>, wanted: &ChipsRequest) -> Result<Counters, ApiError> {
    let mut ports = Vec::new();
    for chip in chosen(&world.machine, wanted)? {
        for (port, link, number) in chip.ports() {
            let counters = chip.switch.counters(port);
            let drops = DropReason::ALL.map(|reason| (reason.name(), counters.drops(reason)));
            let named = drops.into_iter().filter(|(_, count)| *count > 0);
            ports.push(PortCounters {
                chip: chip.name.clone(),
                port: port.0,
                link: link.into(),
                up: world.wires.is_up(number),
                frames_in: counters.frames_in(),
                frames_out: counters.frames_out(),
                drops: named.map(|(name, count)| (name.into(), count)).collect(),
            });
        }
    }
    Ok(Counters { ports })
}

/// What somebody programs who wants every VLAN to reach every port.
fn subverted(mut tables: Tables) -> Tables {
    let all: std::collections::BTreeSet<ChipPort> = tables.ports.keys().copied().collect();
    for members in tables.vlans.values_mut() {
        members.clone_from(&all);
    }
    tables.learning = false;
    tables
}

fn theirs(tables: &Tables) -> api::Tables {
    let kind = |kind: &PortKind| match kind {
        PortKind::Access(vlan) => api::PortKind::Access(*vlan),
        PortKind::Trunk => api::PortKind::Trunk,
    };
    let ports = tables.ports.iter().map(|(port, it)| (port.0, kind(it)));
    let vlans = tables.vlans.iter().map(|(vlan, ports)| {
        let ports = ports.iter().map(|port| port.0);
        (*vlan, ports.collect())
    });
    api::Tables {
        ports: ports.collect(),
        vlans: vlans.collect(),
        learning: tables.learning,
    }
}

fn ours(tables: api::Tables) -> Tables {
    let kind = |kind: api::PortKind| match kind {
        api::PortKind::Access(vlan) => PortKind::Access(vlan),
        api::PortKind::Trunk => PortKind::Trunk,
    };
    let ports = tables.ports.into_iter();
    let vlans = tables.vlans.into_iter().map(|(vlan, ports)| {
        let ports = ports.into_iter().map(ChipPort);
        (vlan, ports.collect())
    });
    Tables {
        ports: ports.map(|(port, it)| (ChipPort(port), kind(it))).collect(),
        vlans: vlans.collect(),
        learning: tables.learning,
    }
}
