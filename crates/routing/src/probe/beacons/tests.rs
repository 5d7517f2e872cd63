use proptest::prelude::*;

use super::*;

const MS: u64 = 1_000_000;
const KEY: Key = [5; 32];

/// Two neighbours with a link between them, in virtual time of a tenth of a millisecond a step.
struct Bench {
    ends: [Beacons; 2],
    /// In nanoseconds.
    now: u64,
    /// When it arrives, at which end, and what.
    flying: Vec<(u64, usize, [u8; LEN])>,
    /// What a beacon of each end takes, in nanoseconds.
    delay: [u64; 2],
    /// Lost of a thousand that an end sends.
    loss: [u32; 2],
    /// Noise: so many of a hundred beacons wait up to 6 ms more.
    noisy: u32,
    chance: u64,
    reports: Vec<(u64, usize, Estimate)>,
    sent: usize,
}

impl Bench {
    fn new(seed: u64) -> Self {
        let now = Instant::START;
        Self {
            ends: [Beacons::new(now, 1, KEY), Beacons::new(now, 2, KEY)],
            now: 0,
            flying: Vec::new(),
            delay: [50_000; 2],
            loss: [0; 2],
            noisy: 0,
            chance: seed | 1,
            reports: Vec::new(),
            sent: 0,
        }
    }

    fn draw(&mut self, below: u32) -> u32 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        u32::try_from(self.chance >> 40).unwrap() % below
    }

    fn run(&mut self, ms: u64) {
        let until = self.now + ms * MS;
        while self.now < until {
            self.step();
            self.now += 100_000;
        }
    }

    fn step(&mut self) {
        let now = Instant::from_nanos(self.now);
        let due = |(due, _, _): &(u64, usize, [u8; LEN])| *due <= self.now;
        let mut arrived: Vec<_> = self.flying.extract_if(.., |frame| due(frame)).collect();
        arrived.sort_unstable_by_key(|frame| frame.0);
        for (at, to, bytes) in arrived {
            let stamp = stamp(to, at);
            let report = self.ends[to].receive(now, stamp, &bytes).unwrap();
            let report = report.map(|estimate| (self.now / MS, to, estimate));
            self.reports.extend(report);
        }
        for from in [0, 1] {
            let Some(beacon) = self.ends[from].transmit(now, stamp(from, self.now)) else {
                continue;
            };
            self.sent += 1;
            // The program's clock and the kernel's stamp lie apart.
            let left = self.now + 30_000;
            let stamp = stamp(from, left);
            self.ends[from].departed(beacon.seq, stamp);
            let noise = if self.draw(100) < self.noisy {
                u64::from(self.draw(6_000_000))
            } else {
                u64::from(self.draw(20_000))
            };
            if self.draw(1000) >= self.loss[from] {
                let due = left + self.delay[from] + noise;
                self.flying.push((due, 1 - from, beacon.bytes));
            }
        }
    }

    fn latest(&self, end: usize) -> Estimate {
        self.ends[end].reported().unwrap()
    }

    /// When an end first reported what is looked for, after the reports were cleared at `since`.
    fn when(&self, end: usize, since: u64, found: impl Fn(&Estimate) -> bool) -> Option<u64> {
        let mut of_end = self.reports.iter().filter(|report| report.1 == end);
        let report = of_end.find(|report| found(&report.2))?;
        Some(report.0 - since / MS)
    }
}

/// The clock of an end: they have nothing to do with each other.
fn stamp(end: usize, at: u64) -> Stamp {
    Stamp(at + [7_000_000_000_000, 1_000_000_000_000_000][end])
}

#[test]
fn a_round_trip_is_what_the_link_takes_and_is_known_at_once() {
    let mut bench = Bench::new(3);
    bench.delay = [200_000, 100_000];
    bench.run(100);
    for end in [0, 1] {
        assert!(bench.when(end, 0, |_| true).unwrap() <= 60);
        let rtt = bench.latest(end).rtt_ns;
        assert!((300_000..350_000).contains(&rtt), "{rtt}");
        assert_eq!(bench.latest(end).loss_ppm, 0);
    }
    bench.run(1000);
    bench.sent = 0;
    bench.run(10_000);
    assert!((990..=1350).contains(&bench.sent), "{} beacons", bench.sent);
}

#[test]
fn delay_is_reported_within_150_ms_and_once() {
    for (seed, delay) in [(5, [5_050_000, 50_000]), (6, [50_000, 5_050_000])] {
        let mut bench = Bench::new(seed);
        bench.run(3000);
        for delay in [delay, [50_000; 2], delay, [50_000; 2]] {
            bench.reports.clear();
            let since = bench.now;
            bench.delay = delay;
            bench.run(3000);
            let rtt = delay[0] + delay[1];
            for end in [0, 1] {
                let near = |estimate: &Estimate| u64::from(estimate.rtt_ns).abs_diff(rtt) < 200_000;
                let when = bench.when(end, since, near).unwrap();
                assert!(when <= 150, "after {when} ms");
            }
            assert_eq!(bench.reports.len(), 2, "{:?}", bench.reports);
        }
    }
}

