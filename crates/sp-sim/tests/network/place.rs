//! A management network in a namespace: cables, switches and service processors.

use std::path::PathBuf;
use std::thread::JoinHandle;
use std::{fs, thread};

use rackweave_api::local::{Client, ClientError};
use rackweave_api::{sp_sim as sp_api, switch_sim as switch_api};
use rackweave_linux::netlink::{LinkSettings, Netlink};
use rackweave_linux::netns::Netns;
use rackweave_linux::sysctl;
use rackweave_linux::tagged::TaggedFrames;
use rackweave_mgmt::port::{Position, Unit};
use rackweave_mgmt::rack::{Description, Rack};
use rackweave_rig::{SHORT, wait_until};
use rackweave_sp_sim::sp::config::{self as sp_config, KeyText, Sp, UnitKind};
use rackweave_sp_sim::switch::config::{self as switch_config, Ksz8463, Vsc7448};
use rackweave_sp_sim::{sp, switch};
use rackweave_types::MacAddr;
use tempfile::TempDir;

/// The rack that is shipped.
fn rack_file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../dist/racks/rack-1.toml")
}

/// What a unit is called.
pub(crate) fn name(unit: Unit) -> String {
    match unit {
        Unit::Cubby(number) => format!("c{number:02}"),
        Unit::Psc(number) => format!("psc{number}"),
        Unit::Switch(Position::A) => "swa".into(),
        Unit::Switch(Position::B) => "swb".into(),
    }
}

/// What the interfaces of a switch begin with.
pub(crate) const fn letter(position: Position) -> char {
    match position {
        Position::A => 'a',
        Position::B => 'b',
    }
}

/// The number of a unit among those of the rack, which its addresses and key come from.
fn number(rack: &Rack, unit: Unit) -> u8 {
    let place = rack.units().iter().position(|it| *it == unit).unwrap();
    u8::try_from(place).unwrap()
}

/// The first address of a unit.
pub(crate) fn first_mac(rack: &Rack, unit: Unit) -> MacAddr {
    MacAddr::new([0xa8, 0x40, 0x25, 0, number(rack, unit), 0x10])
}

/// What is provisioned as a unit's key.
pub(crate) fn key(rack: &Rack, unit: Unit) -> [u8; 32] {
    [number(rack, unit) + 1; 32]
}

/// A network that runs until it goes.
pub(crate) struct Place {
    pub(crate) rack: Rack,
    netns: Netns,
    pub(crate) netlink: Netlink,
    dir: TempDir,
    programs: Vec<JoinHandle<anyhow::Result<()>>>,
}

impl Place {
    /// A network of these units.
    pub(crate) fn new(units: &[Unit]) -> Self {
        let description: Description =
            toml::from_str(&fs::read_to_string(rack_file()).unwrap()).unwrap();
        let netns = Netns::temporary("rwt-mgmt").unwrap();
        let netlink = netns
            .run_in(|| {
                // Nobody but the programs is to say anything.
                sysctl::ensure("net/ipv6/conf/default/disable_ipv6", "1").unwrap();
                Netlink::open().unwrap()
            })
            .unwrap();
        let mut place = Self {
            rack: Rack::check(&description).unwrap(),
            netns,
            netlink,
            dir: tempfile::tempdir().unwrap(),
            programs: Vec::new(),
        };
        place.lay_cables(units);
        place.start(units);
        place
    }

    /// A network of every unit of the rack.
    pub(crate) fn whole() -> Self {
        let description: Description =
            toml::from_str(&fs::read_to_string(rack_file()).unwrap()).unwrap();
        Self::new(&Rack::check(&description).unwrap().units())
    }

    /// The name of the namespace.
    pub(crate) fn netns(&self) -> &Netns {
        &self.netns
    }

    /// Joins two interfaces by a cable.
    pub(crate) fn cable(&self, one: &str, two: &str) {
        self.netlink.create_veth(one, two).unwrap();
        for end in [one, two] {
            let up = LinkSettings {
                up: Some(true),
                ..LinkSettings::default()
            };
            self.netlink.ensure_link(end, &up).unwrap();
        }
    }

    /// The interface of a switch's port.
    pub(crate) fn port(position: Position, port: u8) -> String {
        format!("{}{port:02}", letter(position))
    }

    fn lay_cables(&self, units: &[Unit]) {
        for position in Position::ALL {
            let letter = letter(position);
            self.cable(&format!("up{letter}"), &format!("g{letter}"));
            for (port, end) in self.rack.ends(position) {
                if units.contains(&end.unit) {
                    let far = format!("{}-{}", name(end.unit), end.sp_port.number());
                    self.cable(&Self::port(position, port.get()), &far);
                }
            }
            for port in self.rack.technicians() {
                let port = Self::port(position, port.get());
                self.cable(&port, &format!("t{port}"));
            }
        }
        for unit in units {
            let unit = name(*unit);
            self.cable(&format!("{unit}-3"), &format!("{unit}-sp"));
        }
    }

