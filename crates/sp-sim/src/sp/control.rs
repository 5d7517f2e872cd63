//! What the service processors answer on their control socket.

use rackweave_api::local::{ApiError, Code};
use rackweave_api::sp_sim::{self as api, Done, ListRequest, Request, SERVICE};
use rackweave_daemon::conversation::{Client, ClientGone, Outbox, Service};
use rackweave_mgmt::sp::dispatch::{Counters, Health};

use super::config::{UnitKind, octets_of};
use super::unit::Unit;
use super::units::Units;
use crate::control::{Context, may_change, nothing_called};
use crate::machine::World;

/// The service.
#[derive(Clone, Debug)]
pub(super) struct Control(pub(super) Context<Units>);

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
            Request::List(wanted) => {
                let units = context.ask(move |world| list(world, &wanted)).await??;
                outbox.send(units, false).await
            }
            Request::Stop(_) => context.end(client, outbox, Done {}).await?,
            change => {
                may_change(client)?;
                context.ask(move |world| act(world, change)).await??;
                outbox.send(Done {}, false).await
            }
        };
        Ok(())
    }
}

/// Changes the world around a service processor.
fn act(world: &mut World<Units>, request: Request) -> Result<(), ApiError> {
    let now = world.now;
    match request {
        Request::SetPower(request) => {
            let unit = named(world, &request.unit)?;
            if unit.body.kind == UnitKind::Psc {
                return Err(refused("a power shelf controller has no host"));
            }
            unit.body.host.switch(request.on);
            unit.wake(now);
        }
        Request::SetPresence(request) => {
            let unit = named(world, &request.unit)?;
            if unit.body.kind != UnitKind::Switch {
                return Err(refused("only a switch has an ignition controller"));
            }
            if !unit.body.feel(request.port, request.present) {
                return Err(refused("an ignition controller has ports 0 to 63"));
            }
        }
        Request::SetSensor(request) => {
            let unit = named(world, &request.unit)?;
            let mut readings = unit.body.readings.iter_mut();
            let Some(reading) = readings.find(|it| it.name == request.sensor) else {
                let known = unit.body.readings.iter().map(|it| it.name.as_str());
                let known: Vec<&str> = known.collect();
                return Err(nothing_called("sensor", &request.sensor, &known));
            };
            reading.milli = request.milli;
        }
        Request::Flood(request) => {
            let unit = named(world, &request.unit)?;
            if !unit.body.host.is_on() {
                return Err(refused("the host is off"));
            }
            unit.body.host.flood(request.octets);
            unit.wake(now);
        }
        Request::Inject(request) => {
            let frame = octets_of(&request.frame).filter(|frame| frame.len() >= 14);
            let frame = frame.ok_or_else(|| {
                ApiError::new(
                    Code::BadRequest,
                    "a frame is at least 28 hexadecimal digits",
                )
            })?;
            let link = place(world, &request.unit)?;
            world.out.send(link, frame);
        }
        Request::Subvert(request) => named(world, &request.unit)?.subvert(request.subverted, now),
        Request::Reset(request) => named(world, &request.unit)?.fall(now),
        Request::List(_) | Request::Stop(_) => {}
    }
    Ok(())
}

fn refused(why: &str) -> ApiError {
    ApiError::new(Code::Refused, "it cannot be so").cause(why)
}

/// The number of the unit with this name.
fn place(world: &World<Units>, name: &str) -> Result<usize, ApiError> {
    let Units(units) = &world.machine;
    let place = units.iter().position(|unit| unit.name == name);
    place.ok_or_else(|| {
        let names: Vec<&str> = units.iter().map(|unit| unit.name.as_str()).collect();
        nothing_called("unit", name, &names)
    })
}

fn named<'w>(world: &'w mut World<Units>, name: &str) -> Result<&'w mut Unit, ApiError> {
    let place = place(world, name)?;
    Ok(&mut world.machine.0[place])
}

fn list(world: &World<Units>, wanted: &ListRequest) -> Result<api::Units, ApiError> {
    let Units(units) = &world.machine;
    let numbered = units.iter().enumerate();
    let units = match &wanted.unit {
        Some(name) => {
            let place = place(world, name)?;
            vec![shown(&units[place], world.wires.is_up(place))]
        }
        None => numbered
            .map(|(place, unit)| shown(unit, world.wires.is_up(place)))
            .collect(),
    };
    Ok(api::Units { units })
}

fn shown(unit: &Unit, up: bool) -> api::Unit {
    let (firmware, on_trial) = unit.body.firmware();
    let Counters {
        answered,
        unreadable,
        refused,
    } = unit.dispatcher.counters();
    api::Unit {
        unit: unit.name.clone(),
        kind: unit.body.kind.name().into(),
        serial: unit.body.serial.clone(),
        up,
        powered: unit.body.host.is_on(),
        switched: unit.body.host.switched,
        firmware,
        on_trial,
        starts: unit.starts,
        resets: unit.body.resets,
        console: unit.dispatcher.console.holder().map(str::to_owned),
        to_write: unit.body.host.to_write(),
        answered,
        unreadable,
        refused,
        witnessed: unit.dispatcher.witnesses.count(),
        told: unit.told(),
        subverted: unit.subverted.is_some(),
        overheard: unit.subverted.as_ref().map_or(0, |it| it.overheard),
    }
}
