//! Backups: written, read, refused, restored.

use rackweave_store::{Commit, EmbeddedOptions, Key, Store};

use super::restore::RestoreError;
use super::*;

const AZ: &str = r#"{"version":1,"meta":{"id":"0000000000000001","name":"az","generation":1},"spec":{"prefix":"fd00:1:2::/48"},"given":{}}"#;
const RACK: &str = r#"{"version":1,"meta":{"id":"0000000000000002","name":"r1","generation":2},"spec":{"number":"01"},"given":{}}"#;
const UPLINK: &str = r#"{"version":1,"meta":{"id":"0000000000000003","parent":"0000000000000009","name":"up","generation":2},"spec":{"interface":"up0"},"given":{}}"#;

fn store() -> Store {
    Store::in_memory(EmbeddedOptions::default()).unwrap()
}

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

async fn filled(entries: &[(&str, &str)]) -> Store {
    let store = store();
    let commit = entries.iter().fold(Commit::new(), |commit, (key, value)| {
        commit.put(self::key(key), value.as_bytes().to_vec())
    });
    store.commit(commit).await.unwrap();
    store
}

const ENTRIES: [(&str, &str); 3] = [
    ("intent/az/0000000000000001", AZ),
    ("intent/head", r#"{"version":1,"revision":2}"#),
    ("intent/rack/0000000000000002", RACK),
];

async fn file(store: &Store) -> String {
    let (mut writer, mut text) = Writer::begin(5, Generation::new(2)).unwrap();
    for prefix in PREFIXES {
        for entry in store.list(prefix, None).await.unwrap().entries {
            text.extend(writer.entry(&entry).unwrap());
        }
    }
    text.extend(writer.end().unwrap());
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn what_is_backed_up_is_restored() {
    let text = file(&filled(&ENTRIES).await).await;
    let backup = Backup::read(text.as_bytes()).unwrap();
    assert_eq!((backup.objects(), backup.made_ms), (2, 5));
    let fresh = store();
    let head = restore(&fresh, &backup, Replace::Nothing).await.unwrap();
    assert_eq!(head, Generation::new(2 + AHEAD));
    let stored = fresh.list("", None).await.unwrap().entries;
    let keys: Vec<_> = stored.iter().map(|entry| entry.key.as_str()).collect();
    assert_eq!(keys, ENTRIES.map(|(key, _)| key));
    let objects = stored
        .iter()
        .filter(|entry| entry.key.as_str() != ENTRIES[1].0);
    for (entry, expected) in objects.zip([AZ, RACK]) {
        let read = |text: &[u8]| serde_json::from_slice::<Value>(text).unwrap();
        assert_eq!(read(&entry.value), read(expected.as_bytes()));
    }
}

#[tokio::test]
async fn what_is_stored_is_not_lost_by_mistake() {
    let text = file(&filled(&ENTRIES).await).await;
    let backup = Backup::read(text.as_bytes()).unwrap();
    let other = filled(&[
        ("intent/az/0000000000000007", AZ),
        ("intent/head", r#"{"version":1,"revision":9}"#),
        ("audit/1", "{}"),
    ])
    .await;
    let refused = restore(&other, &backup, Replace::Nothing).await;
    assert!(matches!(refused, Err(RestoreError::NotEmpty(2))));
    let head = restore(&other, &backup, Replace::Everything).await.unwrap();
    assert_eq!(head, Generation::new(9 + AHEAD));
    assert_eq!(other.list("intent/", None).await.unwrap().entries.len(), 3);
    assert_eq!(other.list("audit/", None).await.unwrap().entries.len(), 1);
    // One that was broken off is done again without more ado.
    let broken = filled(&[(UNFINISHED, "{}"), ("intent/az/0000000000000007", AZ)]).await;
    restore(&broken, &backup, Replace::Nothing).await.unwrap();
    assert_eq!(broken.get(&key(UNFINISHED), None).await.unwrap(), None);
    // Somebody is at work.
    let now = clock_ms();
    let alive = format!(r#"{{"version":1,"program":"x","at_ms":{now}}}"#);
    let served = filled(&[("live/controller/1", &alive)]).await;
    let refused = restore(&served, &backup, Replace::Everything).await;
    assert!(matches!(refused, Err(RestoreError::Served)));
}

fn clock_ms() -> u64 {
    rackweave_linux::clock::unix_millis()
}

#[tokio::test]
async fn a_file_that_is_not_whole_is_refused() {
    let text = file(&filled(&ENTRIES).await).await;
    let told = |text: &str| Backup::read(text.as_bytes()).unwrap_err().to_string();
    assert_eq!(told(""), "it is no backup of a controller");
    assert_eq!(told("{}\n"), "it is no backup of a controller");
    let newer = text.replacen(r#""version":1"#, r#""version":3"#, 1);
    assert!(told(&newer).contains("has version 3"), "{}", told(&newer));
    for cut in 0..text.len() - 2 {
        assert!(Backup::read(&text.as_bytes()[..cut]).is_err(), "{cut}");
    }
    let changed = text.replace("fd00:1:2::/48", "fd00:1:3::/48");
    assert!(told(&changed).contains("was changed"), "{}", told(&changed));
    for (entries, expected) in [
        (
            &[("intent/uplink/0000000000000003", UPLINK)],
            "what it belongs to is missing",
        ),
        (
            &[("intent/rack/0000000000000001", AZ)],
            "intent/rack/0000000000000001",
        ),
        (&[("intent/box/0000000000000001", AZ)], "no key"),
        (
            &[("intent/az/0000000000000004", AZ)],
            "another object's key",
        ),
        (&[("auth/token/0", "{}")], "auth/token/0"),
    ] {
        let text = told(&file(&filled(entries).await).await);
        assert!(text.contains(expected), "{text}");
    }
}
