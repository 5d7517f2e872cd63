use proptest::prelude::*;

use super::*;

const MS: u64 = 1_000_000;

fn at(ms: u64) -> Instant {
    Instant::from_nanos(ms * MS)
}

fn session(mine: u32, settings: Settings) -> Session {
    Session::new(Instant::START, NonZeroU32::new(mine).unwrap(), settings)
}

/// Two sessions with a link between them that takes 1 ms, in virtual time.
struct Pair {
    ends: [Session; 2],
    now: u64,
    /// When it arrives, at which end, and what.
    flying: Vec<(u64, usize, Message)>,
    /// Whether what end 0 or 1 sends is lost.
    deaf: [bool; 2],
    changes: Vec<(u64, usize, Change)>,
    sent: [u64; 2],
    entropy: u32,
}

impl Pair {
    fn new(settings: [Settings; 2]) -> Self {
        Self {
            ends: [session(1, settings[0]), session(2, settings[1])],
            now: 0,
            flying: Vec::new(),
            deaf: [false; 2],
            changes: Vec::new(),
            sent: [0; 2],
            entropy: 1,
        }
    }

    fn run(&mut self, until: u64) {
        while self.now < until {
            let (arrived, flying) = std::mem::take(&mut self.flying)
                .into_iter()
                .partition(|(due, _, _)| *due <= self.now);
            self.flying = flying;
            for (_, to, message) in arrived {
                assert!(!(message.poll && message.is_final));
                let message = Message::parse(&message.emit()).unwrap();
                let change = self.ends[to].handle_message(at(self.now), &message);
                self.changes
                    .extend(change.map(|change| (self.now, to, change)));
            }
            for from in [0, 1] {
                let change = self.ends[from].handle_timeout(at(self.now));
                self.changes
                    .extend(change.map(|change| (self.now, from, change)));
                self.entropy = self
                    .entropy
                    .wrapping_mul(1_664_525)
                    .wrapping_add(1_013_904_223);
                let message = self.ends[from].poll_transmit(at(self.now), self.entropy >> 8);
                if let Some(message) = message {
                    self.sent[from] += 1;
                    if !self.deaf[from] {
                        self.flying.push((self.now + 1, 1 - from, message));
                    }
                }
            }
            self.now += 1;
        }
    }

    fn states(&self) -> [State; 2] {
        [self.ends[0].state(), self.ends[1].state()]
    }
}

#[test]
fn two_are_up_in_milliseconds_and_then_send_at_their_pace() {
    let mut pair = Pair::new([Settings::default(); 2]);
    pair.run(6);
    assert_eq!(pair.states(), [State::Up; 2]);
    pair.run(100);
    assert!(pair.ends.iter().all(|end| !end.polling));
    assert_eq!(
        pair.ends[0].detection_time(),
        Some(Duration::from_millis(30))
    );
    pair.sent = [0; 2];
    pair.run(10_100);
    // Intervals of 7.5 to 10 ms; whole milliseconds of the bench make 8 to 10 of them.
    assert!(pair.sent.iter().all(|sent| (1000..=1250).contains(sent)));
    assert!(pair.ends[0].remote_independent());
}

#[test]
fn silence_one_way_takes_both_down_and_its_end_brings_them_up() {
    let mut pair = Pair::new([Settings::default(); 2]);
    pair.run(200);
    pair.changes.clear();
    pair.deaf[0] = true;
    pair.run(2000);
    let [(first, 1, silent), (second, 0, told), ..] = pair.changes[..] else {
        panic!("{:?}", pair.changes);
    };
    assert!((220..=231).contains(&first), "held dead at {first} ms");
    assert_eq!(silent.cause, Cause::Silent(Duration::from_millis(30)));
    assert_eq!(second, first + 1);
    assert_eq!(told.cause, Cause::NeighborDown(Diagnostic::TIME_EXPIRED));
    pair.deaf[0] = false;
    pair.run(3100);
    assert_eq!(pair.states(), [State::Up; 2]);
}

#[test]
fn the_slower_side_sets_the_pace_and_the_faster_one_keeps_it() {
    let slow = Settings {
        desired_min_tx: Micros(50_000),
        required_min_rx: Micros(100_000),
        multiplier: 5,
    };
    let mut pair = Pair::new([Settings::default(), slow]);
    pair.run(3000);
    let [fast, slow] = &pair.ends;
    assert_eq!(fast.interval(), Some(Duration::from_millis(100)));
    assert_eq!(slow.interval(), Some(Duration::from_millis(50)));
    assert_eq!(fast.detection_time(), Some(Duration::from_millis(250)));
    assert_eq!(slow.detection_time(), Some(Duration::from_millis(300)));
}

#[test]
fn changed_intervals_count_once_they_are_confirmed() {
    let mut pair = Pair::new([Settings::default(); 2]);
    pair.run(200);
    let slower = Settings {
        desired_min_tx: Micros(40_000),
        required_min_rx: Micros(5_000),
        multiplier: 3,
    };
    pair.ends[0].set(slower);
    assert_eq!(pair.ends[0].interval(), Some(Duration::from_millis(10)));
    assert_eq!(
        pair.ends[0].detection_time(),
        Some(Duration::from_millis(30))
    );
    let message = pair.ends[0].poll_transmit(at(200), 0).unwrap();
    assert!(message.poll);
    assert_eq!(message.desired_min_tx, Micros(40_000));
    pair.run(230);
    assert_eq!(pair.ends[0].interval(), Some(Duration::from_millis(40)));
    assert_eq!(
        pair.ends[1].detection_time(),
        Some(Duration::from_millis(120))
    );
    pair.changes.clear();
    pair.run(2000);
    assert_eq!(pair.changes, []);
}

