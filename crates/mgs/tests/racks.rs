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
