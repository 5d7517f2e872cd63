//! Who of a rack has which /64.

use std::collections::BTreeMap;

use rackweave_trust::{Assignment, SecretKey};
use rackweave_types::{MacAddr, NodeNumber, NodePrefix, RackPrefix, Role};
use serde::{Deserialize, Serialize};

/// How many nodes keep a table.
const KEEPERS: usize = 3;

/// A node of a rack that has, or is to have, a /64.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Member {
    /// Who it is.
    pub identity: String,
    /// The hardware address that its bootstrap prefix is made of.
    pub hardware: MacAddr,
    /// What it does.
    pub role: Role,
}

/// The assignments of a rack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// The rack.
    pub rack: RackPrefix,
    /// Counts up from 1.
    pub version: u64,
    /// Who keeps it, by identity, and chooses the next version.
    pub keepers: Vec<String>,
    /// One for each node, in order of number.
    pub assignments: Vec<Assignment>,
}

/// Why a node gets no /64, or a table is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// There is nobody.
    #[error("no sled and no switch is there")]
    Nobody,
    /// The rack has two switches already.
    #[error("a rack has two switches, and this one has {} and now {}", .have.join(", "), .more)]
    Switches {
        /// Those that have a number.
        have: Vec<String>,
        /// The one that is too many.
        more: String,
    },
    /// All numbers of sleds are given.
    #[error("the rack has no number left for the sled {0}")]
    Full(String),
    /// Two nodes have one identity.
    #[error("two nodes are called {identity}: {} and {}; give one another name by `--id`", .hardware[0], .hardware[1])]
    Name {
        /// The name.
        identity: String,
        /// The hardware addresses of the two.
        hardware: [MacAddr; 2],
    },
    /// A node's hardware address is another node's in the table.
    #[error(
        "{identity} has the hardware address {hardware}, which is {owner}'s in the rack's table"
    )]
    Hardware {
        /// The node.
        identity: String,
        /// Its address.
        hardware: MacAddr,
        /// Who has it in the table.
        owner: String,
    },
    /// A node does something else than it did.
    #[error("{identity} is a {is}, and a {was} in the rack's table")]
    Role {
        /// The node.
        identity: String,
        /// What it is.
        is: Role,
        /// What it was.
        was: Role,
    },
    /// A spine is of no rack.
    #[error("{0} is a spine, which is of no rack and has no /64")]
    Spine(String),
    /// A node that is to be replaced keeps no table.
    #[error("{identity} does not keep the rack's table: {} do", .keepers.join(", "))]
    NoKeeper {
        /// The node.
        identity: String,
        /// Those that do.
        keepers: Vec<String>,
    },
    /// A node that is to keep the table cannot.
    #[error("{identity} cannot keep the rack's table: {why}")]
    Successor {
        /// The node.
        identity: String,
        /// Why.
        why: &'static str,
    },
    /// The table contradicts itself.
    #[error("the table of the rack contradicts itself: {0}")]
    Broken(String),
}

impl Table {
    /// The first table of a rack: sleds from 01 and switches from fd, each in order of identity, and the first three of
    /// these, sleds first, as keepers. Assignments are signed where there is a key.
    ///
    /// # Errors
    /// Where there is nobody, too many, or two are called the same.
    pub fn first(
        rack: RackPrefix,
        members: &[Member],
        key: Option<&SecretKey>,
    ) -> Result<Self, TableError> {
        let mut table = Self {
            rack,
            version: 1,
            keepers: Vec::new(),
            assignments: Vec::new(),
        };
        let mut members: Vec<_> = members.iter().collect();
        members.sort_by_key(|member| (&member.identity, member.hardware));
        for pair in members.windows(2) {
            if pair[0].identity == pair[1].identity && pair[0] != pair[1] {
                return Err(TableError::Name {
                    identity: pair[0].identity.clone(),
                    hardware: [pair[0].hardware, pair[1].hardware],
                });
            }
        }
        for member in members {
            table.give(member, key)?;
        }
        let of = |role| {
            table
                .assignments
                .iter()
                .filter(move |given| given.role == role)
        };
        let order = of(Role::Sled).chain(of(Role::Switch));
        table.keepers = order
            .take(KEEPERS)
            .map(|given| given.identity.clone())
            .collect();
        if table.keepers.is_empty() {
            return Err(TableError::Nobody);
        }
        Ok(table)
    }

    /// What this node has.
    #[must_use]
    pub fn of(&self, identity: &str) -> Option<&Assignment> {
        let mut all = self.assignments.iter();
        all.find(|given| given.identity == identity)
    }

    /// The next version, in which the node has a /64: the one it had, else the lowest free one. Nothing where this
    /// version says so already.
    ///
    /// # Errors
    /// Where it can have none.
    pub fn with(
        &self,
        member: &Member,
        key: Option<&SecretKey>,
    ) -> Result<Option<Self>, TableError> {
        let mut next = self.clone();
        next.version = self.version.saturating_add(1);
        let changed = next.give(member, key)?;
        Ok(changed.then_some(next))
    }

