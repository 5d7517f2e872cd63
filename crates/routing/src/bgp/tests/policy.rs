//! Policy lets through what it says.

use proptest::prelude::*;

use super::arbitrary;
use super::net::{asn, net};
use crate::bgp::policy::{Match, Policy, PrefixList, PrefixRange, Rule, Set, Verdict};
use crate::bgp::{AsPath, Attributes, Community, NextHop};

fn attributes() -> Attributes {
    Attributes {
        as_path: AsPath::sequence([asn(65_002), asn(65_003)]),
        communities: vec!["65002:7".parse().unwrap()],
        ..Attributes::new(NextHop::V4([10, 0, 0, 1].into()))
    }
}

fn rule(when: Match, then: Verdict, set: Set) -> Rule {
    Rule {
        name: None,
        when,
        then,
        set,
    }
}

#[test]
fn ranges_are_read_as_people_write_them() {
    for text in [
        "10.0.0.0/8",
        "10.0.0.0/8 le 24",
        "10.0.0.0/8 ge 16 le 24",
        "2001:db8::/32 ge 48 le 64",
    ] {
        assert_eq!(text.parse::<PrefixRange>().unwrap().to_string(), text);
    }
    let all: PrefixRange = "0.0.0.0/0 ge 8".parse().unwrap();
    assert_eq!((all.least, all.most), (8, 32));
    for text in [
        "10.0.0.1/8",
        "10.0.0.0/8 le 4",
        "10.0.0.0/8 ge 24 le 16",
        "10.0.0.0/8 eq 9",
        "x",
        "10.0.0.0/8 le",
        "10.0.0.0/8 le 33",
    ] {
        assert!(text.parse::<PrefixRange>().is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn a_list_has_what_one_of_its_ranges_has(
        ranges in proptest::collection::vec((any::<u32>(), 0_u8..=32, 0_u8..=32, 0_u8..=32), 0..30),
        bits in any::<u32>(),
        len in 0_u8..=32,
        pick in any::<prop::sample::Index>(),
    ) {
        let mut all = Vec::new();
        for (bits, own, least, most) in &ranges {
            let net = ipnet::Ipv4Net::new((*bits).into(), *own).unwrap().trunc();
            let least = *own.max(least);
            all.push(PrefixRange { net: net.into(), least, most: least.max(*most) });
        }
        // Half of the time a prefix inside of one of them.
        let bits = match ranges.len() {
            0 => bits,
            count if bits % 2 == 0 => ranges[pick.index(count)].0,
            _ => bits,
        };
        let prefix = ipnet::IpNet::V4(ipnet::Ipv4Net::new(bits.into(), len).unwrap().trunc());
        let has = |range: &PrefixRange| {
            range.net.contains(&prefix) && (range.least..=range.most).contains(&len)
        };
        prop_assert_eq!(PrefixList::from(all.clone()).has(prefix), all.iter().any(has));
    }

    #[test]
    fn accepting_all_changes_nothing(attributes in arbitrary::attributes(arbitrary::four())) {
        let judgement = Policy::accept_all().judge(net("10.0.0.0/8"), &attributes);
        prop_assert!(judgement.accepted && judgement.set.is_empty());
        prop_assert!(!Policy::default().judge(net("10.0.0.0/8"), &attributes).accepted);
    }
}

#[test]
fn the_first_rule_that_decides_does() {
    let marked = Match {
        communities: vec!["65002:7".parse().unwrap()],
        ..Match::default()
    };
    let prefer = Set {
        local_pref: Some(200),
        ..Set::default()
    };
    let policy = Policy {
        rules: vec![
            rule(marked, Verdict::Next, prefer),
            rule(
                Match {
                    origin_as: vec![asn(65_003)],
                    ..Match::default()
                },
                Verdict::Accept,
                Set::default(),
            ),
            rule(Match::default(), Verdict::Reject, Set::default()),
        ],
        otherwise: Verdict::Accept,
    };
    let mut attributes = attributes();
    let judgement = policy.judge(net("10.0.0.0/8"), &attributes);
    assert!(judgement.accepted);
    assert_eq!((judgement.rule, &judgement.set[..]), (Some(1), &[0][..]));
    policy.apply(&judgement.set, asn(65_001), &mut attributes);
    assert_eq!(attributes.local_pref, Some(200));
    attributes.as_path = AsPath::sequence([asn(65_002)]);
    let judgement = policy.judge(net("10.0.0.0/8"), &attributes);
    assert!(!judgement.accepted);
    assert_eq!(policy.name(judgement.rule), "rule 3");
}

#[test]
fn what_is_set_is_set() {
    let set = Set {
        med: Some(5),
        prepend: 2,
        remove_communities: vec!["65002:7".parse().unwrap()],
        add_communities: vec![Community::NO_EXPORT, "65001:1".parse().unwrap()],
        ..Set::default()
    };
    let policy = Policy {
        rules: vec![rule(Match::default(), Verdict::Accept, set)],
        otherwise: Verdict::Reject,
    };
    let mut attributes = attributes();
    policy.apply(&[0], asn(65_001), &mut attributes);
    assert_eq!(attributes.as_path.to_string(), "65001 65001 65002 65003");
    assert_eq!(attributes.med, Some(5));
    let marks: Vec<String> = attributes
        .communities
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(marks, ["65001:1", "no-export"]);
}

#[test]
fn a_policy_is_written_as_people_write_it() {
    let text = r#"{"rules":[{"name":"ours","if":{"prefixes":["203.0.113.0/24 le 32"],"as_path_max":3},
        "then":"accept","set":{"local_pref":150,"add_communities":["65001:9","blackhole"],
        "add_large_communities":["4200000001:1:2"]}}],"otherwise":"reject"}"#;
    let policy: Policy = serde_json::from_str(text).unwrap();
    assert_eq!(policy.name(Some(0)), "rule `ours`");
    let again: Policy = serde_json::from_str(&serde_json::to_string(&policy).unwrap()).unwrap();
    assert_eq!(again, policy);
    assert!(serde_json::from_str::<Policy>(r#"{"rulez":[]}"#).is_err());
    assert!(policy.judge(net("203.0.113.7/32"), &attributes()).accepted);
}
