//! Whether paths are as slow as was announced: verifies, and decides nothing.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::time::Duration;

use rackweave_types::Instant;

use super::Stamp;
use super::question::{LEN, Question};

/// At most 100 questions a second and node.
const PACE: Duration = Duration::from_millis(10);
/// Each path is asked about so often, where there are few.
const ROUND: Duration = Duration::from_secs(1);
/// A question without an answer after this time is lost.
const PATIENCE: Duration = Duration::from_secs(1);
/// Round trips that are remembered of each path.
const WINDOW: usize = 5;
/// A path is as was announced where it is off by less than this, or than a quarter.
const OFF_NS: u32 = 1_000_000;

/// A destination in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aim {
    /// Its address.
    pub to: Ipv6Addr,
    /// What the ways in use to it cost, as announced: round trips in nanoseconds, loss included.
    pub announced: Vec<u32>,
}

/// A question to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// To whom.
    pub to: Ipv6Addr,
    /// From which of our source ports.
    pub port: usize,
    /// Its number, for [`Paths::departed`].
    pub seq: u32,
    /// Its octets.
    pub bytes: [u8; LEN],
}

/// What was found of one destination from one source port: the kernel's hash has it that way always.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The destination.
    pub to: Ipv6Addr,
    /// Which of our source ports.
    pub port: usize,
    /// Median of the newest round trips, in nanoseconds; none where nothing was answered.
    pub rtt_ns: Option<u32>,
    /// The announced cost that is nearest to it.
    pub announced_ns: Option<u32>,
    /// Whether the two are further apart than a millisecond and a quarter.
    pub differs: bool,
    /// Lost of the newest eight questions.
    pub lost: u32,
}

/// What was counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PathCounts {
    /// Questions that were sent.
    pub asked: u64,
    /// Those that were answered.
    pub answered: u64,
    /// Those that were not.
    pub unanswered: u64,
    /// Answers by which a path is not as was announced.
    pub different: u64,
}

/// Asks about all destinations in use from each source port, in turn.
#[derive(Clone, Debug)]
pub struct Paths {
    token: u64,
    ports: usize,
    aims: Vec<Aim>,
    found: BTreeMap<(Ipv6Addr, usize), Found>,
    /// Which of all comes next.
    turn: usize,
    due: Option<Instant>,
    seq: u32,
    /// Questions that are not answered yet, by number.
    open: BTreeMap<u32, Open>,
    counts: PathCounts,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    to: Ipv6Addr,
    port: usize,
    asked: Instant,
    left: Stamp,
}

#[derive(Clone, Debug, Default)]
struct Found {
    rtts: Vec<u32>,
    /// A bit for each of the newest questions, the newest lowest; set where it was lost.
    lost: u8,
}

impl Found {
    fn rtt(&self) -> Option<u32> {
        let mut sorted = self.rtts.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied()
    }
}

impl Paths {
    /// Asks nobody yet. `token` is drawn at random; `ports` is how many source ports there are.
    #[must_use]
    pub const fn new(token: u64, ports: usize) -> Self {
        Self {
            token,
            ports,
            aims: Vec::new(),
            found: BTreeMap::new(),
            turn: 0,
            due: None,
            seq: 0,
            open: BTreeMap::new(),
            counts: PathCounts {
                asked: 0,
                answered: 0,
                unanswered: 0,
                different: 0,
            },
        }
    }

    /// These destinations are in use now, in the place of those before.
    pub fn aim(&mut self, now: Instant, aims: Vec<Aim>) {
        let used = |to: &Ipv6Addr| aims.iter().any(|aim| aim.to == *to);
        self.found.retain(|(to, _), _| used(to));
        self.due = (!aims.is_empty()).then(|| self.due.unwrap_or(now));
        self.aims = aims;
    }

    /// When [`transmit`](Self::transmit) has something to do.
    #[must_use]
    pub const fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// The question that is due. `stamp` is the time by the kernel's stamping clock, until the kernel tells better.
    pub fn transmit(&mut self, now: Instant, stamp: Stamp) -> Option<Asked> {
        self.due.filter(|due| *due <= now)?;
        self.give_up(now);
        let all = self.aims.len() * self.ports;
        let pause = u32::try_from(all).map_or(PACE, |all| ROUND / all.max(1));
        self.due = Some(now.after(pause.max(PACE)));
        self.turn = (self.turn + 1) % all.max(1);
        let to = self.aims.get(self.turn / self.ports.max(1))?.to;
        let port = self.turn % self.ports.max(1);
        self.seq = self.seq.wrapping_add(1);
        let open = Open {
            to,
            port,
            asked: now,
            left: stamp,
        };
        self.open.insert(self.seq, open);
        self.counts.asked += 1;
        let question = Question {
            token: self.token,
            seq: self.seq,
        };
        Some(Asked {
            to,
            port,
            seq: self.seq,
            bytes: question.emit(),
        })
    }

    /// A question left at this time.
    pub fn departed(&mut self, seq: u32, at: Stamp) {
        if let Some(open) = self.open.get_mut(&seq) {
            open.left = at;
        }
    }

