//! Both gateways' views, joined: what is wrong with cables, and whether the own switch may be used.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rackweave_api::http::Client;
use rackweave_api::mgs::{self as api, SwitchStatus, Switches, View};
use rackweave_linux::clock;
use rackweave_mgmt::address::MacRange;
use rackweave_mgmt::cabling::{self, Baseline, Finding, Seen as PortSeen, Views};
use rackweave_mgmt::port::{Position, SpPort, SwitchPort, Unit};
use rackweave_mgmt::rack::Rack;
use rackweave_types::{Instant, MacAddr};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot, watch};

use crate::convert::{position_of, to_position};
use crate::data::Neighbours;
use crate::drive::Handle;
use crate::hold::{Finds, Hold};
use crate::kept::{self, KeptError};
use crate::seen::Seen;

/// How often the other gateway is asked, and everything is compared.
const EVERY: Duration = Duration::from_millis(500);
/// How soon everything is compared again at the earliest.
const BREATH: Duration = Duration::from_millis(50);
/// How long the other gateway may take.
const PEER_PATIENCE: Duration = Duration::from_secs(1);
/// How long what it said last is believed.
const PEER_FRESH: Duration = Duration::from_secs(3);
/// How long a gateway that has just started is given to find who is there.
const SETTLE: Duration = Duration::from_secs(3);

/// What is found, for those who ask.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The own view.
    pub own: View,
    /// The other gateway's, if it is known.
    pub peer: Option<View>,
    /// What is wrong with cables, or why nothing can be said of them.
    pub findings: Result<Vec<Finding>, String>,
    /// How many units' places are known of when all was well.
    pub known: usize,
    /// Whether the switches may be used.
    pub switches: Switches,
}

/// What the judge is told to do.
#[derive(Debug)]
pub struct Override {
    /// Which switch.
    pub position: api::Position,
    /// Who.
    pub who: String,
    /// Why.
    pub why: String,
    /// Who waits.
    pub reply: oneshot::Sender<Result<SwitchStatus, NotOverridden>>,
}

/// Why a switch was not put to use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotOverridden {
    /// It is the other gateway's.
    #[error("that switch is the other gateway's to hold: ask that one")]
    Other,
    /// The gateway does not know where it is.
    #[error("the gateway does not know yet on which switch it sits")]
    Unknown,
    /// It is not held.
    #[error("that switch is not held")]
    NotHeld,
    /// It could not be written down, so it was not done.
    #[error("it could not be written down, so it was not done: {0}")]
    Unwritten(#[from] KeptError),
}

/// Where things are kept.
#[derive(Clone, Debug)]
struct Files {
    baseline: PathBuf,
    hold: PathBuf,
    audit: PathBuf,
}

/// A place of the baseline, as it is written down.
#[derive(Debug, Serialize, Deserialize)]
struct Place {
    unit: String,
    mac: MacAddr,
}

/// Compares views for ever.
#[derive(Debug)]
pub struct Judge {
    handle: Handle,
    peer: Option<Client>,
    heard: Option<(Instant, View)>,
    peer_switch: Option<SwitchStatus>,
    neighbours: Option<Neighbours>,
    files: Files,
    baseline: Option<Baseline>,
    hold: Hold,
    judged: watch::Sender<Arc<Judged>>,
}

/// What a line of the audit log says.
#[derive(Debug, Serialize)]
struct Audited<'a> {
    at_unix_ms: u64,
    action: &'static str,
    switch: api::Position,
    who: &'a str,
    why: &'a str,
    in_spite_of: &'a [String],
}

