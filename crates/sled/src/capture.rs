//! Captures: copies of a port's frames, on their way to whoever watches.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rackweave_api::local::{ApiError, Code};
use rackweave_api::sled::{
    CaptureBegun, CaptureEnd, CaptureRequest, Captured, CapturedPacket, Point,
};
use rackweave_daemon::conversation::Outbox;
use rackweave_engine::frame::{Checksum, Offload, SegmentKind};
use rackweave_linux::clock;
use rackweave_types::{Direction, Instant, PortId};
use tokio::sync::{Mutex, mpsc};

use crate::worker::{CapturePoint, CaptureSink, Captured as Seen};
use crate::workers::{WorkerGone, Workers};

/// Frames that wait to be told; more are lost, and counted.
const WAITING: usize = 4096;
/// How long a capture without limits runs at most: nobody forgets one for longer than a day.
const LONGEST: Duration = Duration::from_hours(24);

/// The captures that run: one for each port at most.
#[derive(Clone, Debug, Default)]
pub struct Captures {
    ports: Arc<Mutex<BTreeSet<PortId>>>,
}

impl Captures {
    /// Tells a client of a port's frames until it has enough.
    ///
    /// # Errors
    /// Where somebody else captures at the port.
    pub(crate) async fn run(
        &self,
        workers: &Workers,
        port: PortId,
        title: String,
        request: &CaptureRequest,
        outbox: Outbox,
    ) -> Result<(), ApiError> {
        if !self.ports.lock().await.insert(port) {
            return Err(ApiError::new(
                Code::Busy,
                format!("somebody captures at port {title} already"),
            )
            .next("wait until that capture has ended"));
        }
        let ran = capture(workers, port, title, request, outbox).await;
        self.ports.lock().await.remove(&port);
        Ok(ran?)
    }
}

async fn capture(
    workers: &Workers,
    port: PortId,
    title: String,
    request: &CaptureRequest,
    mut outbox: Outbox,
) -> Result<(), WorkerGone> {
    let clock = WallClock::read();
    let (sender, mut seen) = mpsc::channel(WAITING);
    let lost_before = set(workers, port, Some(CaptureSink::new(sender))).await?;
    let limit = request.limit.unwrap_or(u64::MAX);
    let time = request
        .for_ms
        .map_or(LONGEST, Duration::from_millis)
        .min(LONGEST);
    let end = tokio::time::sleep(time);
    tokio::pin!(end);
    let begun = Captured::Begun(CaptureBegun { port: title });
    let mut listens = outbox.send(begun, true).await.is_ok();
    let mut captured = 0;
    while listens && captured < limit {
        let frame = tokio::select! {
            frame = seen.recv() => frame,
            () = &mut end => None,
            _ = outbox.cancelled() => None,
        };
        let Some(frame) = frame else { break };
        let packet = told(frame, clock);
        if request.points.is_empty() || request.points.contains(&packet.point) {
            captured += 1;
            listens = outbox.send(Captured::Packet(packet), true).await.is_ok();
        }
    }
    let lost = set(workers, port, None).await?.saturating_sub(lost_before);
    let end = Captured::End(CaptureEnd { captured, lost });
    // Who has gone does not want to know.
    let _gone = outbox.send(end, false).await;
    Ok(())
}

/// Sets all workers' sinks for a port; returns how many copies they have lost so far.
async fn set(
    workers: &Workers,
    port: PortId,
    sink: Option<CaptureSink>,
) -> Result<u64, WorkerGone> {
    let workers = workers.clone();
    let set = tokio::task::spawn_blocking(move || {
        workers.run_on_all(move |worker| {
            worker.set_capture(port, sink.clone());
            worker.status().totals.capture_lost
        })
    });
    let lost = set.await.unwrap_or(Err(WorkerGone(0)))?;
    Ok(lost.into_iter().sum())
}

/// How the sled's clock relates to the calendar.
#[derive(Clone, Copy, Debug)]
struct WallClock {
    /// Nanoseconds since 1970 at the sled's start of time.
    start: u64,
}

impl WallClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the time of the day is asked: captures are read beside others"
    )]
    fn read() -> Self {
        let since_1970 = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let since_1970 = u64::try_from(since_1970.as_nanos()).unwrap_or(u64::MAX);
        Self {
            start: since_1970.saturating_sub(clock::now().nanos()),
        }
    }

    const fn at(self, instant: Instant) -> u64 {
        self.start.saturating_add(instant.nanos())
    }
}

fn told(seen: Seen, clock: WallClock) -> CapturedPacket {
    let (point, direction) = match seen.point {
        CapturePoint::GuestOut => (Point::Guest, Direction::Out),
        CapturePoint::GuestIn => (Point::Guest, Direction::In),
        CapturePoint::WireOut => (Point::Wire, Direction::Out),
        CapturePoint::WireIn => (Point::Wire, Direction::In),
    };
    let words = [seen.verdict, offload(seen.offload)];
    let words: Vec<String> = words.into_iter().flatten().collect();
    CapturedPacket {
        point,
        direction,
        at_ns: clock.at(seen.at),
        frame: hex(&seen.bytes),
        comment: words.join("; "),
    }
}

/// What is still to be done to a frame.
fn offload(offload: Offload) -> Option<String> {
    if let Some(segment) = offload.segment {
        let kind = match segment.kind {
            SegmentKind::Tcp => "tcp segments",
            SegmentKind::Udp => "udp datagrams",
        };
        return Some(format!("to be cut into {kind} of {} octets", segment.size));
    }
    matches!(offload.checksum, Checksum::Partial { .. })
        .then(|| "checksum to be completed".to_owned())
}

/// Octets in hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use rackweave_engine::frame::Segment;

    use super::*;

    #[test]
    fn a_packet_says_where_when_and_what_became_of_it() {
        let seen = Seen {
            point: CapturePoint::WireIn,
            at: Instant::from_nanos(7),
            bytes: Box::new([0x00, 0x1f, 0xff]),
            verdict: Some("drop rule_denied".to_owned()),
            offload: Offload {
                checksum: Checksum::Complete,
                segment: Some(Segment {
                    kind: SegmentKind::Tcp,
                    size: 1448,
                }),
            },
        };
        let packet = told(seen, WallClock { start: 1_000 });
        assert_eq!(
            (packet.point, packet.direction),
            (Point::Wire, Direction::In)
        );
        assert_eq!((packet.at_ns, packet.frame.as_str()), (1_007, "001fff"));
        assert_eq!(
            packet.comment,
            "drop rule_denied; to be cut into tcp segments of 1448 octets"
        );
    }
}
