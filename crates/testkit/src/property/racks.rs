//! What nodes of a rack tell each other while it is set up, damaged or made up.

use rackweave_routing::rack::{Acceptor, Ballot, Member, Proposer, Reply, Request, Table};
use rackweave_types::{MacAddr, Role};

use super::{Fault, hold};

/// Requests and replies of rack setup, one on each line, as JSON: an acceptor and a proposer take what they get, an
/// acceptor's version never goes back, and a table that is accepted as whole gives each node one /64.
///
/// # Errors
/// What does not hold.
pub fn racks(bytes: &[u8]) -> Result<(), Fault> {
    let own = MacAddr::new([2, 0, 0, 0, 0, 1]);
    let mut acceptor = Acceptor::default();
    let mut proposer = None;
    let mut version = 0;
    for line in bytes.split(|octet| *octet == b'\n') {
        if let Ok(request) = serde_json::from_slice::<Request>(line) {
            if let Request::Accept { table, .. } | Request::Learn { table } = &request {
                if !whole(table)? {
                    continue;
                }
                let ballot = acceptor.attempt(own, None);
                let wish = table.clone();
                let quorum = wish.majority();
                proposer = Some(Proposer::new(wish, ballot, &table.keepers(), quorum));
            }
            acceptor.answer(request);
        } else if let (Ok(reply), Some(proposer)) =
            (serde_json::from_slice::<Reply>(line), &mut proposer)
        {
            proposer.reply(own, reply);
        }
        let now = acceptor.chosen().map_or(0, |table| table.version);
        hold(now >= version, || format!("version {version} became {now}"))?;
        version = now;
    }
    let ballot = acceptor.attempt(own, Some(Ballot::first(own)));
    hold(ballot > Ballot::first(own), || {
        format!("{ballot:?} goes before nothing")
    })
}

/// Whether the table contradicts itself nowhere; then a newcomer finds its place.
fn whole(table: &Table) -> Result<bool, Fault> {
    if table.check().is_err() {
        return Ok(false);
    }
    let newcomer = Member {
        identity: "newcomer".to_owned(),
        hardware: MacAddr::new([2, 9, 9, 9, 9, 9]),
        role: Role::Sled,
    };
    if let Ok(Some(next)) = table.with(&newcomer, None) {
        next.check()
            .map_err(|error| format!("a newcomer broke it: {error}"))?;
    }
    Ok(true)
}