impl Judge {
    /// A judge with what was kept in this directory.
    ///
    /// # Errors
    /// Where something there cannot be read.
    pub fn open(
        handle: Handle,
        peer: Option<Client>,
        neighbours: Option<Neighbours>,
        state_dir: &Path,
    ) -> Result<(Self, watch::Receiver<Arc<Judged>>), KeptError> {
        let files = Files {
            baseline: state_dir.join("baseline.json"),
            hold: state_dir.join("hold.json"),
            audit: state_dir.join("audit.log"),
        };
        let baseline: Option<Vec<Place>> = kept::read(&files.baseline)?;
        let baseline = baseline.map(|places| {
            let place =
                |place: Place| Some((unit_of(&place.unit)?, MacRange::new(place.mac).ok()?));
            places.into_iter().filter_map(place).collect::<Baseline>()
        });
        let hold: Option<Hold> = kept::read(&files.hold)?;
        let judged = Judged {
            own: view(&handle.seen(), &BTreeMap::new(), None),
            peer: None,
            findings: Err("the gateway has just started".into()),
            known: baseline.as_ref().map_or(0, BTreeMap::len),
            switches: Switches {
                switches: Vec::new(),
            },
        };
        let (judged, watched) = watch::channel(Arc::new(judged));
        let judge = Self {
            handle,
            peer,
            heard: None,
            peer_switch: None,
            neighbours,
            files,
            baseline,
            hold: hold.unwrap_or_default(),
            judged,
        };
        Ok((judge, watched))
    }

    /// Judges until the task is dropped, or nobody is left who could say otherwise.
    pub async fn run(mut self, mut overrides: mpsc::Receiver<Override>) {
        let mut seen = self.handle.watch();
        loop {
            self.hear().await;
            self.judge();
            // What changes at once is judged at once, and not again for each of a hundred changes.
            tokio::time::sleep(BREATH).await;
            let pause = tokio::time::sleep(EVERY);
            tokio::select! {
                () = pause => {}
                changed = seen.changed() => if changed.is_err() { return },
                asked = overrides.recv() => match asked {
                    Some(asked) => self.put_to_use(asked),
                    None => return,
                },
            }
        }
    }

    /// Asks the other gateway, and the data network.
    async fn hear(&mut self) {
        if let Some(neighbours) = &mut self.neighbours {
            neighbours.refresh().await;
        }
        let Some(peer) = &self.peer else {
            return;
        };
        let view = peer.get("/view").patience(PEER_PATIENCE).answer::<View>();
        match view.await {
            Ok(answer) => self.heard = Some((clock::now(), answer.body)),
            Err(error) => tracing::debug!(%error, "the other gateway does not say what it sees"),
        }
        let switches = peer
            .get("/switches")
            .patience(PEER_PATIENCE)
            .answer::<Switches>();
        self.peer_switch = match switches.await {
            Ok(answer) => answer.body.switches.into_iter().find(|switch| switch.own),
            Err(_) => None,
        };
    }

    fn judge(&mut self) {
        let seen = self.handle.seen();
        let data = self.neighbours.as_ref().map(Neighbours::units);
        let own_ports = ports(&seen, data.unwrap_or(&BTreeMap::new()));
        let peer = self.fresh_peer();
        let findings = self.findings(&seen, &own_ports, peer.as_ref());
        if let Some((rack, position)) = &seen.place {
            self.remember(rack, *position, &own_ports, peer.as_ref(), &findings);
            let finds = Finds {
                position: *position,
                serial: seen.own_switch().map(|found| found.serial.as_str()),
                findings: findings.as_ref().ok().map(Vec::as_slice),
                peer_is_clean: peer.as_ref().and_then(|peer| peer.clean).unwrap_or(false),
            };
            if self.hold.find(&finds) {
                self.keep_hold();
            }
        }
        let clean = findings.as_ref().ok().map(Vec::is_empty);
        let judged = Judged {
            own: view(&seen, &own_ports, clean),
            peer,
            findings,
            known: self.baseline.as_ref().map_or(0, BTreeMap::len),
            switches: self.switches(&seen),
        };
        self.judged.send_replace(Arc::new(judged));
    }

    fn fresh_peer(&self) -> Option<View> {
        let (at, view) = self.heard.as_ref()?;
        (clock::now().since(*at) <= PEER_FRESH).then(|| view.clone())
    }

