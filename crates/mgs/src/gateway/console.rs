//! An operator at a serial console: what comes out is read ahead in a window, what is typed is counted, and nothing is
//! lost or doubled by a network that loses and reorders.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rackweave_mgmt::sp::Outcome;
use rackweave_mgmt::sp::console::READ_MAX;
use rackweave_mgmt::sp::message::{Failure, Request, Response};
use rackweave_types::Instant;

use super::{Answer, Ticket};

/// Reads that are on their way at most.
const WINDOW: usize = 48;
/// How long a console that has nothing more is left alone.
const IDLE: Duration = Duration::from_millis(10);
/// How often a console is read though its reader is behind: a holder that is never heard of loses it.
const KEEP: Duration = Duration::from_secs(15);
/// How long a service processor may take to answer.
const WITHIN: Duration = Duration::from_secs(3);
/// Octets that one message types.
const TYPE_MAX: usize = 512;
/// Octets of a console that one response carries, as it counts them.
const READ: u64 = READ_MAX as u64;

/// What happened at a console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConsoleEvent {
    /// The operator holds it.
    Attached,
    /// This came out.
    Output(Vec<u8>),
    /// It is over: let go, or why.
    Ended(Answer),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    /// Ask for it.
    Attach,
    /// Ask for it as the one who holds it, to let go for them.
    TakeOver(String),
    /// Let go for who held it.
    Release,
    /// How much has been typed?
    Count,
    Held,
    /// Let go.
    Detach,
    Over,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Console {
    ticket: Ticket,
    operator: String,
    force: bool,
    stage: Stage,
    /// The request that the stage waits for.
    waiting: Option<u32>,
    /// Requests that `sent` is told the id of.
    asking: Option<Asking>,
    /// All before has been told.
    told: u64,
    /// From where to read ahead.
    next: u64,
    reads: BTreeMap<u32, u64>,
    pieces: BTreeMap<u64, Vec<u8>>,
    window: usize,
    /// There was less than was asked for: what was read ahead may leave gaps.
    short: bool,
    read_at: Instant,
    kept_at: Instant,
    /// The reader is behind.
    held: bool,
    typed: u64,
    typing: VecDeque<u8>,
    writing: Option<u32>,
    events: Vec<ConsoleEvent>,
    displaced: Vec<Ticket>,
}

#[derive(Clone, Copy, Debug)]
enum Asking {
    Stage,
    Read(u64),
    Write,
}

impl Console {
    /// An operator who asks for a console; with `force`, whoever holds it loses it.
    #[must_use]
    pub fn new(ticket: Ticket, operator: &str, force: bool) -> Self {
        Self {
            ticket,
            operator: operator.into(),
            force,
            stage: Stage::Attach,
            waiting: None,
            asking: None,
            told: 0,
            next: 0,
            reads: BTreeMap::new(),
            pieces: BTreeMap::new(),
            window: 1,
            short: false,
            read_at: Instant::START,
            kept_at: Instant::START,
            held: false,
            typed: 0,
            typing: VecDeque::new(),
            writing: None,
            events: Vec::new(),
            displaced: Vec::new(),
        }
    }

    /// Who it is.
    #[must_use]
    pub const fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// The operator's name.
    #[must_use]
    pub fn operator(&self) -> &str {
        &self.operator
    }

    /// Whether nothing more comes of it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// Whether its operator has let it go.
    pub(super) fn is_closing(&self) -> bool {
        matches!(self.stage, Stage::Detach | Stage::Over)
    }

    pub(super) fn displace(&mut self, ticket: Ticket) {
        self.displaced.push(ticket);
    }

    pub(super) fn take_displaced(&mut self) -> impl Iterator<Item = Ticket> + use<> {
        std::mem::take(&mut self.displaced).into_iter()
    }

    pub(super) fn take_events(&mut self) -> impl Iterator<Item = ConsoleEvent> + use<> {
        std::mem::take(&mut self.events).into_iter()
    }

    /// The operator types.
    pub fn type_in(&mut self, octets: &[u8]) {
        self.typing.extend(octets);
    }

    /// The reader is behind, or has caught up.
    pub const fn hold(&mut self, held: bool) {
        self.held = held;
    }

    /// The operator lets it go.
    pub fn close(&mut self) {
        match self.stage {
            Stage::Over => {}
            Stage::Attach | Stage::TakeOver(_) => self.stage = Stage::Over,
            _ => {
                self.waiting = None;
                self.stage = Stage::Detach;
            }
        }
    }

