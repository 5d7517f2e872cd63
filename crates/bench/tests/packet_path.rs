//! The packet path as the figures measure it: it allocates nothing, and a batch does what single
//! packets do.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use rackweave_bench::established::{Established, How};
use rackweave_bench::network;
use rackweave_bench::opening::Opening;
use rackweave_bench::traffic::{self, Kind, Part};
use rackweave_engine::{Direction, Frame, Verdict};
use rackweave_types::Instant;

/// The system's allocator, which counts what each thread asks of it.
struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

#[expect(unsafe_code, reason = "an allocator can be made in no other way")]
// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps to `GlobalAlloc::alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps to `GlobalAlloc::dealloc`, and `place` came from `System`.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps to `GlobalAlloc::realloc`, and `place` came from `System`.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const WAYS: [Direction; 2] = [Direction::Out, Direction::In];

fn allocations(work: impl FnOnce()) -> u64 {
    let before = COUNT.get();
    work();
    COUNT.get() - before
}

#[test]
fn allocations_are_counted() {
    assert_eq!(
        allocations(|| drop(std::hint::black_box(vec![0_u8; 100]))),
        1
    );
}

#[test]
fn packets_of_established_flows_allocate_nothing() {
    for kind in Kind::ALL {
        let mut flows = Established::open(kind, 64).unwrap();
        for direction in WAYS {
            for how in [How::Single, How::Batch] {
                flows.prepare(direction);
                let made = allocations(|| flows.send(how).unwrap());
                assert_eq!(made, 0, "{kind:?} {direction} {how:?}");
                flows.timed(how).expect("no layer is asked");
            }
        }
    }
}

#[test]
fn new_flows_to_a_known_host_allocate_nothing() {
    for kind in Kind::ALL {
        for direction in WAYS {
            // The first round makes the shard know the boundary's end of the tunnel.
            let mut flows = Opening::new(kind, direction, 256, 256).unwrap();
            flows.send(How::Single).unwrap();
            flows.end();
            assert_eq!(
                allocations(|| flows.send(How::Single).unwrap()),
                0,
                "{kind:?} {direction}"
            );
        }
    }
}

/// Packets of all kinds, malformed ones and first ones among them, in one order.
fn mixture(direction: Direction) -> Vec<Frame> {
    let mut frames = Vec::new();
    for flow in 0..40 {
        for kind in Kind::ALL {
            for part in [Part::First, Part::Data, Part::Answer] {
                let mut packet = traffic::frame(kind, flow, direction, part);
                match flow % 8 {
                    3 => packet.truncate(packet.len() - 5),
                    5 => packet[14] ^= 0x30,
                    7 => packet[6] ^= 0x04,
                    _ => {}
                }
                frames.push(Frame::new(&packet));
            }
        }
    }
    frames
}

#[test]
fn a_batch_does_what_single_packets_do() {
    let now = Instant::from_nanos(1);
    let mut single = network::shard(64).unwrap();
    let mut batch = network::shard(64).unwrap();
    for direction in [Direction::Out, Direction::In, Direction::Out, Direction::In] {
        let mut one_by_one = mixture(direction);
        let mut together = one_by_one.clone();
        let send = |frame: &mut Frame| single.process(direction, frame, now);
        let expected: Vec<Verdict> = one_by_one.iter_mut().map(send).collect();
        let mut verdicts = vec![Verdict::Punt; together.len()];
        batch.process_batch(direction, &mut together, now, &mut verdicts);
        assert_eq!(verdicts, expected);
        for (frame, expected) in together.iter().zip(&one_by_one) {
            assert_eq!(frame.bytes(), expected.bytes());
        }
        assert_eq!(batch.counters(), single.counters());
        assert!(verdicts.contains(&Verdict::Forward));
        assert!(
            verdicts
                .iter()
                .any(|verdict| matches!(verdict, Verdict::Drop(_)))
        );
    }
}