    fn start(&mut self, units: &[Unit]) {
        let [switches, sps] = ["switches", "sps"].map(|it| self.dir.path().join(it));
        let vsc = |position| Vsc7448 {
            name: format!("sw-{}", letter(position)),
            rack: rack_file(),
            ports: letter(position).into(),
            uplink: format!("up{}", letter(position)),
        };
        let switch_config = switch_config::Config {
            run_dir: switches,
            vsc7448: Position::ALL.map(vsc).into(),
            ksz8463: units.iter().map(|it| Ksz8463 { unit: name(*it) }).collect(),
            ..switch_config::Config::default()
        };
        let sp = |unit: &Unit| Sp {
            unit: name(*unit),
            kind: match unit {
                Unit::Cubby(_) => UnitKind::Sled,
                Unit::Psc(_) => UnitKind::Psc,
                Unit::Switch(_) => UnitKind::Switch,
            },
            serial: format!("S-{}", name(*unit)),
            first_mac: first_mac(&self.rack, *unit),
            key: Some(KeyText(key(&self.rack, *unit))),
            ignition: vec![5],
        };
        let sp_config = sp_config::Config {
            run_dir: sps,
            sp: units.iter().map(sp).collect(),
            ..sp_config::Config::default()
        };
        // Threads are born into the namespace of who makes them.
        self.programs = self
            .netns
            .run_in(|| {
                let switches = thread::spawn(move || switch::run(&switch_config));
                let sps = thread::spawn(move || sp::run(&sp_config));
                vec![switches, sps]
            })
            .unwrap();
        wait_until(SHORT, "everything runs", || {
            Ok(self.is_up(units.len()).unwrap_or_default())
        })
        .unwrap();
    }

    fn is_up(&self, units: usize) -> Option<bool> {
        let up = self.units()?.iter().filter(|unit| unit.up).count();
        let counters: switch_api::Counters = self.ask_switches(&counters()).ok()?;
        let cables = counters.ports.iter().filter(|port| port.up).count();
        Some(up == units && cables == 5 * units + 2 * 3)
    }

    /// How the service processors are.
    pub(crate) fn units(&self) -> Option<Vec<sp_api::Unit>> {
        let list = sp_api::Request::List(sp_api::ListRequest::default());
        let units: sp_api::Units = self
            .client("sps", sp_api::SOCKET, sp_api::SERVICE)?
            .ask(&list)
            .ok()?;
        Some(units.units)
    }

    /// How the service processor of a unit is.
    pub(crate) fn unit(&self, unit: Unit) -> sp_api::Unit {
        let units = self.units().unwrap();
        units.into_iter().find(|it| it.unit == name(unit)).unwrap()
    }

    /// Has something done around a service processor.
    pub(crate) fn tell_sps(&self, request: &sp_api::Request) {
        self.try_sps(request).unwrap();
    }

    /// The same, where it may be refused.
    pub(crate) fn try_sps(&self, request: &sp_api::Request) -> Result<sp_api::Done, ClientError> {
        let mut client = self.client("sps", sp_api::SOCKET, sp_api::SERVICE).unwrap();
        client.ask(request)
    }

    /// Asks the switches.
    pub(crate) fn ask_switches<T: serde::de::DeserializeOwned>(
        &self,
        request: &switch_api::Request,
    ) -> anyhow::Result<T> {
        let client = self.client("switches", switch_api::SOCKET, switch_api::SERVICE);
        let mut client = client.ok_or_else(|| anyhow::anyhow!("no switches"))?;
        Ok(client.ask(request)?)
    }

    fn client(&self, dir: &str, socket: &str, service: &str) -> Option<Client> {
        let path = self.dir.path().join(dir).join(socket);
        Client::connect(&path, service, "test").ok()
    }

    /// Frames of an interface.
    pub(crate) fn open(&self, link: &str) -> TaggedFrames {
        let opened = self.netns.run_in(|| TaggedFrames::open(link));
        opened.unwrap().unwrap()
    }
}

/// Asks what all ports have seen.
pub(crate) fn counters() -> switch_api::Request {
    switch_api::Request::Counters(switch_api::ChipsRequest::default())
}

impl Drop for Place {
    fn drop(&mut self) {
        let stop = switch_api::Request::Stop(switch_api::StopRequest {});
        let _asked = self.ask_switches::<switch_api::Done>(&stop);
        let stop = sp_api::Request::Stop(sp_api::StopRequest {});
        if let Some(mut client) = self.client("sps", sp_api::SOCKET, sp_api::SERVICE) {
            let _asked: Result<sp_api::Done, _> = client.ask(&stop);
        }
        for program in self.programs.drain(..) {
            let ended = program.join();
            assert!(thread::panicking() || matches!(ended, Ok(Ok(()))));
        }
    }
}
