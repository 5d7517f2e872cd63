//! A large AZ as users and operators would have asked for it, one request at a time.
//!
//! Sleds in racks of 250, projects of four VPCs, a hundred NICs in each VPC on as many sleds, a share of an
//! external address for each; and one VPC of a thousand NICs on a thousand sleds.

use std::time::Duration;

use anyhow::{Context, Result};
use rackweave_control::model::Spec;
use rackweave_control::{Commit, Draw, Id, Intent, Kind, Name, Plan, PlanDelta, Request, decide};
use serde_json::{Value, json};

use crate::clock;

/// The AZ's prefix.
pub(super) const AZ: &str = "fd00:1122:3344::/48";
/// Sleds in a rack.
const RACK: u32 = 250;
/// VPCs of a project.
const VPCS: u32 = 4;
/// NICs in a VPC.
const NICS: u32 = 100;
/// NICs in the one large VPC.
const LARGE: u32 = 1000;

/// An AZ and its plan.
#[derive(Debug)]
pub struct Fleet {
    intent: Intent,
    plan: Plan,
    sleds: u32,
    drawn: u64,
}

impl Fleet {
    /// An AZ of so many sleds and VPCs, asked for and not yet planned.
    ///
    /// # Errors
    /// Where a request is refused, which none should be.
    pub fn new(sleds: u32, vpcs: u32) -> Result<Self> {
        let mut fleet = Self {
            intent: Intent::default(),
            plan: Plan::default(),
            sleds,
            drawn: 0,
        };
        fleet.operators()?;
        for project in 0..vpcs / VPCS {
            let project = fleet.project(&format!("p{project}"))?;
            for vpc in 0..VPCS {
                fleet.vpc(project, vpc, NICS)?;
            }
        }
        let large = fleet.project("large")?;
        fleet.vpc(large, 0, LARGE.min(sleds))?;
        Ok(fleet)
    }

    /// How many NICs there are.
    #[must_use]
    pub fn nics(&self) -> usize {
        let objects = self.intent.objects();
        objects.filter(|object| object.kind() == Kind::Nic).count()
    }

    /// Plans everything.
    pub fn plan(&mut self) -> Duration {
        clock::time(|| self.plan = Plan::new(&self.intent))
    }

    /// Adds a NIC in a VPC of a hundred, and writes what each sled is told.
    ///
    /// # Errors
    /// Where the request is refused.
    pub fn add_port(&mut self, number: u32) -> Result<Duration> {
        let project = self.intent.find(Kind::Project, None, &name("p0")?);
        let project = project.context("no project p0")?.meta().id;
        let sled = format!("s{}", number % self.sleds);
        let new = format!("new{number}");
        let instance = self.create(Some(project), &new, Kind::Instance, json!({"sled": sled}))?;
        let nic = json!({"vpc": "v0", "subnet": "main"});
        self.measure(Some(instance), "eth0", Kind::Nic, nic)
    }

    /// Adds a firewall rule for a tag that all of the large VPC have, and writes what each sled is told.
    ///
    /// # Errors
    /// Where the request is refused.
    pub fn add_rule(&mut self, number: u32) -> Result<Duration> {
        let project = self.intent.find(Kind::Project, None, &name("large")?);
        let project = project.map(|project| project.meta().id);
        let vpc = self.intent.find(Kind::Vpc, project, &name("v0")?);
        let vpc = vpc.context("no large vpc")?.meta().id;
        let rule = json!({
            "priority": 100, "direction": "in", "action": "allow",
            "targets": [{"tag": "all"}, {"tag": format!("t{number}")}],
            "filters": {"protocols": ["tcp"], "ports": [[80, 80]]},
        });
        let rule_name = format!("rule{number}");
        self.measure(Some(vpc), &rule_name, Kind::FirewallRule, rule)
    }

