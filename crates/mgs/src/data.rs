//! Neighbours on the data network, as the switch's router hears them (LLDP): one cable carries data and management, so
//! the link of a switch port is called after it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use rackweave_api::local::{Client, ClientError};
use rackweave_api::router::{LldpNeighbors, LldpRequest, Request, SERVICE};
use rackweave_linux::clock;
use rackweave_mgmt::address::MacRange;
use rackweave_mgmt::port::SwitchPort;
use rackweave_types::Instant;

/// How often the router is asked.
const EVERY: Duration = Duration::from_secs(1);

/// See the [module](self).
#[derive(Debug)]
pub struct Neighbours {
    socket: PathBuf,
    links: String,
    units: BTreeMap<SwitchPort, MacRange>,
    asked: Option<Instant>,
}

impl Neighbours {
    /// Those that the router behind this socket hears on links called this, and then the number of the port.
    #[must_use]
    pub const fn new(socket: PathBuf, links: String) -> Self {
        Self {
            socket,
            links,
            units: BTreeMap::new(),
            asked: None,
        }
    }

    /// The unit at each port.
    #[must_use]
    pub const fn units(&self) -> &BTreeMap<SwitchPort, MacRange> {
        &self.units
    }

    /// Asks the router, if it is time to.
    pub async fn refresh(&mut self) {
        let now = clock::now();
        if self.asked.is_some_and(|asked| now.since(asked) < EVERY) {
            return;
        }
        self.asked = Some(now);
        let socket = self.socket.clone();
        let asked = tokio::task::spawn_blocking(move || {
            let mut client = Client::connect(&socket, SERVICE, &rackweave_daemon::program())?;
            client.ask(&Request::Lldp(LldpRequest {}))
        });
        let heard: Result<LldpNeighbors, ClientError> = match asked.await {
            Ok(heard) => heard,
            Err(_) => return,
        };
        match heard {
            Ok(heard) => self.units = units(&heard, &self.links),
            Err(error) => {
                tracing::debug!(%error, "the router does not say who is on the data network");
                self.units.clear();
            }
        }
    }
}

/// The unit at each port: who says so by one of its unit's addresses.
fn units(heard: &LldpNeighbors, links: &str) -> BTreeMap<SwitchPort, MacRange> {
    let unit = |neighbor: &rackweave_api::router::LldpNeighbor| {
        let number = neighbor.link.strip_prefix(links)?.parse().ok()?;
        let port = SwitchPort::new(number).ok()?;
        let chassis = (neighbor.chassis_kind == "mac").then(|| neighbor.chassis.parse().ok());
        let mac = chassis.flatten().unwrap_or(neighbor.from);
        Some((port, MacRange::of(mac).ok()?))
    };
    let up = heard.neighbors.iter().filter(|neighbor| neighbor.link_up);
    up.filter_map(unit).collect()
}