    fn findings(
        &self,
        seen: &Seen,
        own: &BTreeMap<SwitchPort, PortSeen>,
        peer: Option<&View>,
    ) -> Result<Vec<Finding>, String> {
        if seen.at.since(seen.started) < SETTLE {
            return Err("this gateway has just started".into());
        }
        let Some((rack, position)) = &seen.place else {
            return Err("this gateway does not know yet on which switch it sits".into());
        };
        match peer {
            Some(peer) => {
                let views = joined(rack, *position, own, peer)?;
                Ok(cabling::verdict(rack, &views, self.baseline.as_ref()))
            }
            None if self.peer.is_none() => {
                Err("no other gateway is configured: name it as `peer`".into())
            }
            None => Err(format!(
                "the gateway of {} does not answer",
                position.other()
            )),
        }
    }

    /// Where all is well, what is where is what later findings are compared with.
    fn remember(
        &mut self,
        rack: &Rack,
        position: Position,
        own: &BTreeMap<SwitchPort, PortSeen>,
        peer: Option<&View>,
        findings: &Result<Vec<Finding>, String>,
    ) {
        let (Ok([]), Some(peer)) = (findings.as_deref(), peer) else {
            return;
        };
        let Ok(views) = joined(rack, position, own, peer) else {
            return;
        };
        let mut baseline = self.baseline.clone().unwrap_or_default();
        baseline.extend(cabling::baseline(rack, &views));
        if self.baseline.as_ref() == Some(&baseline) {
            return;
        }
        let place = |(unit, mac): (&Unit, &MacRange)| Place {
            unit: crate::seen::name_of(*unit),
            mac: mac.first(),
        };
        let places: Vec<Place> = baseline.iter().map(place).collect();
        if let Err(error) = kept::write(&self.files.baseline, &places) {
            tracing::warn!(%error, "which unit is where is not kept");
        }
        self.baseline = Some(baseline);
    }

    fn keep_hold(&self) {
        if self.hold.is_drained() {
            tracing::warn!(reasons = ?self.hold.reasons(), "the switch is held");
        } else {
            tracing::info!("the switch may be used");
        }
        if let Err(error) = kept::write(&self.files.hold, &self.hold) {
            tracing::warn!(%error, "whether the switch is held is not kept");
        }
    }

    fn switches(&self, seen: &Seen) -> Switches {
        let own = seen.place.as_ref().map(|(_, position)| SwitchStatus {
            position: to_position(*position),
            own: true,
            serial: seen.own_switch().map(|found| found.serial.clone()),
            drained: self.hold.is_drained(),
            reasons: self.hold.reasons().to_vec(),
            overridden: self.hold.overridden().cloned(),
        });
        let other = self.peer_switch.clone().map(|switch| SwitchStatus {
            own: false,
            ..switch
        });
        Switches {
            switches: own.into_iter().chain(other).collect(),
        }
    }

    fn put_to_use(&mut self, asked: Override) {
        let done = self.try_put_to_use(&asked);
        self.judge();
        // Who asked may be gone; what was said holds.
        let _gone = asked.reply.send(done);
    }

    fn try_put_to_use(&mut self, asked: &Override) -> Result<SwitchStatus, NotOverridden> {
        let seen = self.handle.seen();
        let (_, position) = seen.place.as_ref().ok_or(NotOverridden::Unknown)?;
        if to_position(*position) != asked.position {
            return Err(NotOverridden::Other);
        }
        if !self.hold.is_drained() {
            return Err(NotOverridden::NotHeld);
        }
        let at_unix_ms = clock::unix_millis();
        let line = Audited {
            at_unix_ms,
            action: "override",
            switch: asked.position,
            who: &asked.who,
            why: &asked.why,
            in_spite_of: self.hold.reasons(),
        };
        kept::append(&self.files.audit, &line)?;
        tracing::warn!(who = %asked.who, why = %asked.why, "the switch is used in spite of why it is held");
        self.hold.put_to_use(&asked.who, &asked.why, at_unix_ms);
        self.keep_hold();
        let own = self.switches(&seen).switches.into_iter().next();
        own.ok_or(NotOverridden::Unknown)
    }
}

