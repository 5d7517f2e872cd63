//! Changes of who holds an address.

use core::time::Duration;

use rackweave_engine::addr::Addr;
use rackweave_testkit::vpc::Scene;
use rackweave_types::Instant;
use rackweave_vpc::{KEEP, mapping_changes, mapping_table};

use crate::frames::{NOW, ip};

#[test]
fn a_moved_guests_old_host_counts_for_a_while() {
    let mut scene = Scene::new().unwrap();
    let old = scene.mappings.clone();
    let to = scene.sleds[0].sled;
    for entry in &mut scene.mappings.entries {
        if entry.mac == scene.web.mac {
            entry.sled = to;
        }
    }
    let changes = mapping_changes(&old, &scene.mappings, NOW, KEEP);
    assert_eq!(changes.len(), 2, "both addresses of web: {changes:?}");
    let table = mapping_table(&old).with(&changes);
    let found = table.lookup(Addr::from(ip("10.0.1.6"))).unwrap();
    assert_eq!(found.underlay, to.tunnel_endpoint());
    let previous = found.previous.unwrap();
    assert_eq!(previous.underlay, scene.sleds[1].sled.tunnel_endpoint());
    assert_eq!(previous.until, NOW.after(Duration::from_secs(5)));
    let untouched = table.lookup(Addr::from(ip("10.0.1.5"))).unwrap();
    assert_eq!(untouched.previous, None);
}

#[test]
fn who_is_gone_is_gone_and_who_is_new_has_no_past() {
    let scene = Scene::new().unwrap();
    let mut less = scene.mappings.clone();
    less.entries.retain(|entry| entry.mac != scene.db.mac);
    let gone = mapping_changes(&scene.mappings, &less, NOW, KEEP);
    assert!(gone.len() == 2 && gone.iter().all(|change| change.mapping.is_none()));
    let back = mapping_changes(&less, &scene.mappings, NOW, KEEP);
    assert!(
        back.iter()
            .all(|change| change.mapping.is_some_and(|found| found.previous.is_none()))
    );
    assert_eq!(mapping_changes(&less, &less, Instant::START, KEEP), []);
}

#[test]
fn a_new_nic_on_the_same_sled_is_no_move() {
    let scene = Scene::new().unwrap();
    let mut new = scene.mappings.clone();
    new.entries[0].mac = scene.db.mac;
    let changes = mapping_changes(&scene.mappings, &new, NOW, KEEP);
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].mapping.unwrap().previous, None);
}
