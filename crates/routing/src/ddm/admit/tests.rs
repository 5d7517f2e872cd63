use std::time::Duration;

use rackweave_trust::Assignment;
use rackweave_types::MacAddr;

use super::*;
use crate::ddm::item::{Cost, Members, RouteKey};

const OWN: NodeId = id(0xee);

const fn id(last: u8) -> NodeId {
    NodeId(MacAddr::new([2, 0, 0, 0, 0, last]))
}

fn own(role: Role) -> End {
    let rack: RackPrefix = "fd00:1122:3344:100::/56".parse().unwrap();
    End {
        role,
        rack: Some(rack).filter(|_| role != Role::Spine),
        az: Some(rack.az()),
    }
}

/// The neighbour: node 2 of the rack's octet `rack`, with an assignment where it is a sled.
fn peer(role: Role, rack: u8) -> Peer {
    let rack: RackPrefix = format!("fd00:1122:3344:{rack:x}00::/56").parse().unwrap();
    let assignment = Assignment {
        identity: "b".to_owned(),
        hardware: id(2).0,
        role,
        prefix: NodePrefix::new(rack, rackweave_types::NodeNumber::new(2).unwrap()),
        signature: Vec::new(),
    };
    let rack = Some(rack).filter(|_| role != Role::Spine);
    Peer {
        instance: 1,
        id: id(2),
        name: "b".to_owned(),
        role,
        rack,
        az: rack.map(RackPrefix::az),
        assignment: Some(assignment).filter(|_| role == Role::Sled),
        unassigned: None,
        hold: Duration::from_secs(3),
        proven: true,
        certificate: Some(1),
    }
}

/// An announcement of the neighbour, of what passed these nodes before.
fn said(prefix: &str, before: &[u8], origin: u8) -> Announcement {
    let prefix = prefix.parse().unwrap();
    let scope = scope_of(prefix).unwrap_or(Scope::Service);
    Announcement {
        key: RouteKey {
            prefix,
            origin: id(origin),
        },
        scope,
        path: before.iter().chain(&[2]).map(|last| id(*last)).collect(),
        cost: Cost(0),
        members: (scope == Scope::Summary).then(Members::default),
    }
}

fn on(role: Role, peer: &Peer, said: &Announcement) -> Result<(), Refusal> {
    admit((&own(role), OWN), peer, said)
}

#[test]
fn a_sled_says_what_is_its_own() {
    let sled = peer(Role::Sled, 1);
    let ask = |prefix: &str| on(Role::Switch, &sled, &said(prefix, &[], 2));
    assert_eq!(ask("fdb0:200:0:2::/64"), Ok(()));
    assert_eq!(ask("fd00:1122:3344:102::/64"), Ok(()));
    assert_eq!(ask("fd00:1122:3344:ff00::/64"), Ok(()));
    assert_eq!(ask("fd00:1122:3344:ff80::/64"), Ok(()));
    assert_eq!(ask("::/0"), Err(Refusal::Default));
    assert_eq!(ask("fdb0:200:0:3::/64"), Err(Refusal::OthersBootstrap));
    let own = sled.assignment.as_ref().map(|a| a.prefix);
    let others = Err(Refusal::NotItsOwn(own));
    assert_eq!(ask("fd00:1122:3344:103::/64"), others);
    assert_eq!(ask("fd00:1122:3344:202::/64"), others);
    assert_eq!(ask("fd00:1122:3344:100::/56"), Err(Refusal::Role));
    assert_eq!(ask("fd00:1122:3344:200::/56"), Err(Refusal::Role));
    assert_eq!(ask("fd00:1122:3344::/48"), Err(Refusal::Role));
    assert_eq!(ask("fd00:5566:7788:ff00::/64"), Err(Refusal::OtherAz));
    let boundary = Err(Refusal::Service(ServiceRole::BoundaryGroup));
    assert_eq!(ask("fd00:1122:3344:ff10::/64"), boundary);
    assert_eq!(ask("2001:db8::/64"), Err(Refusal::NotOfThePlan));
    assert_eq!(ask("fd00:1122:3344:102::/65"), Err(Refusal::NotOfThePlan));
    let passed = said("fd00:1122:3344:102::/64", &[3], 3);
    assert_eq!(on(Role::Switch, &sled, &passed), Err(Refusal::Passed));
}

#[test]
fn a_sled_without_an_assignment_says_any_where_nothing_is_proven() {
    let mut sled = peer(Role::Sled, 1);
    sled.assignment = None;
    let its = said("fd00:1122:3344:109::/64", &[], 2);
    assert_eq!(on(Role::Switch, &sled, &its), Err(Refusal::NotItsOwn(None)));
    sled.proven = false;
    assert_eq!(on(Role::Switch, &sled, &its), Ok(()));
    let others = said("fd00:1122:3344:209::/64", &[], 2);
    let rack = own(Role::Switch).rack;
    assert_eq!(
        on(Role::Switch, &sled, &others),
        Err(Refusal::NotItsRack(rack))
    );
    let switch = said("fd00:1122:3344:1fd::/64", &[], 2);
    assert_eq!(
        on(Role::Switch, &sled, &switch),
        Err(Refusal::NotItsOwn(None))
    );
}

