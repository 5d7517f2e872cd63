//! What hosts are asked: what a change would do to connections.

use std::collections::{BTreeMap, BTreeSet};

use rackweave_api::control::{FlowsTouched, NodePreview, PortFlows};
use rackweave_api::http::Problem;
use rackweave_control::declare::path;
use rackweave_control::{EncodedChange, Id, Key, Kind};
use rackweave_linux::random;
use rackweave_types::NodePrefix;
use tokio::sync::oneshot;

use super::World;
use crate::auth::Caller;
use crate::hub::question;

/// Questions at once.
const QUESTIONS_MAX: usize = 32;
/// The most ports that are told.
const PORTS_MAX: usize = 1000;
/// The most examples of a port that are told.
const EXAMPLES_MAX: usize = 20;

/// The questions that hosts are asked now, by their names.
#[derive(Debug, Default)]
pub(super) struct Questions(BTreeMap<String, Question>);

#[derive(Debug)]
struct Question {
    asked: usize,
    waiting: BTreeSet<NodePrefix>,
    answers: BTreeMap<NodePrefix, NodePreview>,
    tell: Option<oneshot::Sender<()>>,
}

impl Question {
    fn tell(&mut self) {
        if let Some(tell) = self.tell.take() {
            // Whoever asked may have gone.
            let _gone = tell.send(());
        }
    }
}

impl World {
    /// Asks the sleds that listen here what changes would do to their connections. Tells the question's name, and when all
    /// have answered.
    ///
    /// # Errors
    /// Where too much is asked at once.
    pub(crate) fn ask(
        &mut self,
        nodes: &BTreeMap<NodePrefix, Vec<EncodedChange>>,
    ) -> Result<(String, oneshot::Receiver<()>), Problem> {
        let asked = &mut self.questions.0;
        asked.retain(|_, question| {
            let open = question.tell.as_ref();
            open.is_none_or(|tell| !tell.is_closed())
        });
        if asked.len() >= QUESTIONS_MAX {
            let busy = Problem::unavailable("too much is asked of hosts at once");
            return Err(busy.next("try again, or do not ask for flows"));
        }
        let drawn = random::bytes().map_err(|_| Problem::internal("nothing can be drawn"))?;
        let id = format!("{:016x}", u64::from_be_bytes(drawn));
        let head = self.intent.head().next();
        let mut waiting = BTreeSet::new();
        for (node, changes) in nodes {
            let line = question(&id, head, changes.iter());
            if self.intent.sled_at(*node).is_some() && self.hub.whisper(*node, &line) {
                waiting.insert(*node);
            }
        }
        let (tell, told) = oneshot::channel();
        let mut question = Question {
            asked: waiting.len(),
            waiting,
            answers: BTreeMap::new(),
            tell: Some(tell),
        };
        if question.waiting.is_empty() {
            question.tell();
        }
        self.questions.0.insert(id.clone(), question);
        Ok((id, told))
    }

    /// Takes in a host's answer; false where nobody asked it.
    pub(crate) fn answer_question(
        &mut self,
        node: NodePrefix,
        id: &str,
        preview: NodePreview,
    ) -> bool {
        let Some(question) = self.questions.0.get_mut(id) else {
            return false;
        };
        if !question.waiting.remove(&node) {
            return false;
        }
        question.answers.insert(node, preview);
        if question.waiting.is_empty() {
            question.tell();
        }
        true
    }

    /// What hosts have answered; ports of projects that the asker may not know of are left out.
    pub(crate) fn answers(&mut self, id: &str, caller: &Caller) -> FlowsTouched {
        let Some(question) = self.questions.0.remove(id) else {
            return FlowsTouched::default();
        };
        let mut flows = FlowsTouched {
            asked: question.asked,
            answered: question.answers.len(),
            ..FlowsTouched::default()
        };
        for port in question.answers.into_values().flat_map(|it| it.ports) {
            let Some(mut port) = self.visible(port, caller) else {
                continue;
            };
            flows.touched = flows.touched.saturating_add(port.touched);
            flows.cut = flows.cut.saturating_add(port.cut);
            port.examples.truncate(EXAMPLES_MAX);
            if flows.ports.len() < PORTS_MAX {
                flows.ports.push(port);
            }
        }
        flows
    }

    /// A port with its NIC's name, if the asker may know of it.
    fn visible(&self, port: PortFlows, caller: &Caller) -> Option<PortFlows> {
        let id: Option<Id> = port.port.parse().ok();
        let nic = id.and_then(|id| self.intent.get(Key::new(Kind::Nic, id)));
        let Some(nic) = nic else {
            // A sled's own port, or one that would come.
            return caller.is_operator().then_some(port);
        };
        let names = path(&self.intent, nic)?;
        let project = self.intent.find(Kind::Project, None, names.first()?)?;
        caller.role(&project.meta().id.to_string())?;
        let names: Vec<_> = names.iter().map(rackweave_control::Name::as_str).collect();
        Some(PortFlows {
            nic: Some(names.join("/")),
            ..port
        })
    }
}