    /// Octets arrived from an address, `at` by the kernel's stamp. Whether they answer a question of ours.
    pub fn receive(&mut self, from: Ipv6Addr, at: Stamp, bytes: &[u8]) -> bool {
        let answered =
            Question::answered(bytes).filter(|(question, _)| question.token == self.token);
        let Some((question, held)) = answered else {
            return false;
        };
        let open = self.open.get(&question.seq).copied();
        let Some(open) = open.filter(|open| open.to == from) else {
            return false;
        };
        self.open.remove(&question.seq);
        let rtt = at.since(open.left).saturating_sub(i64::from(held));
        let Some(rtt) = u32::try_from(rtt).ok() else {
            return false;
        };
        self.counts.answered += 1;
        let found = self.found.entry((open.to, open.port)).or_default();
        found.lost <<= 1;
        found.rtts.insert(0, rtt);
        found.rtts.truncate(WINDOW);
        let median = found.rtt().unwrap_or(rtt);
        let differs = self
            .nearest(open.to, median)
            .is_some_and(|near| off(near, median));
        self.counts.different += u64::from(differs);
        true
    }

    /// What was found, in the order of the destinations.
    #[must_use]
    pub fn verified(&self) -> Vec<Verified> {
        let all = self.found.iter().map(|((to, port), found)| {
            let rtt_ns = found.rtt();
            let announced_ns = rtt_ns.and_then(|rtt| self.nearest(*to, rtt));
            let pair = announced_ns.zip(rtt_ns);
            Verified {
                to: *to,
                port: *port,
                rtt_ns,
                announced_ns,
                differs: pair.is_some_and(|(announced, rtt)| off(announced, rtt)),
                lost: found.lost.count_ones(),
            }
        });
        all.collect()
    }

    /// What was counted.
    #[must_use]
    pub const fn counts(&self) -> PathCounts {
        self.counts
    }

    /// The announced cost that is nearest to a round trip.
    fn nearest(&self, to: Ipv6Addr, rtt: u32) -> Option<u32> {
        let aim = self.aims.iter().find(|aim| aim.to == to)?;
        let announced = aim.announced.iter().copied();
        announced.min_by_key(|cost| cost.abs_diff(rtt))
    }

    /// Counts what is no longer waited for.
    fn give_up(&mut self, now: Instant) {
        while let Some(first) = self.open.first_entry() {
            if now.since(first.get().asked) < PATIENCE {
                return;
            }
            let open = first.remove();
            self.counts.unanswered += 1;
            let found = self.found.entry((open.to, open.port)).or_default();
            found.lost = found.lost << 1 | 1;
        }
    }
}

fn off(announced: u32, rtt: u32) -> bool {
    rtt.abs_diff(announced) > OFF_NS.max(announced / 4)
}

#[cfg(test)]
mod tests {
    use super::super::question::answer;
    use super::*;

    const MS: u64 = 1_000_000;

    fn address(last: u16) -> Ipv6Addr {
        Ipv6Addr::new(0xfd00, 0, 0, last, 0, 0, 0, 1)
    }

    fn aims(announced: &[u32]) -> Vec<Aim> {
        let aim = |last| Aim {
            to: address(last),
            announced: announced.to_vec(),
        };
        [1, 2, 3].map(aim).to_vec()
    }

    /// Runs for so many milliseconds; a question takes as long as `rtt` says, or is lost.
    fn run(paths: &mut Paths, from: u64, ms: u64, rtt: impl Fn(&Asked) -> Option<u64>) -> usize {
        let mut asked = 0;
        for now in from..from + ms {
            let at = Instant::from_nanos(now * MS);
            while let Some(question) = paths.transmit(at, Stamp(now * MS)) {
                asked += 1;
                paths.departed(question.seq, Stamp(now * MS + 1000));
                if let Some(rtt) = rtt(&question) {
                    let answer = answer(&question.bytes, 500_000).unwrap();
                    let back = Stamp(now * MS + 1000 + rtt + 500_000);
                    assert!(!paths.receive(address(9), back, &answer), "another's");
                    assert!(paths.receive(question.to, back, &answer));
                    assert!(!paths.receive(question.to, back, &answer), "once");
                }
            }
        }
        asked
    }

    #[test]
    fn each_path_is_asked_about_in_turn_and_compared() {
        let mut paths = Paths::new(7, 2);
        paths.aim(Instant::START, aims(&[200_000, 5_200_000]));
        // From the second port, the second destination is 3 ms farther than announced.
        let rtt = |asked: &Asked| match (asked.to == address(2), asked.port) {
            (true, 1) => Some(8_200_000),
            (_, 1) => Some(5_000_000),
            _ => Some(210_000),
        };
        let asked = run(&mut paths, 1, 6000, rtt);
        assert!((34..=37).contains(&asked), "{asked} of about 6 a second");
        let verified = paths.verified();
        assert_eq!(verified.len(), 6);
        for found in &verified {
            assert_eq!(found.differs, (found.to, found.port) == (address(2), 1));
            let announced = if found.port == 1 { 5_200_000 } else { 200_000 };
            assert_eq!(found.announced_ns, Some(announced));
        }
        assert!(paths.counts().different >= 5);
        paths.aim(Instant::START, Vec::new());
        assert_eq!((paths.deadline(), paths.verified()), (None, Vec::new()));
    }

    #[test]
    fn never_more_than_a_hundred_a_second_and_losses_are_counted() {
        let mut paths = Paths::new(7, 8);
        let many = (0..200).map(|last| Aim {
            to: address(last),
            announced: Vec::new(),
        });
        paths.aim(Instant::START, many.collect());
        assert!(run(&mut paths, 1, 10_000, |_| None) <= 1001);
        let counts = paths.counts();
        assert_eq!(counts.answered, 0);
        assert!(counts.unanswered >= 890, "{counts:?}");
        assert!(paths.verified().iter().all(|found| found.lost == 1));
    }
}
