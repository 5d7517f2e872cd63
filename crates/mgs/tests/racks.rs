//! Wrong files of types of racks: what is said of each names file, line and rule.

use std::path::Path;

use rackweave_mgs::racks;

#[test]
fn wrong_files_are_refused_with_file_line_and_rule() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/racks");
    let mut count = 0;
    for entry in std::fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|it| it != "toml") {
            continue;
        }
        let said = racks::read(&path).unwrap_err().to_string();
        let said = said.replace(&format!("{}/", dir.display()), "") + "\n";
        let expected = std::fs::read_to_string(path.with_extension("txt")).unwrap();
        assert_eq!(said, expected, "{}", path.display());
        count += 1;
    }
    assert!(count >= 10, "{count}");
}

#[test]
fn what_is_shipped_is_sound_and_only_once() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist/racks/rack-1.toml");
    assert_eq!(racks::read(&shipped).unwrap().name(), "rack-1");
    let twice = racks::read_all(&[shipped.clone(), shipped]).unwrap_err();
    assert!(
        twice.to_string().contains("both describe `rack-1`"),
        "{twice}"
    );
    assert!(racks::read_all(&[]).is_err());
    let absent = racks::read(Path::new("/no/such/rack.toml")).unwrap_err();
    assert_eq!(absent.to_string(), "cannot read /no/such/rack.toml");
}

#[test]
fn types_that_nothing_would_tell_apart_are_refused_together() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist/racks/rack-1.toml");
    let dir = tempfile::tempdir().unwrap();
    let part = dir.path().join("half.toml");
    let text = std::fs::read_to_string(&shipped).unwrap();
    let (half, _) = text.split_once("[[cubby]]\nnumber = 20\n").unwrap();
    let half = half.replace("name = \"rack-1\"", "name = \"half-rack\"");
    std::fs::write(&part, half).unwrap();
    let error = racks::read_all(&[shipped.clone(), part.clone()]).unwrap_err();
    let said = error.to_string();
    assert!(said.contains("cannot be told apart"), "{said}");
    assert!(said.contains("switch A of a `half-rack`"), "{said}");
    // One port that leads elsewhere tells them apart on either switch.
    let text = std::fs::read_to_string(&part).unwrap();
    let other = text.replace("number = 3\na = 3\nb = 28", "number = 3\na = 40\nb = 41");
    std::fs::write(&part, other).unwrap();
    assert_eq!(racks::read_all(&[shipped, part]).unwrap().len(), 2);
}