#[test]
fn a_tenth_lost_is_reported_soon_and_so_is_its_end() {
    let mut times = Vec::new();
    for seed in 1..=40 {
        let mut bench = Bench::new(seed * 1_000_003);
        bench.run(3000);
        bench.reports.clear();
        let since = bench.now;
        bench.loss[usize::from(seed % 2 == 0)] = 100;
        bench.run(5000);
        for end in [0, 1] {
            let lossy = |estimate: &Estimate| estimate.loss_ppm >= 30_000;
            times.push(bench.when(end, since, lossy).unwrap());
            let ppm = bench.latest(end).loss_ppm;
            assert!((45_000..220_000).contains(&ppm), "{ppm}");
        }
        bench.loss = [0; 2];
        bench.run(5000);
        assert_eq!(bench.latest(0).loss_ppm, 0);
        assert_eq!(bench.latest(1).loss_ppm, 0);
        assert!(bench.reports.len() <= 24, "{:?}", bench.reports);
    }
    times.sort_unstable();
    assert!(times[times.len() / 2] <= 450, "{times:?}");
    assert!(times[times.len() * 9 / 10] <= 750, "{times:?}");
}

#[test]
fn noise_of_a_loaded_machine_is_not_reported() {
    for seed in 1..=20 {
        let mut bench = Bench::new(seed);
        bench.run(2000);
        bench.reports.clear();
        bench.noisy = 15;
        bench.run(30_000);
        assert_eq!(bench.reports, []);
    }
}

#[test]
fn a_stray_loss_is_not_reported() {
    let mut bench = Bench::new(9);
    bench.run(2000);
    bench.reports.clear();
    for _ in 0..20 {
        bench.flying.clear();
        bench.run(20);
        bench.flying.clear();
        bench.run(3000);
    }
    assert_eq!(bench.reports, []);
}

#[test]
fn a_new_key_loses_no_beacon_whoever_has_it_first() {
    let mut bench = Bench::new(4);
    bench.run(2000);
    for round in 0..6_u8 {
        let first = usize::from(round % 2);
        let now = |bench: &Bench| Instant::from_nanos(bench.now);
        let at = now(&bench);
        bench.ends[first].rekey(at, [round; 32]);
        bench.run(u64::from(round) * 30);
        let at = now(&bench);
        bench.ends[1 - first].rekey(at, [round; 32]);
        bench.run(2000);
    }
    let lost = bench.ends.iter().map(|end| end.estimator.inward.of_all());
    assert_eq!(lost.sum::<u32>(), 0);
}

#[test]
fn after_a_dead_time_the_gap_does_not_count() {
    let mut bench = Bench::new(8);
    bench.run(2000);
    bench.loss = [1000; 2];
    bench.run(500);
    bench.loss = [0; 2];
    let now = Instant::from_nanos(bench.now);
    for end in &mut bench.ends {
        end.begin_anew(now);
    }
    bench.reports.clear();
    bench.run(5000);
    assert_eq!(bench.reports, []);
}

#[test]
fn who_begins_to_count_anew_is_understood_and_the_past_is_not() {
    let mut bench = Bench::new(8);
    bench.run(1000);
    let old = bench.ends[1].clone();
    bench.ends[1] = Beacons::new(Instant::from_nanos(bench.now), 77, KEY);
    bench.flying.clear();
    bench.run(1000);
    let rtt = bench.latest(1).rtt_ns;
    assert!((100_000..160_000).contains(&rtt), "{rtt}");
    assert_eq!(bench.latest(0).loss_ppm, 0);
    let now = Instant::from_nanos(bench.now);
    let mut old = old;
    let replayed = old.transmit(now, Stamp(1)).unwrap().bytes;
    let end = &mut bench.ends[0];
    let refused = end.receive(now, Stamp(1), &replayed);
    assert_eq!(refused, Err(BeaconError::Instance));
    let own = end.transmit(now.after(LOOK), Stamp(1)).unwrap().bytes;
    assert_eq!(end.receive(now, Stamp(1), &own), Err(BeaconError::Instance));
}

proptest! {
    /// However beacons are reordered and repeated: each counts once.
    #[test]
    fn each_counts_once(order in proptest::collection::vec(0..40_usize, 1..120)) {
        let now = Instant::START;
        let mut from = Beacons::new(now, 9, KEY);
        let mut to = Beacons::new(now, 10, KEY);
        let beacons: Vec<_> = (0..40_u64)
            .map(|turn| from.transmit(Instant::from_nanos(turn * 20 * MS), Stamp(turn)).unwrap())
            .collect();
        let mut seen = std::collections::BTreeSet::new();
        let mut oldest = None;
        for at in order {
            let taken = to.receive(now, Stamp(1), &beacons[at].bytes).is_ok();
            let first = *oldest.get_or_insert(at);
            // Those before the first one were never expected, but count where they come.
            prop_assert_eq!(taken, seen.insert(at), "{} after {}", at, first);
        }
        let said = to.transmit(now, Stamp(2)).unwrap();
        let (said, _) = Beacon::parse(&said.bytes, &[KEY]).unwrap();
        prop_assert_eq!(usize::try_from(said.received).unwrap(), seen.len());
        prop_assert_eq!(usize::try_from(said.echo).unwrap(), seen.last().unwrap() + 1);
    }

    #[test]
    fn no_sense_panics(said in proptest::collection::vec((any::<[u32; 5]>(), any::<u64>(), any::<Option<u32>>()), 1..50)) {
        let now = Instant::START;
        let mut end = Beacons::new(now, 1, KEY);
        let mut at = now;
        for ([instance, seq, echo_instance, echo, received], stamp, held) in said {
            let instance = instance % 4 + 1;
            let (seq, echo) = (seq % 200, echo % 200);
            let echo_instance = echo_instance % 3;
            let beacon = Beacon { closer: false, instance, seq, echo_instance, echo, received, held };
            let report = end.receive(at, Stamp(stamp), &beacon.emit(&KEY));
            prop_assert!(report.is_ok() || instance == 1 || seq == 0 || end.neighbor.is_some());
            at = end.deadline();
            end.transmit(at, Stamp(stamp));
        }
    }
}