#[test]
fn who_is_shut_says_so_and_comes_back_as_another() {
    let mut pair = Pair::new([Settings::default(); 2]);
    pair.run(200);
    pair.changes.clear();
    pair.ends[0].shut(at(200));
    pair.run(210);
    assert_eq!(pair.states(), [State::AdminDown, State::Down]);
    assert_eq!(pair.changes[0].2.cause, Cause::NeighborAdminDown);
    assert!(!pair.ends[0].over(at(300)) && pair.ends[0].over(at(1200)));
    pair.ends[0] = Session::new(
        at(pair.now),
        NonZeroU32::new(77).unwrap(),
        Settings::default(),
    );
    pair.run(1300);
    assert_eq!(pair.states(), [State::Up; 2]);
}

#[test]
fn a_neighbour_that_starts_anew_is_noticed_at_once() {
    let mut pair = Pair::new([Settings::default(); 2]);
    pair.run(200);
    pair.changes.clear();
    pair.ends[1] = Session::new(at(200), NonZeroU32::new(3).unwrap(), Settings::default());
    pair.run(210);
    assert_eq!(pair.states(), [State::Up; 2]);
    assert_eq!(pair.changes[0].2.to, State::Down);
}

#[test]
fn no_messages_for_who_wants_none() {
    let mut end = session(1, Settings::default());
    let mut other = session(2, Settings::default());
    let mut message = other.poll_transmit(at(0), 0).unwrap();
    message.required_min_rx = Micros(0);
    end.handle_message(at(0), &message);
    assert_eq!(end.poll_transmit(at(0), 0), None);
    message.poll = true;
    end.handle_message(at(0), &message);
    assert!(end.poll_transmit(at(0), 0).unwrap().is_final);
    assert_eq!(end.poll_transmit(at(5000), 0), None);
}

fn any_message() -> impl Strategy<Value = Message> {
    let state = prop_oneof![
        Just(State::AdminDown),
        Just(State::Down),
        Just(State::Init),
        Just(State::Up)
    ];
    (any::<(u8, bool, bool, bool, u32, u32)>(), state, 1..=255_u8).prop_map(
        |((diagnostic, poll, is_final, demand, tx, rx), state, multiplier)| Message {
            diagnostic: Diagnostic(diagnostic & 0x1f),
            state,
            poll,
            is_final,
            independent: false,
            demand,
            multiplier,
            mine: NonZeroU32::MIN,
            yours: NonZeroU32::new(1),
            desired_min_tx: Micros(tx),
            required_min_rx: Micros(rx),
            required_min_echo_rx: Micros(0),
        },
    )
}

proptest! {
    /// Whatever a neighbour says: what we send keeps the rules, and we never fall into a loop of sending.
    #[test]
    fn what_is_sent_keeps_the_rules(
        steps in proptest::collection::vec((any_message(), 0..2000_u64, any::<u32>()), 1..40),
        multiplier in 1..4_u8,
    ) {
        let mut end = session(1, Settings { multiplier, ..Settings::default() });
        let mut now = 0;
        for (message, pause, entropy) in steps {
            end.handle_message(at(now), &message);
            let sent = end.poll_transmit(at(now), entropy);
            prop_assert!(sent.is_none_or(|sent| !(sent.poll && sent.is_final)));
            prop_assert!(sent.is_none_or(|sent| sent.is_final || message.required_min_rx.0 > 0));
            let slow = sent.is_none_or(|sent| sent.state == State::Up || sent.desired_min_tx >= SLOW);
            prop_assert!(slow);
            prop_assert!(sent.is_some() || !message.poll);
            // Everything due was sent: the next is at least three quarters of an interval away.
            prop_assert_eq!(end.poll_transmit(at(now), entropy), None);
            if let (Some(interval), Some(sent_at)) = (end.interval(), end.sent_at) {
                let due = end.due(end.jitter).unwrap().since(sent_at);
                let most = if multiplier == 1 { interval * 9 / 10 } else { interval };
                prop_assert!(due >= interval * 3 / 4 && due <= most);
            }
            now += pause;
            end.handle_timeout(at(now));
            if end.detection_time().is_none() {
                prop_assert!(end.state() != State::Up && end.state() != State::Init);
            }
        }
    }

    /// Up again whatever was lost before, once nothing is lost.
    #[test]
    fn it_heals(losses in proptest::collection::vec((any::<[bool; 2]>(), 1..300_u64), 0..12)) {
        let mut pair = Pair::new([Settings::default(); 2]);
        for (deaf, time) in losses {
            pair.deaf = deaf;
            pair.run(pair.now + time);
        }
        pair.deaf = [false; 2];
        pair.run(pair.now + 2100);
        prop_assert_eq!(pair.states(), [State::Up; 2]);
    }
}
