use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rackweave_trust::UnixTime;
use rackweave_types::{RackNumber, Role};

use super::show;
use super::*;

const TERM: Term = Term {
    now: UnixTime(1_750_000_000),
    days: 10,
};

fn rack() -> RackNumber {
    RackNumber::new(1).unwrap()
}

fn node(identity: &str, role: Role) -> NewNode {
    NewNode {
        identity: identity.to_owned(),
        hardware: "a8:40:25:10:00:01".parse().unwrap(),
        role,
        rack: (role != Role::Spine).then(rack),
    }
}

/// A tree with a rack, a sled and a spine.
fn tree(dir: &Path) -> Tree {
    let tree = Tree::new(&dir.join("keys"));
    let az = "fd00:1122:3344::/48".parse().unwrap();
    tree.make_az(az, TERM).unwrap();
    tree.make_rack(rack(), TERM).unwrap();
    tree.make_node(&node("sled-1", Role::Sled), TERM).unwrap();
    tree.make_node(&node("spine-1", Role::Spine), TERM).unwrap();
    tree
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_nodes_directory_is_all_that_it_needs() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    for (rack, identity) in [(Some(rack()), "sled-1"), (None, "spine-1")] {
        let keys = NodeKeys::read(&tree.node_dir(rack, identity)).unwrap();
        let proven = keys.anchor.verify(keys.credentials.chain(), TERM.now);
        assert_eq!(proven.unwrap().identity, identity);
    }
}

#[test]
fn private_keys_are_their_owners_alone() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    let node = tree.node_dir(Some(rack()), "sled-1");
    let key = node.join(NODE_KEY);
    for private in [
        &tree.dir().join(AZ_KEY),
        &tree.rack_dir(rack()).join(RACK_KEY),
        &key,
    ] {
        assert_eq!(mode(private), 0o600, "{}", private.display());
        assert_eq!(mode(private.parent().unwrap()), 0o700);
    }
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let error = NodeKeys::read(&node).unwrap_err();
    assert!(
        matches!(
            error,
            NodeKeysError::File(FileError::Open { mode: 0o640, .. })
        ),
        "{error:?}"
    );
}

#[test]
fn nothing_is_made_twice() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    let az = "fd00:1122:3344::/48".parse().unwrap();
    let key = fs::read(tree.dir().join(AZ_KEY)).unwrap();
    for again in [
        tree.make_az(az, TERM).map(drop),
        tree.make_rack(rack(), TERM).map(drop),
        tree.make_node(&node("sled-1", Role::Sled), TERM).map(drop),
    ] {
        let error = again.unwrap_err();
        assert!(
            matches!(error, TreeError::File(FileError::Exists(_))),
            "{error:?}"
        );
    }
    assert_eq!(fs::read(tree.dir().join(AZ_KEY)).unwrap(), key);
}

#[test]
fn a_node_gets_its_next_key_with_the_next_serial_number() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    let path = tree.node_dir(Some(rack()), "sled-1");
    let before = NodeKeys::read(&path).unwrap();
    // What a change left behind that did not end is no hindrance.
    fs::write(path.join("node.key.new"), "half").unwrap();
    tree.rotate(Some(rack()), "sled-1", TERM).unwrap();
    let after = NodeKeys::read(&path).unwrap();
    let [before, after] = [before, after].map(|keys| {
        let node = keys.credentials.chain().node.claims().clone();
        (node.serial, node.key)
    });
    assert_eq!((before.0, after.0), (1, 2));
    assert_ne!(before.1, after.1);
    assert!(tree.rotate(Some(rack()), "sled-9", TERM).is_err());
}

#[test]
fn keys_that_do_not_belong_together_are_no_nodes() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    let path = tree.node_dir(Some(rack()), "sled-1");
    let other = tree.node_dir(None, "spine-1").join(NODE_KEY);
    fs::copy(other, path.join(NODE_KEY)).unwrap();
    let error = NodeKeys::read(&path).unwrap_err();
    assert!(matches!(error, NodeKeysError::Pair { .. }), "{error:?}");
}

#[test]
fn roles_fit_racks_and_names_fit_paths() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    let mut lost = node("spine-2", Role::Spine);
    lost.rack = Some(rack());
    let error = tree.make_node(&lost, TERM).unwrap_err();
    assert_eq!(error.to_string(), "a spine is of no rack: leave out --rack");
    lost.role = Role::Switch;
    lost.rack = None;
    let error = tree.make_node(&lost, TERM).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a switch is of a rack: say which by --rack"
    );
    let strange = node("../Slot 3/CN1", Role::Sled);
    tree.make_node(&strange, TERM).unwrap();
    let path = tree.node_dir(Some(rack()), "../Slot 3/CN1");
    assert!(
        path.ends_with("nodes/%2e.%2fSlot%203%2fCN1"),
        "{}",
        path.display()
    );
    assert!(NodeKeys::read(&path).is_ok());
    let error = tree.make_node(&node("", Role::Sled), TERM).unwrap_err();
    assert!(matches!(error, TreeError::Identity { .. }), "{error:?}");
}

#[test]
fn the_tree_is_shown_with_what_is_wrong_and_without_secrets() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    let shown = show::read(&tree, TERM.now).unwrap();
    let text = show::render(&shown, false);
    let lines: Vec<_> = text
        .lines()
        .map(|line| line.split("  ").next().unwrap())
        .collect();
    assert_eq!(lines[..2], ["WHO", "az fd00:1122:3344::/48"], "{text}");
    assert!(
        text.contains("\n  spine-1 ") && text.contains("\n    sled-1 "),
        "{text}"
    );
    assert!(text.contains("\n  rack fd00:1122:3344:100::/56 "), "{text}");
    assert_eq!(text.matches("good").count(), 4, "{text}");
    let late = show::read(&tree, TERM.now.after_days(11)).unwrap();
    let text = show::render(&late, false);
    assert_eq!(
        text.matches("expired at 2025-06-25T15:06:40Z").count(),
        4,
        "{text}"
    );
    let json = serde_json::to_string(&shown).unwrap() + &format!("{tree:?}");
    for path in [
        tree.dir().join(AZ_KEY),
        tree.rack_dir(rack()).join(RACK_KEY),
    ] {
        let pem = fs::read_to_string(path).unwrap();
        let secret = pem.lines().nth(1).unwrap();
        assert!(!json.contains(secret) && !text.contains(secret));
    }
}