/// Both views, if they are of the two switches of one rack.
fn joined(
    rack: &Rack,
    position: Position,
    own: &BTreeMap<SwitchPort, PortSeen>,
    peer: &View,
) -> Result<Views, String> {
    let other = position.other();
    let theirs = peer.position.map(position_of);
    let theirs =
        theirs.ok_or_else(|| format!("the gateway of {other} does not know yet where it sits"))?;
    if theirs == position {
        return Err(format!(
            "both gateways find themselves on {position}: their uplinks, or all cables of one switch, are swapped"
        ));
    }
    if peer.rack.as_deref() != Some(rack.name()) {
        return Err(format!(
            "the other gateway finds itself in a rack of type {}, this one of type {}",
            peer.rack.as_deref().unwrap_or("unknown"),
            rack.name()
        ));
    }
    let (own, theirs) = (own.clone(), ports_of(peer));
    Ok(match position {
        Position::A => Views { a: own, b: theirs },
        Position::B => Views { a: theirs, b: own },
    })
}

/// What is seen at each port.
fn ports(seen: &Seen, data: &BTreeMap<SwitchPort, MacRange>) -> BTreeMap<SwitchPort, PortSeen> {
    // A switch that does not say what ignition feels is no proof that it feels nothing.
    let felt = |link: &crate::seen::LinkSeen| match seen.ignition {
        Some(bits) => bits & (1 << link.port.get()) != 0,
        None => link.found.is_some(),
    };
    let port = |link: &crate::seen::LinkSeen| {
        let at = PortSeen {
            sp: link.found.as_ref().map(|found| (found.unit, found.reached)),
            data: data.get(&link.port).copied(),
            ignition: felt(link),
        };
        (link.port, at)
    };
    seen.links.iter().map(port).collect()
}

/// A view, as the other gateway is told it.
fn view(seen: &Seen, ports: &BTreeMap<SwitchPort, PortSeen>, clean: Option<bool>) -> View {
    let serial = |port: SwitchPort| {
        let link = seen.links.iter().find(|link| link.port == port)?;
        Some(link.found.as_ref()?.serial.clone())
    };
    let port = |(port, at): (&SwitchPort, &PortSeen)| api::PortView {
        port: port.get(),
        sp: at.sp.map(|(unit, _)| unit.first()),
        sp_port: at.sp.map(|(_, reached)| reached.number()),
        serial: serial(*port),
        data: at.data.map(MacRange::first),
        ignition: at.ignition,
    };
    View {
        rack: seen.place.as_ref().map(|(rack, _)| rack.name().into()),
        position: seen
            .place
            .as_ref()
            .map(|(_, position)| to_position(*position)),
        clean,
        ports: ports.iter().map(port).collect(),
    }
}

/// What the other gateway sees at each port; what cannot be is passed over.
fn ports_of(view: &View) -> BTreeMap<SwitchPort, PortSeen> {
    let port = |port: &api::PortView| {
        let sp = port.sp.zip(port.sp_port).and_then(|(mac, reached)| {
            Some((MacRange::new(mac).ok()?, SpPort::try_from(reached).ok()?))
        });
        let at = PortSeen {
            sp,
            data: port.data.and_then(|mac| MacRange::new(mac).ok()),
            ignition: port.ignition,
        };
        Some((SwitchPort::new(port.port).ok()?, at))
    };
    view.ports.iter().filter_map(port).collect()
}

/// The unit of this name.
pub(crate) fn unit_of(name: &str) -> Option<Unit> {
    let number = |text: &str| text.parse().ok();
    match name.split_once('-')? {
        ("cubby", text) => number(text).map(Unit::Cubby),
        ("psc", text) => number(text).map(Unit::Psc),
        ("switch", "a") => Some(Unit::Switch(Position::A)),
        ("switch", "b") => Some(Unit::Switch(Position::B)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