    /// When there is something to ask though nothing comes.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let idle = self.stage == Stage::Held && self.reads.is_empty();
        idle.then(|| {
            if self.held {
                self.kept_at.after(KEEP)
            } else {
                self.read_at
            }
        })
    }

    /// The next request; [`Console::sent`] says its id.
    pub(super) fn next_request(&mut self, now: Instant) -> Option<(Request, Duration)> {
        let (asking, request) = self.request(now)?;
        self.asking = Some(asking);
        Some((request, WITHIN))
    }

    fn request(&mut self, now: Instant) -> Option<(Asking, Request)> {
        let stage = |request| Some((Asking::Stage, request));
        match &self.stage {
            _ if self.waiting.is_some() => None,
            Stage::Over => None,
            Stage::Attach => stage(Request::ConsoleAttach(self.operator.clone())),
            Stage::TakeOver(holder) => stage(Request::ConsoleAttach(holder.clone())),
            Stage::Release | Stage::Detach => stage(Request::ConsoleDetach),
            Stage::Count => stage(Request::ConsoleWrite(0, Vec::new())),
            Stage::Held => self.read_or_write(now),
        }
    }

    fn read_or_write(&mut self, now: Instant) -> Option<(Asking, Request)> {
        if self.writing.is_none() && !self.typing.is_empty() {
            let octets = self.typing.iter().take(TYPE_MAX).copied().collect();
            return Some((Asking::Write, Request::ConsoleWrite(self.typed, octets)));
        }
        if self.reads.is_empty() {
            self.next = self.told;
            self.short = false;
        }
        let idle = self.reads.is_empty() && now < self.read_at;
        let held = self.held && now < self.kept_at.after(KEEP);
        if held || self.short || idle || self.reads.len() >= self.window {
            return None;
        }
        self.kept_at = now;
        let from = self.next;
        self.next += READ;
        Some((Asking::Read(from), Request::ConsoleRead(from, self.told)))
    }

    /// The request that was next has this id.
    pub(super) fn sent(&mut self, id: u32) {
        match self.asking.take() {
            Some(Asking::Stage) => self.waiting = Some(id),
            Some(Asking::Read(from)) => {
                self.reads.insert(id, from);
            }
            Some(Asking::Write) => self.writing = Some(id),
            None => {}
        }
    }

    /// A request came to its end.
    pub(super) fn outcome(&mut self, now: Instant, id: u32, outcome: Outcome) {
        if self.waiting == Some(id) {
            self.waiting = None;
            self.staged(outcome.into());
        } else if let Some(from) = self.reads.remove(&id) {
            self.read(now, from, outcome.into());
        } else if self.writing == Some(id) {
            self.writing = None;
            match outcome.into() {
                Answer::Response(Response::Typed(typed)) => self.typed_to(typed),
                answer => self.trouble(answer),
            }
        }
    }

    fn staged(&mut self, answer: Answer) {
        let stage = std::mem::replace(&mut self.stage, Stage::Over);
        self.stage = match (stage, answer) {
            (Stage::Attach, Answer::Response(Response::Console(first, _))) => {
                self.told = first;
                self.next = first;
                self.pieces.clear();
                Stage::Count
            }
            (Stage::Attach, Answer::Failed(Failure::Held(by))) if self.force => Stage::TakeOver(by),
            (Stage::TakeOver(_), Answer::Response(_)) => {
                self.force = false;
                Stage::Release
            }
            // Who held it has let go meanwhile, or another one was faster: which, the next answer says.
            (Stage::TakeOver(_) | Stage::Release, _) => Stage::Attach,
            (Stage::Count, Answer::Response(Response::Typed(typed))) => {
                self.typed = typed;
                self.events.push(ConsoleEvent::Attached);
                Stage::Held
            }
            (Stage::Detach, _) => return,
            (_, answer) => {
                self.events.push(ConsoleEvent::Ended(answer));
                return;
            }
        };
    }

    fn read(&mut self, now: Instant, from: u64, answer: Answer) {
        let (at, octets) = match answer {
            Answer::Response(Response::Console(at, octets)) => (at, octets),
            answer => return self.trouble(answer),
        };
        if from == self.told && at > from {
            self.told = at;
        }
        if u64::try_from(octets.len()) == Ok(READ) {
            if !self.short {
                self.window = (self.window * 2).min(WINDOW);
            }
        } else {
            self.short = true;
            self.window = 1;
            if octets.is_empty() {
                self.read_at = now.after(IDLE);
            }
        }
        if !octets.is_empty() {
            self.pieces.insert(at, octets);
        }
        self.tell();
    }

    /// Tells what has come without a gap.
    fn tell(&mut self) {
        while let Some(piece) = self
            .pieces
            .first_entry()
            .filter(|it| *it.key() <= self.told)
        {
            let (at, octets) = piece.remove_entry();
            let known = usize::try_from(self.told - at).unwrap_or(usize::MAX);
            let Some(new) = octets.get(known..).filter(|new| !new.is_empty()) else {
                continue;
            };
            self.told += u64::try_from(new.len()).unwrap_or_default();
            self.events.push(ConsoleEvent::Output(new.to_vec()));
        }
    }

    fn typed_to(&mut self, typed: u64) {
        let new = usize::try_from(typed.saturating_sub(self.typed)).unwrap_or(usize::MAX);
        self.typing.drain(..new.min(self.typing.len()));
        self.typed = typed;
    }

    fn trouble(&mut self, answer: Answer) {
        match answer {
            // The service processor has started anew, and counts anew.
            Answer::Failed(Failure::NotHeld) if self.stage == Stage::Held => {
                self.stage = Stage::Attach;
                self.reads.clear();
                self.writing = None;
            }
            Answer::TimedOut => self.short = true,
            _ if self.stage != Stage::Held => {}
            answer => {
                self.events.push(ConsoleEvent::Ended(answer));
                self.stage = Stage::Over;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::START;

    /// A console that is held, with nothing typed and nothing read.
    fn held() -> Console {
        let mut console = Console::new(Ticket(1), "ada", false);
        answer(&mut console, 1, Response::Console(100, Vec::new()));
        answer(&mut console, 2, Response::Typed(7));
        assert_eq!(
            console.take_events().collect::<Vec<_>>(),
            [ConsoleEvent::Attached]
        );
        console
    }

    /// Sends the next request with this id, and answers it.
    fn answer(console: &mut Console, id: u32, response: Response) {
        console.next_request(NOW).unwrap();
        console.sent(id);
        console.outcome(NOW, id, Outcome::Answered(response));
    }

    fn output(console: &mut Console) -> Vec<u8> {
        let events = console.take_events();
        events
            .flat_map(|event| match event {
                ConsoleEvent::Output(octets) => octets,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn what_was_read_ahead_is_told_once_and_in_order() {
        let mut console = held();
        let all: Vec<u8> = (0..5000_u32).map(|it| it.to_be_bytes()[3]).collect();
        let piece = |from: u64, len: usize| {
            let at = usize::try_from(from - 100).unwrap();
            Outcome::Answered(Response::Console(from, all[at..at + len].to_vec()))
        };
        console.next_request(NOW).unwrap();
        console.sent(10);
        console.outcome(NOW, 10, piece(100, 1024));
        for id in [11, 12] {
            console.next_request(NOW).unwrap();
            console.sent(id);
        }
        assert!(console.next_request(NOW).is_none(), "the window is two");
        console.outcome(NOW, 12, piece(2148, 1024));
        console.outcome(NOW, 11, piece(1124, 500));
        assert_eq!(output(&mut console), all[..1524]);
        let (request, _) = console.next_request(NOW).unwrap();
        assert_eq!(request, Request::ConsoleRead(1624, 1624));
        console.sent(13);
        console.outcome(NOW, 13, piece(1624, 1024));
        assert_eq!(output(&mut console), all[1524..3072]);
    }

    #[test]
    fn what_is_typed_goes_on_where_the_service_processor_is() {
        let mut console = held();
        console.type_in(b"ls\n");
        let (request, _) = console.next_request(NOW).unwrap();
        assert_eq!(request, Request::ConsoleWrite(7, b"ls\n".to_vec()));
        console.sent(20);
        console.outcome(NOW, 20, Outcome::Answered(Response::Typed(9)));
        let (request, _) = console.next_request(NOW).unwrap();
        assert_eq!(request, Request::ConsoleWrite(9, b"\n".to_vec()));
    }

    #[test]
    fn whoever_holds_it_is_named_and_only_force_takes_it() {
        let by = || Response::Failed(Failure::Held("ada".into()));
        let mut console = Console::new(Ticket(1), "bob", false);
        answer(&mut console, 1, by());
        let held = Answer::Failed(Failure::Held("ada".into()));
        assert_eq!(
            console.take_events().collect::<Vec<_>>(),
            [ConsoleEvent::Ended(held)]
        );
        let mut console = Console::new(Ticket(1), "bob", true);
        answer(&mut console, 1, by());
        let asked = |console: &mut Console| console.next_request(NOW).unwrap().0;
        assert_eq!(asked(&mut console), Request::ConsoleAttach("ada".into()));
        console.sent(2);
        console.outcome(NOW, 2, Outcome::Answered(Response::Console(5, Vec::new())));
        assert_eq!(asked(&mut console), Request::ConsoleDetach);
        console.sent(3);
        console.outcome(NOW, 3, Outcome::Answered(Response::Done));
        assert_eq!(asked(&mut console), Request::ConsoleAttach("bob".into()));
    }

    #[test]
    fn a_reader_that_is_behind_is_waited_for() {
        let mut console = held();
        console.hold(true);
        assert!(console.next_request(NOW).is_none());
        assert_eq!(console.deadline(), Some(NOW.after(KEEP)));
        console.hold(false);
        assert!(console.next_request(NOW).is_some());
    }

    #[test]
    fn a_service_processor_that_starts_anew_is_attached_to_anew() {
        let mut console = held();
        answer(&mut console, 1, Response::Failed(Failure::NotHeld));
        let (request, _) = console.next_request(NOW).unwrap();
        assert_eq!(request, Request::ConsoleAttach("ada".into()));
    }
}
