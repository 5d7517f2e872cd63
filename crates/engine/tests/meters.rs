//! Rates of ports that are frozen and thawed: how far they are used up goes along.

use std::error::Error;
use std::time::Duration;

use rackweave_engine::{Direction, DropReason, Frame, Port, Verdict};
use rackweave_testkit::exchange::from_guest;
use rackweave_testkit::packet;
use rackweave_testkit::vpc::{SECRET, Scene};
use rackweave_types::state::Cap;
use rackweave_types::{Instant, PacketsPerSecond};

type Fault = Box<dyn Error>;

const BURST: u64 = 100;

/// `test` with 1,000 packets a second, and 100 at once.
fn scene() -> Result<Scene, Fault> {
    let mut scene = Scene::new()?;
    scene.test.caps.outbound = Cap {
        packets: Some(PacketsPerSecond::new(1_000)),
        burst_packets: Some(BURST),
        ..Cap::default()
    };
    Ok(scene)
}

/// Sends datagrams of one conversation until no more pass, but at most so many; how many did.
fn passed(scene: &Scene, port: &mut Port, most: u64, now: Instant) -> Result<u64, Fault> {
    let ends = from_guest(&scene.test, "10.0.1.5", "10.0.1.6")?;
    let datagram = packet::udp(&ends, (40_000, 7), b"hello");
    for count in 0..most {
        match port.process(Direction::Out, &mut Frame::new(&datagram), now) {
            Verdict::Forward => {}
            verdict => {
                assert_eq!(verdict, Verdict::Drop(DropReason::Metered));
                return Ok(count);
            }
        }
    }
    Ok(most)
}

#[test]
fn what_was_used_of_a_rate_stays_used() -> Result<(), Fault> {
    let scene = scene()?;
    let (limits, program) = (
        scene.program(&scene.test)?.limits,
        scene.compile(&scene.test)?,
    );
    let now = Instant::START.after(Duration::from_secs(1_000));
    let then = now.after(Duration::from_secs(1_000_000));
    // Shards before, shards after, and how many more may pass at once in the conversation's shard after 60 did. The
    // rate is shared out, the burst is each shard's: from two shards to one, the used 60 ms × 2 of one of them are 60
    // of the mean; from one to two, its 60 ms are 30 packets of each.
    for (from, to, left) in [(1, 1, 40), (2, 2, 40), (2, 1, 40), (1, 2, 70), (4, 2, 70)] {
        let mut port = Port::new(from, SECRET, limits, &program)?;
        assert_eq!(passed(&scene, &mut port, 60, now)?, 60);
        let frozen = port.freeze(now);
        let parts: Vec<&[u8]> = frozen.iter().map(Vec::as_slice).collect();
        let mut thawed = Port::thaw(to, SECRET, limits, &program, &parts, then)?;
        let told = format!("from {from} shards to {to}");
        assert_eq!(passed(&scene, &mut thawed, 200, then)?, left, "{told}");
        // It comes back at the rate.
        let later = then.after(Duration::from_millis(10 * u64::from(to)));
        assert_eq!(passed(&scene, &mut thawed, 200, later)?, 10, "{told}");
    }
    Ok(())
}

#[test]
fn a_rate_that_was_not_used_is_whole() -> Result<(), Fault> {
    let scene = scene()?;
    let (limits, program) = (
        scene.program(&scene.test)?.limits,
        scene.compile(&scene.test)?,
    );
    let now = Instant::START.after(Duration::from_secs(1_000));
    let frozen = Port::new(2, SECRET, limits, &program)?.freeze(now);
    let parts: Vec<&[u8]> = frozen.iter().map(Vec::as_slice).collect();
    for shards in [1, 2, 4] {
        let mut thawed = Port::thaw(shards, SECRET, limits, &program, &parts, now)?;
        assert_eq!(passed(&scene, &mut thawed, 200, now)?, BURST);
    }
    Ok(())
}