    fn operators(&mut self) -> Result<()> {
        let az = json!({"prefix": AZ, "groups": [{"index": 0}]});
        self.create(None, "az", Kind::Az, az)?;
        let system = json!({
            "blocks": ["198.51.0.0/16"], "nat": ["198.51.0.0/16"], "system": true,
        });
        self.create(None, "system", Kind::IpPool, system)?;
        let world = json!({"blocks": ["203.0.0.0/16"], "nat": ["203.0.0.0/17"]});
        self.create(None, "world", Kind::IpPool, world)?;
        for number in 0..self.sleds {
            self.create(None, &format!("s{number}"), Kind::Sled, sled(number))?;
        }
        Ok(())
    }

    fn project(&mut self, project: &str) -> Result<Id> {
        let id = self.create(None, project, Kind::Project, json!({}))?;
        self.create(Some(id), "world", Kind::PoolLink, json!({"default": true}))?;
        Ok(id)
    }

    fn vpc(&mut self, project: Id, number: u32, nics: u32) -> Result<()> {
        let vpc_name = format!("v{number}");
        let blocks = json!({"ipv4": ["10.0.0.0/16"]});
        let vpc = self.create(Some(project), &vpc_name, Kind::Vpc, blocks)?;
        let subnet = json!({"ipv4": "10.0.0.0/20"});
        self.create(Some(vpc), "main", Kind::Subnet, subnet)?;
        for nic in 0..nics {
            self.drawn += 1;
            let sled = self.drawn * 7919 % u64::from(self.sleds);
            let asked = json!({"sled": format!("s{sled}"), "tags": ["all"]});
            let instance = format!("i{number}-{nic}");
            let instance = self.create(Some(project), &instance, Kind::Instance, asked)?;
            let asked = json!({"vpc": vpc_name, "subnet": "main"});
            self.create(Some(instance), "eth0", Kind::Nic, asked)?;
        }
        Ok(())
    }

    fn decide(
        &mut self,
        parent: Option<Id>,
        of: &str,
        kind: Kind,
        spec: Value,
    ) -> Result<(Id, Commit)> {
        let request = Request::Create {
            parent,
            name: name(of)?,
            description: String::new(),
            spec: Spec::read(kind, spec)?,
        };
        self.drawn += 1;
        let mut octets = [0; 32];
        octets[..8].copy_from_slice(&self.drawn.to_be_bytes());
        let decision = decide(&self.intent, &request, Draw::new(octets));
        let decision = decision.with_context(|| format!("{kind} {of}"))?;
        Ok((decision.subject.id, decision.commit))
    }

    /// An object more. What is not planned yet is not planned here either.
    fn create(&mut self, parent: Option<Id>, of: &str, kind: Kind, spec: Value) -> Result<Id> {
        let (id, commit) = self.decide(parent, of, kind, spec)?;
        if self.plan.head() == self.intent.head() && kind == Kind::Instance {
            self.plan.commit(&mut self.intent, &commit);
        } else {
            self.intent.apply(&commit);
        }
        Ok(id)
    }

    /// An object more: the time to plan it, and to write what each sled is told.
    fn measure(
        &mut self,
        parent: Option<Id>,
        of: &str,
        kind: Kind,
        spec: Value,
    ) -> Result<Duration> {
        let (_, commit) = self.decide(parent, of, kind, spec)?;
        let mut delta = PlanDelta::default();
        let mut octets = 0;
        let took = clock::time(|| {
            delta = self.plan.commit(&mut self.intent, &commit);
            octets = delta.nodes.values().map(|node| node.encode().len()).sum();
        });
        anyhow::ensure!(octets > 0, "no sled was told of {kind} {of}");
        Ok(took)
    }
}

/// The prefix of a sled: each rack is full before the next one begins.
pub(super) fn prefix(number: u32) -> String {
    let (rack, node) = (1 + number / RACK, 1 + number % RACK);
    format!("fd00:1122:3344:{rack:x}{node:02x}::/64")
}

/// A sled as operators describe it.
pub(super) fn sled(number: u32) -> Value {
    json!({
        "prefix": prefix(number),
        "src_mac": "a8:40:25:00:00:01", "dst_mac": "a8:40:25:00:00:02",
    })
}

fn name(text: &str) -> Result<Name> {
    Ok(text.parse()?)
}
