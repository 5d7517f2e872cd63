//! A site with everything running.

use std::path::Path;

use anyhow::{Context, Result};

use crate::boundary::Boundary;
use crate::guest::Guest;
use crate::process::tail;
use crate::site::{SLEDS, Site, Underlay};
use crate::sled::Sled;
use crate::world::World;

/// The underlay of each sled.
pub type Pair = [Underlay; SLEDS];

/// The pairs that everything must work on.
pub const PAIRS: [Pair; 3] = [
    [Underlay::Udp, Underlay::Udp],
    [Underlay::Tap, Underlay::Tap],
    [Underlay::Udp, Underlay::Tap],
];

/// Two sleds that run, guests behind TAPs, and a boundary. Dropping it ends all of them.
#[derive(Debug)]
pub struct Lab {
    /// The sleds.
    pub sleds: [Sled; SLEDS],
    /// Guests in namespaces, those that have no other device.
    pub guests: Vec<Guest>,
    /// The way out.
    pub boundary: Boundary,
    /// Where it all is.
    pub site: Site,
    /// What runs there.
    pub world: World,
}

impl Lab {
    /// Starts the world with a TAP for every instance.
    ///
    /// # Errors
    /// What keeps it from running.
    pub fn start(program: &str, pair: Pair) -> Result<Self> {
        Self::start_with(program, pair, World::new()?)
    }

    /// Starts a world; each instance that has no device yet gets a TAP in a namespace.
    ///
    /// # Errors
    /// What keeps it from running.
    pub fn start_with(program: &str, pair: Pair, mut world: World) -> Result<Self> {
        let site = Site::new()?;
        let mut guests = Vec::new();
        for name in world
            .members
            .iter()
            .map(|member| member.name)
            .collect::<Vec<_>>()
        {
            let member = world.member(name)?;
            if member.device.is_none() {
                let guest = Guest::new(member)?;
                world.attach_tap(name, &guest.namespace)?;
                guests.push(guest);
            }
        }
        let boundary = Boundary::start(&site, world.holders()?)?;
        let program = Path::new(program);
        let mut sleds = [
            Sled::new(program, pair[0], &world.host(0)?)?,
            Sled::new(program, pair[1], &world.host(1)?)?,
        ];
        for (sled, namespace) in sleds.iter_mut().zip(&site.sleds) {
            sled.start(namespace)?;
        }
        Ok(Self {
            sleds,
            guests,
            boundary,
            site,
            world,
        })
    }

    /// A guest by its name.
    ///
    /// # Errors
    /// Where there is none.
    pub fn guest(&self, name: &str) -> Result<&Guest> {
        let mut all = self.guests.iter();
        all.find(|guest| guest.name == name)
            .with_context(|| format!("no guest {name}"))
    }

    /// Configures guests by hand, and gives them.
    ///
    /// # Errors
    /// Where there is no such guest, or its TAP is missing.
    pub fn configured<const N: usize>(&self, names: [&str; N]) -> Result<[&Guest; N]> {
        let mut found = Vec::new();
        for name in names {
            let guest = self.guest(name)?;
            guest.configure()?;
            found.push(guest);
        }
        found.try_into().ok().context("one guest for each name")
    }

    /// A test's result; where it is an error, with what the sleds said last.
    ///
    /// # Errors
    /// That of the test.
    pub fn with_logs(&self, done: Result<()>) -> Result<()> {
        let [first, second] = &self.sleds;
        let refused = self.boundary.refused();
        done.with_context(|| {
            let (first, second) = (tail(&first.log()), tail(&second.log()));
            format!(
                "sled 1 said:\n{first}\nsled 2 said:\n{second}\nthe boundary refused {refused} packets"
            )
        })
    }

    /// Starts a sled's program again after it ended.
    ///
    /// # Errors
    /// What keeps it from running.
    pub fn restart(&mut self, sled: usize) -> Result<()> {
        let namespace = self.site.sleds.get(sled).context("no such sled")?;
        self.sleds[sled].start(namespace)
    }
}
