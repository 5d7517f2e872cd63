//! An AZ that grows by requests, planned after each.

use std::collections::BTreeSet;

use rackweave_control::model::{
    AzSpec, BoundaryGroupSpec, FirewallRuleSpec, InstanceSpec, IpPoolSpec, Object, PeeringSpec,
    PoolLinkSpec, ProjectSpec, RuleFilters, RuleTarget, SledSpec, Spec, SubnetSpec, VpcSpec,
};
use rackweave_control::{
    Decision, Draw, Id, Intent, Key, Kind, Name, Plan, PlanDelta, Refusal, Request, decide,
};
use rackweave_types::state::{FirewallAction, HostState};
use rackweave_types::{Direction, NodePrefix};
use serde_json::json;

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn prefix(rack: u8, node: u8) -> NodePrefix {
    format!("fd00:1122:3344:{rack:x}{node:02x}::/64")
        .parse()
        .unwrap()
}

/// A spec, as users write it.
pub(crate) fn spec(kind: Kind, json: serde_json::Value) -> Spec {
    Spec::read(kind, json).unwrap()
}

/// What was asked for, and the plan that goes along with it.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) intent: Intent,
    pub(crate) plan: Plan,
    drawn: u8,
    round: u8,
}

impl World {
    pub(crate) fn empty() -> Self {
        let intent = Intent::default();
        Self {
            plan: Plan::new(&intent),
            intent,
            drawn: 0,
            round: 0,
        }
    }

    /// An AZ of four sleds, with a pool and a project that may use it.
    pub(crate) fn new() -> Self {
        let mut world = Self::empty();
        let az = AzSpec {
            groups: vec![BoundaryGroupSpec {
                index: 0,
                pools: Vec::new(),
            }],
            ..match spec(Kind::Az, json!({"prefix": "fd00:1122:3344::/48"})) {
                Spec::Az(az) => az,
                other => panic!("{other:?}"),
            }
        };
        world.create(None, "az", Spec::Az(az));
        world.create(
            None,
            "system",
            pool(&["192.0.2.0/28"], &["192.0.2.0/28"], true),
        );
        world.create(
            None,
            "world",
            pool(&["203.0.113.0/24"], &["203.0.113.0/30"], false),
        );
        for node in 1..=4 {
            world.create(None, &format!("sled-{node}"), sled(1, node));
        }
        for (node, group) in [("fd", json!(0)), ("fe", json!(null))] {
            let prefix = format!("fd00:1122:3344:1{node}::/64");
            let switch = json!({"prefix": prefix, "group": group, "asn": 65000});
            let switch = world.create(None, &format!("switch-{node}"), spec(Kind::Switch, switch));
            let uplink = json!({"interface": "up0", "addresses": ["192.0.2.65/31"]});
            world.create(Some(switch), "up", spec(Kind::Uplink, uplink));
            let peer = json!({"uplink": "up", "asn": 65001});
            world.create(Some(switch), "customer", spec(Kind::BgpPeer, peer));
        }
        let project = world.create(None, "shop", Spec::Project(ProjectSpec::default()));
        let link = Spec::PoolLink(PoolLinkSpec { default: true });
        world.create(Some(project), "world", link);
        world
    }

    /// An AZ with a VPC of one subnet, 10.0.1.0/24.
    pub(crate) fn with_vpc() -> (Self, Id) {
        let mut world = Self::new();
        let vpc = world.vpc("shop", "front", "10.0.0.0/16");
        world.subnet(vpc, "web", "10.0.1.0/24");
        (world, vpc)
    }

    fn draw(&mut self) -> Draw {
        self.drawn = self.drawn.wrapping_add(1);
        self.round = self.round.wrapping_add(u8::from(self.drawn == 0));
        let mut octets = [self.drawn; 32];
        octets[0] = self.round;
        Draw::new(octets)
    }

    /// Asks, commits what follows and plans it.
    pub(crate) fn ask(&mut self, request: &Request) -> Result<(Decision, PlanDelta), Refusal> {
        let draw = self.draw();
        let decision = decide(&self.intent, request, draw)?;
        let delta = self.plan.commit(&mut self.intent, &decision.commit);
        Ok((decision, delta))
    }

    pub(crate) fn try_create(
        &mut self,
        parent: Option<Id>,
        name: &str,
        spec: Spec,
    ) -> Result<Id, Refusal> {
        let request = Request::Create {
            parent,
            name: self::name(name),
            description: String::new(),
            spec,
        };
        self.ask(&request).map(|(decision, _)| decision.subject.id)
    }

    pub(crate) fn create(&mut self, parent: Option<Id>, name: &str, spec: Spec) -> Id {
        self.try_create(parent, name, spec).unwrap()
    }

    pub(crate) fn try_update(&mut self, key: Key, spec: Spec) -> Result<PlanDelta, Refusal> {
        let request = Request::Update {
            key,
            if_match: None,
            description: None,
            spec,
        };
        self.ask(&request).map(|(_, delta)| delta)
    }

    pub(crate) fn try_delete(&mut self, key: Key) -> Result<PlanDelta, Refusal> {
        let request = Request::Delete {
            key,
            if_match: None,
        };
        self.ask(&request).map(|(_, delta)| delta)
    }

    pub(crate) fn find(&self, kind: Kind, parent: Option<Id>, name: &str) -> Id {
        let object = self.intent.find(kind, parent, &self::name(name));
        object.unwrap().meta().id
    }

    pub(crate) fn project(&self, name: &str) -> Id {
        self.find(Kind::Project, None, name)
    }