    /// The next version, which `next` keeps in the place of `dead`. The keepers of this version choose it, as any other: it
    /// takes the majority of them, with or without the dead one.
    ///
    /// # Errors
    /// Where the one keeps no table, or the other has no /64 or keeps it already.
    pub fn replaced(&self, dead: &str, next: &str) -> Result<Self, TableError> {
        let at = self.keepers.iter().position(|keeper| keeper == dead);
        let at = at.ok_or_else(|| TableError::NoKeeper {
            identity: dead.to_owned(),
            keepers: self.keepers.clone(),
        })?;
        let not = |why| TableError::Successor {
            identity: next.to_owned(),
            why,
        };
        if self.of(next).is_none() {
            return Err(not("it has no /64 of the rack"));
        }
        if self.keepers.iter().any(|keeper| keeper == next) {
            return Err(not("it does already"));
        }
        let mut table = self.clone();
        table.version = self.version.saturating_add(1);
        next.clone_into(&mut table.keepers[at]);
        Ok(table)
    }

    /// Gives the node what it is to have; says whether anything changed.
    fn give(&mut self, member: &Member, key: Option<&SecretKey>) -> Result<bool, TableError> {
        let identity = &member.identity;
        let mut others = self.assignments.iter();
        let owner = others.find(|given| given.hardware == member.hardware);
        if let Some(owner) = owner.filter(|owner| &owner.identity != identity) {
            return Err(TableError::Hardware {
                identity: identity.clone(),
                hardware: member.hardware,
                owner: owner.identity.clone(),
            });
        }
        let prefix = match self.of(identity) {
            Some(given) if given.role != member.role => {
                return Err(TableError::Role {
                    identity: identity.clone(),
                    is: member.role,
                    was: given.role,
                });
            }
            Some(given) if given.hardware == member.hardware => return Ok(false),
            Some(given) => given.prefix,
            None => NodePrefix::new(self.rack, self.free(member)?),
        };
        let given = Assignment::unsigned(identity.clone(), member.hardware, member.role, prefix);
        let given = match key {
            Some(key) => given.sign(key),
            None => given,
        };
        self.assignments.retain(|other| other.prefix != prefix);
        self.assignments.push(given);
        self.assignments.sort_by_key(|given| given.prefix.node());
        Ok(true)
    }

    /// The lowest number that a node of this role can have.
    fn free(&self, member: &Member) -> Result<NodeNumber, TableError> {
        let taken = |number: &NodeNumber| {
            let mut all = self.assignments.iter();
            all.any(|given| given.prefix.node() == *number)
        };
        match member.role {
            Role::Sled => (NodeNumber::SLED_MIN..=NodeNumber::SLED_MAX)
                .filter_map(|number| NodeNumber::new(number).ok())
                .find(|number| !taken(number))
                .ok_or_else(|| TableError::Full(member.identity.clone())),
            Role::Switch => {
                let mut all = NodeNumber::SWITCHES.into_iter();
                all.find(|number| !taken(number))
                    .ok_or_else(|| TableError::Switches {
                        have: self.switches(),
                        more: member.identity.clone(),
                    })
            }
            Role::Spine => Err(TableError::Spine(member.identity.clone())),
        }
    }

    fn switches(&self) -> Vec<String> {
        let all = self.assignments.iter();
        let switches = all.filter(|given| given.role == Role::Switch);
        switches.map(|given| given.identity.clone()).collect()
    }

    /// The hardware addresses of the keepers.
    #[must_use]
    pub fn keepers(&self) -> Vec<MacAddr> {
        let all = self.keepers.iter();
        all.filter_map(|keeper| Some(self.of(keeper)?.hardware))
            .collect()
    }

    /// How many keepers choose the next version.
    #[must_use]
    pub fn majority(&self) -> usize {
        self.keepers.len() / 2 + 1
    }

    /// Refuses a table in which two have one /64, identity or hardware address, numbers do not fit roles, or somebody
    /// keeps it who is not in it: it came from elsewhere.
    ///
    /// # Errors
    /// Where it is so.
    pub fn check(&self) -> Result<(), TableError> {
        let broken = |what: String| Err(TableError::Broken(what));
        let (mut names, mut addresses, mut numbers) =
            (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for given in &self.assignments {
            if let Err(error) = given.check() {
                return broken(error.to_string());
            }
            let name = &given.identity;
            if given.prefix.rack() != self.rack {
                return broken(format!("{} of {name} is of another rack", given.prefix));
            }
            let twice = names
                .insert(name, name)
                .or(addresses.insert(given.hardware, name))
                .or(numbers.insert(given.prefix, name));
            if let Some(other) = twice {
                return broken(format!("{name} and {other} have one name, address or /64"));
            }
        }
        let keeping = self
            .keepers
            .iter()
            .find(|keeper| !names.contains_key(keeper));
        match keeping {
            Some(stranger) => broken(format!("{stranger} keeps it and is not in it")),
            None if self.keepers.is_empty() => broken("nobody keeps it".to_owned()),
            None if self.version == 0 => broken("it has no version".to_owned()),
            None => Ok(()),
        }
    }
}
