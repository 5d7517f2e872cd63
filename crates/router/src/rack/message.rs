//! Lines between nodes of a rack.

use rackweave_routing::rack::{Member, Reply, Request, Table};
use rackweave_trust::Assignment;
use rackweave_types::{MacAddr, NodePrefix, RackPrefix};
use serde::{Deserialize, Serialize};

use super::local::Heard;

/// The name of the service in its greeting.
pub(crate) const SERVICE: &str = "rack";
/// The version of everything here.
pub(crate) const VERSION: u32 = 1;
/// Octets of a line at most: a table of 254 nodes has less than half of it.
pub(crate) const LINE_MAX: usize = 1 << 20;

/// What a server says first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Greeting {
    /// [`SERVICE`].
    pub(crate) rackweave: String,
    /// [`VERSION`].
    pub(crate) version: u32,
    /// Drawn for this connection.
    pub(crate) nonce: [u8; 32],
}

/// Whose signature a call bears.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum By {
    /// The node's that calls, whose chain goes with it.
    Node,
    /// The rack's key.
    Rack,
}

/// A call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asked {
    /// Drawn for this connection.
    pub(crate) nonce: [u8; 32],
    /// Whose signature it bears.
    pub(crate) by: By,
    /// The caller's chain, as octets; empty in unsigned mode, and where the rack's key signs.
    #[serde(default)]
    pub(crate) chain: Vec<u8>,
    /// A [`Call`] as JSON: what is signed is what was written.
    pub(crate) body: String,
    /// Empty in unsigned mode.
    #[serde(default)]
    pub(crate) signature: Vec<u8>,
}

/// The answer to a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answered {
    /// The server's chain, as octets; empty in unsigned mode.
    #[serde(default)]
    pub(crate) chain: Vec<u8>,
    /// An [`Answer`] as JSON.
    pub(crate) body: String,
    /// Empty in unsigned mode.
    #[serde(default)]
    pub(crate) signature: Vec<u8>,
}

/// What nodes of a rack ask each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Call {
    /// Who are you?
    Who,
    /// What does the table of the rack say?
    Table,
    /// Have the next table chosen. Bears the rack's signature.
    Choose(Request),
    /// Keep the rack's key, sealed for you. Bears the rack's signature.
    Keep(Vec<u8>),
    /// This is your /64; the statement bears the rack's signature itself.
    Assign(Assignment),
    /// I have no /64 yet.
    Join(Member),
    /// Begin the rack in my place: I am a switch, and hear no other. Bears the rack's signature.
    Begin {
        /// The rack.
        rack: RackPrefix,
        /// Its key, sealed for you; empty in unsigned mode.
        key: Vec<u8>,
    },
}

/// Who a node is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WhoIs {
    /// The node.
    pub(crate) member: Member,
    /// Its /64, once it has one.
    #[serde(default)]
    pub(crate) prefix: Option<NodePrefix>,
    /// The rack whose table it keeps, if it does.
    #[serde(default)]
    pub(crate) keeps: Option<RackPrefix>,
    /// Who keeps the table, as far as it knows: by hardware address.
    #[serde(default)]
    pub(crate) keepers: Vec<MacAddr>,
    /// Racks that it hears announced.
    #[serde(default)]
    pub(crate) heard: Vec<Heard>,
}

/// The answer to a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// Who the node is.
    Who(WhoIs),
    /// The table, where the node knows one.
    Table(Option<Table>),
    /// What its acceptor says.
    Choose(Reply),
    /// It is done.
    Done,
    /// The caller's /64.
    Assigned(Assignment),
    /// It is not done, and why.
    Refused(String),
}

#[cfg(test)]
mod tests {
    use rackweave_routing::rack::Ballot;
    use rackweave_types::Role;

    use super::*;