    pub(crate) fn vpc(&mut self, project: &str, name: &str, ipv4: &str) -> Id {
        let project = self.project(project);
        let spec = Spec::Vpc(VpcSpec {
            ipv4: vec![ipv4.parse().unwrap()],
            ..VpcSpec::default()
        });
        self.create(Some(project), name, spec)
    }

    pub(crate) fn subnet(&mut self, vpc: Id, name: &str, ipv4: &str) -> Id {
        let spec = Spec::Subnet(SubnetSpec {
            ipv4: Some(ipv4.parse().unwrap()),
            ..SubnetSpec::default()
        });
        self.create(Some(vpc), name, spec)
    }

    /// An instance on a sled, with tags and no NIC.
    pub(crate) fn instance(&mut self, project: &str, name: &str, sled: u8, tags: &[&str]) -> Id {
        let project = self.project(project);
        let spec = Spec::Instance(InstanceSpec {
            sled: Some(self::name(&format!("sled-{sled}"))),
            tags: tags.iter().map(|tag| self::name(tag)).collect(),
            ..InstanceSpec::default()
        });
        self.create(Some(project), name, spec)
    }

    /// A NIC of an instance.
    pub(crate) fn nic(&mut self, instance: Id, name: &str, vpc: &str, subnet: &str) -> Id {
        self.create(Some(instance), name, nic(vpc, subnet))
    }

    /// An instance on a sled with a NIC in subnet `web` of VPC `front`.
    pub(crate) fn guest(&mut self, name: &str, sled: u8, tags: &[&str]) -> Id {
        let instance = self.instance("shop", name, sled, tags);
        self.nic(instance, "eth0", "front", "web")
    }

    pub(crate) fn rule(&mut self, vpc: Id, name: &str, rule: FirewallRuleSpec) -> Id {
        self.create(Some(vpc), name, Spec::FirewallRule(rule))
    }

    /// Joins two VPCs of project `shop`.
    pub(crate) fn join(&mut self, one: (Id, &str), other: (Id, &str)) -> Result<Id, Refusal> {
        let wish = |name: &str| {
            Spec::Peering(PeeringSpec {
                project: None,
                vpc: self::name(name),
            })
        };
        self.create(Some(one.0), "peer", wish(other.1));
        self.try_create(Some(other.0), "peer", wish(one.1))
    }

    pub(crate) fn host(&self, node: u8) -> HostState {
        self.plan.host(prefix(1, node)).unwrap()
    }

    pub(crate) fn object(&self, kind: Kind, id: Id) -> &Object {
        self.intent.get(Key::new(kind, id)).unwrap()
    }

    /// A plan of the whole gives the same, and what is kept gives the same snapshot.
    pub(crate) fn check(&self) {
        let objects = self.intent.objects().map(|object| {
            let kept = Object::decode(object.kind(), &object.encode()).unwrap();
            assert_eq!(&kept, object);
            kept
        });
        let intent = Intent::load(self.intent.head(), objects);
        let whole = Plan::new(&intent);
        for sled in whole.sleds() {
            let (new, old) = (whole.host(sled), self.plan.host(sled));
            let text = |state| serde_json::to_string_pretty(&state).unwrap();
            assert_eq!(text(old), text(new.clone()), "{sled}");
            assert_eq!(whole.digest(sled), new.as_ref().map(HostState::digest));
            runs(&new.unwrap());
        }
        for switch in whole.switches() {
            let (new, old) = (whole.switch(switch), self.plan.switch(switch));
            assert_eq!(old, new, "{switch}");
            assert_eq!(whole.digest(switch), new.map(|state| state.digest()));
        }
        assert_eq!(self.plan, whole);
    }
}

/// A sled can run it: every port's program is made, and nothing is named twice.
fn runs(state: &HostState) {
    let vpc = |vni| state.vpcs.iter().find(|vpc| vpc.vni == vni).unwrap();
    let mut macs = BTreeSet::new();
    for port in &state.ports {
        let made = rackweave_vpc::program(port, vpc(port.vni), &state.boundary, &state.underlay);
        let tables = made
            .unwrap_or_else(|error| panic!("{error}: {port:?}"))
            .tables;
        for vni in tables.into_iter().filter(|vni| !vni.is_system()) {
            assert!(
                state.mappings.iter().any(|table| table.vni == vni),
                "no table {vni}"
            );
        }
        assert!(macs.insert(port.mac), "{} twice", port.mac);
    }
}

pub(crate) fn sled(rack: u8, node: u8) -> Spec {
    Spec::Sled(SledSpec {
        prefix: prefix(rack, node),
        in_use: rackweave_control::model::SledUse::InService,
        capacity: 16,
        src_mac: "a8:40:25:00:00:01".parse().unwrap(),
        dst_mac: "a8:40:25:00:00:02".parse().unwrap(),
        api: false,
    })
}

pub(crate) fn pool(blocks: &[&str], nat: &[&str], system: bool) -> Spec {
    let nets = |nets: &[&str]| nets.iter().map(|net| net.parse().unwrap()).collect();
    Spec::IpPool(IpPoolSpec {
        blocks: nets(blocks),
        nat: nets(nat),
        nat_ports: 1024,
        system,
    })
}

pub(crate) fn nic(vpc: &str, subnet: &str) -> Spec {
    spec(Kind::Nic, json!({"vpc": vpc, "subnet": subnet}))
}

/// A rule that allows something in.
pub(crate) fn allow(targets: Vec<RuleTarget>, filters: RuleFilters) -> FirewallRuleSpec {
    FirewallRuleSpec {
        enabled: true,
        priority: 100,
        direction: Direction::In,
        action: FirewallAction::Allow,
        targets,
        filters,
    }
}
