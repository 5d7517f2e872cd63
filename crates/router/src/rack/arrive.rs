//! A node that comes later asks for its /64.

use std::time::Duration;

use rackweave_routing::rack::Table;
use rackweave_types::MacAddr;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::local::Local;
use super::message::{Answer, Call, WhoIs};
use super::proof::Caller;
use super::service::Rack;

/// How long to wait before the keepers are looked for again: at first and where somebody new is there, and at most.
const AGAIN: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(10)];

/// How many nodes are asked at once who keeps the table: any node that was there when the rack began knows it.
const AT_ONCE: usize = 3;

/// A node, as it says and proves to be.
#[derive(Debug)]
pub(crate) struct Met {
    pub(crate) who: WhoIs,
    pub(crate) caller: Caller,
}

impl<L: Local> Rack<L> {
    /// Asks all of these nodes who they are; who does not say it is named with the reason.
    pub(crate) async fn meet(&self, nodes: &[MacAddr]) -> (Vec<Met>, Vec<(MacAddr, String)>) {
        let mut asking = JoinSet::new();
        for node in nodes {
            let (rack, node) = (self.clone(), *node);
            asking.spawn(async move { (node, rack.ask_who(node).await) });
        }
        let (mut met, mut silent) = (Vec::new(), Vec::new());
        while let Some(asked) = asking.join_next().await {
            match asked {
                Ok((_, Ok(one))) => met.push(one),
                Ok((node, Err(why))) => silent.push((node, why)),
                Err(_) => (),
            }
        }
        met.sort_by(|one, other| one.who.member.identity.cmp(&other.who.member.identity));
        (met, silent)
    }

    /// The latest table that this node or one of these knows.
    pub(crate) async fn latest(&self, met: &[Met]) -> Option<Table> {
        let mut latest = self.kept().await.acceptor().chosen().cloned();
        let line = self.line();
        for one in met.iter().filter(|one| one.who.keeps.is_some()) {
            let called = line.call(one.who.member.hardware, &Call::Table, None);
            if let Ok((Answer::Table(Some(table)), _)) = called.await
                && latest
                    .as_ref()
                    .is_none_or(|known| known.version < table.version)
            {
                latest = Some(table);
            }
        }
        latest
    }

    async fn ask_who(&self, node: MacAddr) -> Result<Met, String> {
        let called = self.line().call(node, &Call::Who, None).await;
        let (answer, caller) = called.map_err(|error| error.to_string())?;
        let Answer::Who(who) = answer else {
            return Err("it says something else than was asked".to_owned());
        };
        let said = &who.member;
        if said.hardware != node {
            return Err(format!("it says that it is {}", said.hardware));
        }
        if let Caller::Node(proven) = &caller
            && (&proven.identity, proven.hardware, proven.role)
                != (&said.identity, said.hardware, said.role)
        {
            return Err(format!(
                "it says that it is {}, and proves to be {}",
                said.identity, proven.identity
            ));
        }
        Ok(Met { who, caller })
    }

    /// Asks the keepers for a /64 until the node has one.
    pub(crate) async fn arrive(self) {
        let [first, most] = AGAIN;
        let (mut wait, mut turn, mut around_before) = (first, 0, Vec::new());
        loop {
            sleep(wait).await;
            let Some(around) = self.local().look().await else {
                return;
            };
            if around.prefix.is_some() {
                return;
            }
            // Somebody new may know more: it is worth asking at once.
            let is_news = around.reachable != around_before;
            wait = if is_news { first } else { (wait * 2).min(most) };
            for keeper in self.look_for_keepers(&around.reachable, turn).await {
                match self.ask_keeper(keeper).await {
                    Ok(()) => return,
                    Err(why) => tracing::warn!(%keeper, "no /64 from a keeper of the rack: {why}"),
                }
            }
            turn += 1;
            around_before = around.reachable;
        }
    }

    /// Who keeps the rack's table, as some of these nodes say; others of them at each turn.
    async fn look_for_keepers(&self, reachable: &[MacAddr], turn: usize) -> Vec<MacAddr> {
        let count = reachable.len().min(AT_ONCE);
        let asked = reachable
            .iter()
            .cycle()
            .skip(turn * AT_ONCE % reachable.len().max(1));
        let asked: Vec<_> = asked.take(count).copied().collect();
        let (met, _) = self.meet(&asked).await;
        let mut keepers: Vec<_> = met
            .iter()
            .flat_map(|one| &one.who.keepers)
            .copied()
            .collect();
        keepers.sort();
        keepers.dedup();
        keepers.retain(|keeper| reachable.contains(keeper));
        keepers
    }

    async fn ask_keeper(&self, keeper: MacAddr) -> Result<(), String> {
        let call = Call::Join(self.own().clone());
        let called = self.line().call(keeper, &call, None).await;
        match called.map_err(|error| error.to_string())? {
            (Answer::Assigned(assignment), _) => self.assign(assignment).await,
            _ => Err("it says something else than was asked".to_owned()),
        }
    }
}