    fn frozen<T: Serialize + for<'a> Deserialize<'a> + PartialEq + std::fmt::Debug>(
        value: &T,
        line: &str,
    ) {
        assert_eq!(serde_json::to_string(value).unwrap(), line);
        assert_eq!(&serde_json::from_str::<T>(line).unwrap(), value);
    }

    /// The lines of version 1, for ever: do not change this test, add lines.
    #[test]
    fn lines_are_as_ever() {
        let mac = MacAddr::new([2, 0, 0, 0, 0, 1]);
        let member = Member {
            identity: "sled-1".into(),
            hardware: mac,
            role: Role::Sled,
        };
        let rack: RackPrefix = "fd00:1122:3344:100::/56".parse().unwrap();
        let table = Table::first(rack, std::slice::from_ref(&member), None).unwrap();
        let given = table.assignments[0].clone();
        let of_table = r#"{"rack":"fd00:1122:3344:100::/56","version":1,"keepers":["sled-1"],"assignments":[{"identity":"sled-1","hardware":"02:00:00:00:00:01","role":"sled","prefix":"fd00:1122:3344:101::/64","signature":[]}]}"#;
        let of_member = r#"{"identity":"sled-1","hardware":"02:00:00:00:00:01","role":"sled"}"#;
        let ballot = Ballot::first(mac);
        let of_ballot = r#"{"round":1,"by":"02:00:00:00:00:01"}"#;
        frozen(&Call::Who, r#""who""#);
        frozen(&Call::Table, r#""table""#);
        frozen(&Call::Keep(vec![1, 2]), r#"{"keep":[1,2]}"#);
        frozen(
            &Call::Join(member.clone()),
            &format!(r#"{{"join":{of_member}}}"#),
        );
        frozen(
            &Call::Begin { rack, key: vec![] },
            r#"{"begin":{"rack":"fd00:1122:3344:100::/56","key":[]}}"#,
        );
        frozen(
            &Call::Choose(Request::Prepare { version: 1, ballot }),
            &format!(r#"{{"choose":{{"prepare":{{"version":1,"ballot":{of_ballot}}}}}}}"#),
        );
        let accept = Request::Accept {
            ballot,
            table: table.clone(),
        };
        frozen(
            &Call::Choose(accept),
            &format!(r#"{{"choose":{{"accept":{{"ballot":{of_ballot},"table":{of_table}}}}}}}"#),
        );
        frozen(
            &Answer::Choose(Reply::Promised {
                ballot,
                accepted: None,
            }),
            &format!(r#"{{"choose":{{"promised":{{"ballot":{of_ballot},"accepted":null}}}}}}"#),
        );
        frozen(&Answer::Done, r#""done""#);
        frozen(&Answer::Refused("no".into()), r#"{"refused":"no"}"#);
        frozen(
            &Answer::Table(Some(table)),
            &format!(r#"{{"table":{of_table}}}"#),
        );
        let of_given = of_table.split(['[', ']']).nth(3).unwrap().to_owned() + "[]}";
        frozen(
            &Answer::Assigned(given),
            &format!(r#"{{"assigned":{of_given}}}"#),
        );
        let who = WhoIs {
            member,
            prefix: None,
            keeps: Some(rack),
            keepers: vec![mac],
            heard: vec![Heard {
                rack,
                switches: vec![mac],
            }],
        };
        frozen(
            &Answer::Who(who),
            &format!(
                r#"{{"who":{{"member":{of_member},"prefix":null,"keeps":"fd00:1122:3344:100::/56","keepers":["02:00:00:00:00:01"],"heard":[{{"rack":"fd00:1122:3344:100::/56","switches":["02:00:00:00:00:01"]}}]}}}}"#
            ),
        );
    }

    #[test]
    fn what_a_later_release_adds_is_passed_over() {
        let line = r#"{"nonce":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],"by":"node","body":"\"who\"","more":1}"#;
        let asked: Asked = serde_json::from_str(line).unwrap();
        assert_eq!((asked.by, asked.body.as_str()), (By::Node, "\"who\""));
    }
}
