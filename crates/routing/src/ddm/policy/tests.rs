use super::*;

const AZ: &str = "fd00:1122:3344::/48";
const OTHER_AZ: &str = "fd00:5566:7788::/48";

fn end(role: Role, rack: Option<&str>, az: Option<&str>) -> End {
    let rack: Option<RackPrefix> = rack.map(|rack| rack.parse().unwrap());
    let az = az.map(|az| az.parse().unwrap());
    End {
        role,
        rack,
        az: rack.map(RackPrefix::az).or(az),
    }
}

/// Who tells: of rack 1; a spine is of no rack.
fn teller(role: Role) -> End {
    let rack = Some("fd00:1122:3344:100::/56").filter(|_| role != Role::Spine);
    end(role, rack, Some(AZ))
}

/// Whom: of the same rack, of another one of the AZ, of another AZ.
fn asked(role: Role) -> [End; 3] {
    if role == Role::Spine {
        let spine = |az| end(role, None, Some(az));
        return [spine(AZ), spine(AZ), spine(OTHER_AZ)];
    }
    let racks = [
        "fd00:1122:3344:100::/56",
        "fd00:1122:3344:200::/56",
        "fd00:5566:7788:100::/56",
    ];
    racks.map(|rack| end(role, Some(rack), None))
}

/// One cell: to sleds, switches and spines, each of the same rack, another rack and another AZ; `l` for what is the
/// teller's own, `t` for what it learned, `b` for both, `-` for neither.
fn cell(role: Role, prefix: &str) -> String {
    let (own, prefix) = (teller(role), prefix.parse().unwrap());
    let to_role = |to: Role| {
        let marks = asked(to).map(|to| {
            let class = own.class(&to);
            let told = [true, false].map(|local| exports(&own, &class, prefix, local));
            match told {
                [true, true] => 'b',
                [true, false] => 'l',
                [false, true] => 't',
                [false, false] => '-',
            }
        });
        marks.iter().collect::<String>()
    };
    Role::ALL.map(to_role).join(" ")
}

#[test]
fn every_cell_of_the_policy() {
    let prefixes = [
        ("bootstrap", "fdb0:a840:2510:1::/64"),
        ("own rack's /64", "fd00:1122:3344:105::/64"),
        ("other rack's /64", "fd00:1122:3344:205::/64"),
        ("own summary", "fd00:1122:3344:100::/56"),
        ("other summary", "fd00:1122:3344:200::/56"),
        ("service", "fd00:1122:3344:ff03::/64"),
        ("own site", "fd00:1122:3344::/48"),
        ("other site", "fd00:5566:7788::/48"),
        ("third site", "fd00:9999:9999::/48"),
        ("default", "::/0"),
        ("half a rack", "fd00:1122:3344:180::/57"),
        ("an address", "fd00:1122:3344:105::1/128"),
    ];
    let table: Vec<String> = Role::ALL
        .iter()
        .flat_map(|role| {
            let row =
                |(what, prefix): &(&str, &str)| format!("{role} {what}: {}", cell(*role, prefix));
            prefixes.iter().map(row).collect::<Vec<_>>()
        })
        .collect();
    let expected = "\
sled bootstrap: --- lll ---
sled own rack's /64: --- lll ---
sled other rack's /64: --- lll ---
sled own summary: --- --- ---
sled other summary: --- --- ---
sled service: --- ll- ---
sled own site: --- --- ---
sled other site: --- --- ---
sled third site: --- --- ---
sled default: --- --- ---
sled half a rack: --- --- ---
sled an address: --- --- ---
switch bootstrap: b-- --- ---
switch own rack's /64: b-- --- ---
switch other rack's /64: --- --- ---
switch own summary: --- bb- bb-
switch other summary: bb- bb- bb-
switch service: bb- bb- bb-
switch own site: --- --l --l
switch other site: tt- tt- tt-
switch third site: ttt ttt ttt
switch default: --- --- ---
switch half a rack: --- --- ---
switch an address: --- --- ---
spine bootstrap: --- --- ---
spine own rack's /64: --- --- ---
spine other rack's /64: --- --- ---
spine own summary: bb- bb- bb-
spine other summary: bb- bb- bb-
spine service: bb- bb- bb-
spine own site: --- --l --l
spine other site: tt- tt- tt-
spine third site: ttt ttt ttt
spine default: --- --- ---
spine half a rack: --- --- ---
spine an address: --- --- ---";
    let got = table.join("\n");
    assert_eq!(got, expected, "\n{got}");
}

#[test]
fn what_is_unknown_is_not_taken_for_another() {
    let own = end(Role::Switch, None, None);
    let sled = own.class(&end(Role::Sled, None, None));
    let net = |text: &str| text.parse().unwrap();
    assert!(exports(&own, &sled, net("fdb0:a840:2510:1::/64"), false));
    assert!(exports(&own, &sled, net("fd00:1122:3344:105::/64"), false));
    let spine = own.class(&end(Role::Spine, None, None));
    assert!(exports(&own, &spine, net("fd00:1122:3344:200::/56"), false));
    assert!(!exports(&own, &spine, net("fdb0:a840:2510:1::/64"), false));
}