#[test]
fn a_switch_tells_its_sleds_as_their_origin() {
    let switch = peer(Role::Switch, 1);
    let ask = |prefix: &str| on(Role::Sled, &switch, &said(prefix, &[7, 8], 2));
    assert_eq!(ask("fdb0:200:0:3::/64"), Ok(()));
    assert_eq!(ask("fd00:1122:3344:103::/64"), Ok(()));
    assert_eq!(ask("fd00:1122:3344:200::/56"), Ok(()));
    assert_eq!(ask("fd00:1122:3344:ff10::/64"), Ok(()));
    assert_eq!(ask("fd00:5566:7788::/48"), Ok(()));
    assert_eq!(ask("::/0"), Err(Refusal::Default));
    assert_eq!(ask("fdb0:200:0:ee::/64"), Err(Refusal::Ours));
    assert_eq!(ask("fd00:1122:3344:100::/56"), Err(Refusal::Ours));
    assert_eq!(ask("fd00:1122:3344::/48"), Err(Refusal::OtherAz));
    let rack = own(Role::Sled).rack;
    assert_eq!(
        ask("fd00:1122:3344:203::/64"),
        Err(Refusal::NotItsRack(rack))
    );
    let other_origin = said("fd00:1122:3344:103::/64", &[7], 7);
    assert!(matches!(
        on(Role::Sled, &switch, &other_origin),
        Err(Refusal::Malformed(_))
    ));
}

#[test]
fn between_switches_each_speaks_for_its_own_rack_and_passes_on() {
    for own in [Role::Switch, Role::Spine] {
        let switch = peer(Role::Switch, 2);
        let ask = |prefix: &str, before: &[u8]| {
            let origin = before.first().copied().unwrap_or(2);
            on(own, &switch, &said(prefix, before, origin))
        };
        assert_eq!(ask("fd00:1122:3344:200::/56", &[]), Ok(()));
        assert_eq!(ask("fd00:1122:3344:300::/56", &[3]), Ok(()));
        let its = Err(Refusal::NotItsRack(switch.rack));
        assert_eq!(ask("fd00:1122:3344:300::/56", &[]), its);
        // The own rack's, as origin from another rack's switch.
        assert_eq!(ask("fd00:1122:3344:100::/56", &[]), its);
        assert_eq!(ask("fd00:1122:3344:100::/56", &[9]), Ok(()));
        assert_eq!(ask("fd00:1122:3344:203::/64", &[3]), Err(Refusal::Role));
        assert_eq!(ask("fdb0:200:0:2::/64", &[]), Err(Refusal::Role));
        assert_eq!(ask("::/0", &[]), Err(Refusal::Default));
        assert_eq!(ask("fd00:1122:3344:ff10::/64", &[]), Ok(()));
        assert_eq!(ask("fd00:1122:3344:ff00::/64", &[3]), Ok(()));
        let controller = Err(Refusal::Service(ServiceRole::Controller));
        assert_eq!(ask("fd00:1122:3344:ff00::/64", &[]), controller);
        assert_eq!(ask("fd00:5566:7788:100::/56", &[3]), Err(Refusal::OtherAz));
        assert_eq!(ask("fd00:5566:7788::/48", &[3]), Ok(()));
        assert_eq!(ask("fd00:5566:7788::/48", &[]), Err(Refusal::OtherAz));
        assert_eq!(ask("fd00:1122:3344::/48", &[3]), Err(Refusal::OtherAz));
        assert_eq!(ask("fd00:1122:3344:200::/56", &[0xee]), Err(Refusal::Loop));
    }
    let spine = peer(Role::Spine, 2);
    let its = said("fd00:1122:3344:200::/56", &[], 2);
    assert_eq!(
        on(Role::Switch, &spine, &its),
        Err(Refusal::NotItsRack(None))
    );
}

#[test]
fn nonsense_is_refused_by_its_name() {
    let switch = peer(Role::Switch, 2);
    let good = said("fd00:1122:3344:200::/56", &[], 2);
    let refused = |change: fn(&mut Announcement)| {
        let mut said = good.clone();
        change(&mut said);
        on(Role::Switch, &switch, &said).unwrap_err().to_string()
    };
    assert!(refused(|said| said.path.clear()).contains("empty"));
    assert!(refused(|said| said.path.push(id(9))).contains("who sent it"));
    assert!(refused(|said| said.path = vec![id(2), id(3), id(2)]).contains("twice"));
    assert!(refused(|said| said.path = [id(3), id(2)].to_vec()).contains("its origin"));
    assert!(refused(|said| said.members = None).contains("names the nodes"));
    assert!(refused(|said| said.scope = Scope::Service).contains("such a scope"));
    assert!(refused(|said| said.path = vec![id(2); MAX_PATH + 1]).contains("too long"));
}

#[test]
fn sleds_tell_sleds_nothing() {
    let sled = peer(Role::Sled, 1);
    let its = said("fd00:1122:3344:102::/64", &[], 2);
    assert_eq!(on(Role::Sled, &sled, &its), Err(Refusal::Role));
    assert_eq!(on(Role::Spine, &sled, &its), Err(Refusal::Role));
    assert_eq!(
        on(Role::Sled, &peer(Role::Spine, 1), &its),
        Err(Refusal::Role)
    );
}
