use std::fmt::Write as _;

use serde_json::json;

use super::*;

fn declared(text: &str) -> Declarations {
    let mut found = Declarations::default();
    if let Err(failure) = found.read(Path::new("a.yaml"), text) {
        panic!("{failure}");
    }
    found
}

const SHOP: &str = "\
version: 1
racks: {r1: {number: 01}}
projects:
  shop:
    description: the shop
    quota: {vpcs: 3}
    vpcs:
      prod:
        ipv4: [10.0.0.0/16]
        subnets:
          web: {ipv4: 10.0.1.0/24}
        firewall_rules:
          https:
            priority: 100
            direction: in
            action: allow
            targets: [{tag: web}]
            filters:
              protocols: [tcp]
              ports: [[443, 443]]
    instances:
      web-1:
        tags: [web, 2024]
        nics:
          eth0: {vpc: prod, subnet: web}
  empty:
";

#[test]
fn objects_are_found_by_their_names() {
    let found = declared(SHOP);
    let paths: Vec<_> = found
        .objects
        .iter()
        .map(|object| format!("{} {}", object.kind, object.path))
        .collect();
    assert_eq!(
        paths,
        [
            "rack r1",
            "project shop",
            "vpc shop/prod",
            "subnet shop/prod/web",
            "firewall-rule shop/prod/https",
            "instance shop/web-1",
            "nic shop/web-1/eth0",
            "project empty",
        ]
    );
    assert_eq!(found.objects[0].spec, json!({"number": "01"}));
    assert_eq!(found.objects[1].description, "the shop");
    assert_eq!(found.objects[1].spec, json!({"quota": {"vpcs": 3}}));
    assert_eq!(found.objects[2].spec, json!({"ipv4": ["10.0.0.0/16"]}));
    assert_eq!(found.objects[5].spec, json!({"tags": ["web", "2024"]}));
    assert_eq!(found.objects[7].spec, json!({}));
}

#[test]
fn a_list_of_objects_is_taken_as_well() {
    let found = declared(
        r#"{"version": 1, "objects": [{"kind": "vpc", "path": "shop/prod", "spec": {"ipv4": ["10.0.0.0/16"]}}]}"#,
    );
    assert_eq!(found.objects[0].path, "shop/prod");
    let place = found.place("objects[0].spec.ipv4[0]").unwrap();
    assert_eq!(
        place,
        (
            "a.yaml:1:83".to_owned(),
            "ipv4[0] of vpc shop/prod".to_owned()
        )
    );
}

#[test]
fn a_field_of_the_api_is_found_in_the_file() {
    let found = declared(SHOP);
    for (field, place, name) in [
        (
            "objects[4].spec.filters.ports[0]",
            "a.yaml:20:23",
            "filters.ports[0] of firewall-rule shop/prod/https",
        ),
        (
            "objects[4].spec.filters.hosts",
            "a.yaml:18:13",
            "filters.hosts of firewall-rule shop/prod/https",
        ),
        ("objects[3].spec", "a.yaml:11:11", "subnet shop/prod/web"),
        (
            "objects[3].path",
            "a.yaml:11:11",
            "path of subnet shop/prod/web",
        ),
        (
            "objects[1].description",
            "a.yaml:5:5",
            "description of project shop",
        ),
    ] {
        assert_eq!(
            found.place(field),
            Some((place.to_owned(), name.to_owned())),
            "{field}"
        );
    }
    assert_eq!(found.place("objects[99].spec"), None);
    assert_eq!(found.place("delete[0].path"), None);
}

/// Files that are not used, and what is said of them.
const BAD: [(&str, &str); 24] = [
    ("empty", ""),
    ("a list", "- a\n"),
    ("no version", "projects: {}\n"),
    ("a version of the future", "version: 2\n"),
    ("no YAML", "version: 1\nprojects: {shop: [}\n"),
    ("a tab", "version: 1\nprojects:\n\tshop: {}\n"),
    ("two documents", "version: 1\n---\nversion: 1\n"),
    ("an alias", "version: 1\nprojects: {a: &x {}, b: *x}\n"),
    ("a tag", "version: 1\nprojects: !set {a: {}}\n"),
    (
        "a name twice",
        "version: 1\nprojects:\n  shop: {}\n  shop: {}\n",
    ),
    ("an unknown kind", "version: 1\nvirtual_machines: {}\n"),
    (
        "a kind at the wrong place",
        "version: 1\nsubnets: {web: {}}\n",
    ),
    ("a list of names", "version: 1\nprojects: [shop, bank]\n"),
    (
        "an object that is a text",
        "version: 1\nprojects: {shop: yes}\n",
    ),
    ("a name with capitals", "version: 1\nprojects: {Shop: {}}\n"),
    (
        "an unknown field",
        "version: 1\nprojects:\n  shop:\n    vpcs:\n      prod: {ipv5: 1}\n",
    ),
    (
        "a prefix that is none",
        "version: 1\nprojects:\n  shop:\n    vpcs:\n      prod:\n        ipv4:\n        - 10.0.0.0/33\n",
    ),
    (
        "a missing field",
        "version: 1\nprojects:\n  shop:\n    instances:\n      a:\n        nics:\n          eth0: {vpc: prod}\n",
    ),
    (
        "ports the wrong way round",
        "version: 1\nprojects:\n  s:\n    vpcs:\n      v:\n        firewall_rules:\n          r:\n            priority: 1\n            \
         direction: in\n            action: allow\n            filters: {ports: [[90, 80]]}\n",
    ),
    (
        "a word that is not known",
        "version: 1\nprojects:\n  s:\n    vpcs:\n      v:\n        firewall_rules:\n          r:\n            priority: 1\n            \
         direction: up\n            action: allow\n",
    ),
    (
        "a number that is too large",
        "version: 1\nswitches:\n  a: {prefix: 'fd00:1:2:1fd::/64', asn: 99999999999}\n",
    ),
    (
        "an object without a kind",
        "version: 1\nobjects:\n- {path: shop}\n",
    ),
    (
        "a kind that is none",
        "version: 1\nobjects:\n- {kind: subnets, path: a/b/c}\n",
    ),
    (
        "a path that is too short",
        "version: 1\nobjects:\n- {kind: subnet, path: shop/web, spec: {}}\n",
    ),
];

/// What is said of bad files, as people read it: `RACKWEAVE_WRITE_GOLDEN=1` writes it anew.
#[test]
fn bad_files_are_told_with_line_and_field() {
    let mut told = String::new();
    for (name, text) in BAD {
        let failure = Declarations::default()
            .read(Path::new("a.yaml"), text)
            .unwrap_err();
        let cause = failure.cause.unwrap_or_default();
        writeln!(told, "{name}\n  {}\n", cause.replace('\n', "\n  ")).unwrap();
        assert!(cause.contains("a.yaml:"), "{name}");
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/declare/bad_files.txt");
    if std::env::var_os("RACKWEAVE_WRITE_GOLDEN").is_some() {
        std::fs::write(&golden, &told).unwrap();
    }
    assert_eq!(told, std::fs::read_to_string(&golden).unwrap());
}

#[test]
fn all_that_is_wrong_is_told_but_not_without_end() {
    let mut text = "version: 1\nprojects:\n".to_owned();
    for number in 0..15 {
        writeln!(text, "  A{number}: {{}}").unwrap();
    }
    let failure = Declarations::default()
        .read(Path::new("a.yaml"), &text)
        .unwrap_err()
        .to_string();
    assert!(
        failure.contains("a.yaml:3:3: A0") && failure.contains("and 5 more"),
        "{failure}"
    );
}
