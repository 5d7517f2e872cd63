//! `rackweave sled capture`.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use rackweave_api::local::Canceller;
use rackweave_api::sled::{CaptureEnd, CaptureRequest, Captured, CapturedPacket, Point, Request};
use rackweave_daemon::output::{Failure, write_all, written};
use rackweave_types::{Direction, Instant};
use rackweave_wire::pcapng::{InterfaceId, Packet, PacketDirection, PcapngWriter};
use tokio::signal::unix::{SignalKind, signal};

use super::ShowArgs;
use super::show::{asking, connect};
use crate::control::{frame_text, octets_of};

/// What is captured, and where it goes.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  rackweave sled capture web                     a line for each packet
  rackweave sled capture web -w web.pcapng       a file for Wireshark
  rackweave sled capture web -w - | tshark -r -  straight into tshark
  rackweave sled capture web -c 100 --for 10s --point wire

Each packet carries the engine's verdict as a comment. Ctrl-C ends the capture with a whole file.")]
pub(super) struct CaptureArgs {
    /// The port.
    port: String,
    /// Where: between guest and engine, between engine and underlay, or both.
    #[arg(long, value_name = "WHERE", default_value = "both")]
    point: Where,
    /// Writes pcapng to this file; `-` is standard output.
    #[arg(short = 'w', long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Ends after so many packets.
    #[arg(short = 'c', long, value_name = "COUNT")]
    count: Option<u64>,
    /// Ends after this time, such as 500ms, 10s, 5m.
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    time: Option<Duration>,
    #[command(flatten)]
    show: ShowArgs,
}

/// Where packets are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Where {
    Guest,
    Wire,
    Both,
}

/// A time with its unit.
fn time(text: &str) -> Result<Duration, String> {
    let wrong = || "a number with its unit: ms, s, m or h, such as 10s".to_owned();
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    let millis = match text.strip_prefix(digits) {
        Some("ms") => 1,
        Some("s") => 1000,
        Some("m") => 60_000,
        Some("h") => 3_600_000,
        _ => return Err(wrong()),
    };
    number
        .checked_mul(millis)
        .map(Duration::from_millis)
        .ok_or_else(wrong)
}

pub(super) fn capture(args: &CaptureArgs) -> Result<(), Failure> {
    let request = Request::Capture(CaptureRequest {
        port: args.port.clone(),
        points: match args.point {
            Where::Guest => vec![Point::Guest],
            Where::Wire => vec![Point::Wire],
            Where::Both => Vec::new(),
        },
        limit: args.count,
        for_ms: args
            .time
            .map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
    });
    let mut client = connect(&args.show)?;
    let mut replies = client.request::<_, Captured>(&request).map_err(asking)?;
    let cancel = replies.canceller().map_err(|error| no_more(&error))?;
    let mut own_cancel = replies.canceller().map_err(|error| no_more(&error))?;
    end_by_signal(cancel)?;
    let mut sink = None;
    let mut end = CaptureEnd::default();
    let mut outcome = Ok(());
    while let Some(reply) = replies.next_reply().map_err(asking)? {
        let taken = match (reply, &mut sink) {
            (Captured::Begun(begun), None) => {
                tell(&format!("capturing at port {}; Ctrl-C ends it", begun.port));
                sink = Some(Sink::open(args, &begun.port)?);
                Ok(())
            }
            (Captured::Packet(packet), Some(sink)) if outcome.is_ok() => sink.packet(&packet),
            (Captured::End(last), _) => {
                end = last;
                Ok(())
            }
            _ => Ok(()),
        };
        if let Err(error) = taken {
            // Whoever read it has had enough, or the disk is full: the sled need not go on.
            outcome = Err(error);
            own_cancel.cancel().map_err(asking)?;
        }
    }
    tell(&format!(
        "{} packets captured, {} lost because they came too fast",
        end.captured, end.lost
    ));
    written(outcome)
}

fn no_more(error: &io::Error) -> Failure {
    Failure::new("cannot capture").cause(error.to_string())
}

/// Says something beside the capture.
fn tell(text: &str) {
    // Nobody is left to be told where this fails.
    let _told = writeln!(io::stderr(), "{text}");
}

/// Ends the capture when the person wants it to end; the last replies still come.
fn end_by_signal(mut cancel: Canceller) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| no_more(&error))?;
    let signals = {
        let _inside = runtime.enter();
        signal(SignalKind::interrupt())
            .and_then(|interrupt| Ok((interrupt, signal(SignalKind::terminate())?)))
            .map_err(|error| no_more(&error))?
    };
    let wait = move || {
        let (mut interrupt, mut terminate) = signals;
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        // Where the sled is gone the capture ends by itself.
        let _gone = cancel.cancel();
    };
    let thread = std::thread::Builder::new().name("signals".to_owned());
    thread
        .spawn(wait)
        .map(drop)
        .map_err(|error| no_more(&error))
}

/// Where packets go.
enum Sink {
    Lines,
    Pcapng {
        writer: PcapngWriter,
        guest: InterfaceId,
        wire: InterfaceId,
        to: Box<dyn Write>,
    },
}

impl Sink {
    fn open(args: &CaptureArgs, port: &str) -> Result<Self, Failure> {
        let Some(path) = &args.write else {
            return Ok(Self::Lines);
        };
        let to: Box<dyn Write> = if path.as_os_str() == "-" {
            Box::new(io::stdout())
        } else {
            Box::new(File::create(path).map_err(|error| {
                Failure::new(format!("cannot write {}", path.display())).cause(error.to_string())
            })?)
        };
        let mut sink = Self::pcapng(port, to)?;
        written(sink.pass_on())?;
        Ok(sink)
    }

    fn pcapng(port: &str, to: Box<dyn Write>) -> Result<Self, Failure> {
        let failed = |error: rackweave_wire::pcapng::PcapngWriteError| {
            Failure::new("cannot write the capture").cause(error.to_string())
        };
        let mut writer = PcapngWriter::new("rackweave").map_err(failed)?;
        let guest = format!("between the guest and the engine, port {port}");
        let wire = format!("between the engine and the underlay, port {port}");
        Ok(Self::Pcapng {
            guest: writer.interface("guest", &guest).map_err(failed)?,
            wire: writer.interface("wire", &wire).map_err(failed)?,
            writer,
            to,
        })
    }

    fn packet(&mut self, packet: &CapturedPacket) -> io::Result<()> {
        let octets = octets_of(&packet.frame)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
        match self {
            Self::Lines => write_all(line(packet, &octets).as_bytes()),
            Self::Pcapng {
                writer,
                guest,
                wire,
                ..
            } => {
                let (interface, direction) = match (packet.point, packet.direction) {
                    (Point::Guest, Direction::Out) => (*guest, PacketDirection::Inbound),
                    (Point::Guest, Direction::In) => (*guest, PacketDirection::Outbound),
                    (Point::Wire, Direction::Out) => (*wire, PacketDirection::Outbound),
                    (Point::Wire, Direction::In) => (*wire, PacketDirection::Inbound),
                };
                let added = writer.packet(&Packet {
                    interface,
                    time: Instant::from_nanos(packet.at_ns),
                    direction: Some(direction),
                    frame: &octets,
                    comment: &packet.comment,
                });
                added.map_err(|error| {
                    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
                })?;
                self.pass_on()
            }
        }
    }

    /// Writes what the writer has: the file is whole behind every packet.
    fn pass_on(&mut self) -> io::Result<()> {
        if let Self::Pcapng { writer, to, .. } = self {
            to.write_all(&writer.take())?;
            to.flush()?;
        }
        Ok(())
    }
}

/// A packet in a line: time of day (UTC), where, which way, what, and what became of it.
fn line(packet: &CapturedPacket, octets: &[u8]) -> String {
    let micros = packet.at_ns / 1000;
    let (seconds, rest) = (micros / 1_000_000 % 86_400, micros % 1_000_000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let point = match packet.point {
        Point::Guest => "guest",
        Point::Wire => "wire",
    };
    let way = match packet.direction {
        Direction::Out => "out",
        Direction::In => "in",
    };
    let comment = if packet.comment.is_empty() {
        String::new()
    } else {
        format!("  # {}", packet.comment)
    };
    let text = frame_text(octets);
    format!("{hours:02}:{minutes:02}:{seconds:02}.{rest:06} {point:<5} {way:<3} {text}{comment}\n")
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use rackweave_testkit::packet::{FrameBuilder, Tunnel};
    use rackweave_wire::pcapng::{Block, Blocks};

    use super::*;

    fn packet(point: Point, direction: Direction, octets: &[u8]) -> CapturedPacket {
        CapturedPacket {
            point,
            direction,
            at_ns: 1_700_000_000_123_456_789,
            frame: crate::capture::hex(octets),
            comment: "forward".to_owned(),
        }
    }

    #[derive(Clone, Default)]
    struct Shared(Rc<RefCell<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_capture_is_a_whole_file_behind_every_packet() {
        let written = Shared::default();
        let mut sink = Sink::pcapng("1 (web)", Box::new(written.clone())).unwrap();
        let syn = FrameBuilder::tcp("10.0.0.5:1", "10.0.0.6:80").syn().build();
        for (count, direction) in (1..).zip([Direction::Out, Direction::In]) {
            sink.packet(&packet(Point::Guest, direction, &syn)).unwrap();
            let bytes = written.0.borrow();
            let blocks: Vec<_> = Blocks::new(&bytes).collect::<Result<_, _>>().unwrap();
            let packets: Vec<_> = blocks
                .iter()
                .filter_map(|block| match block {
                    Block::Packet(packet) => Some(packet),
                    _ => None,
                })
                .collect();
            assert_eq!(packets.len(), count);
            let last = packets.last().unwrap();
            assert_eq!(
                (last.frame, last.comment, last.interface),
                (&*syn, "forward", 0)
            );
        }
    }

    #[test]
    fn a_line_tells_when_where_and_what() {
        let syn = FrameBuilder::tcp("10.0.0.5:1", "10.0.0.6:80").syn().build();
        let wrapped = Tunnel::new("fd00:1:2:101::1", "fd00:1:2:102::1", 5000).wrap(&syn);
        assert_eq!(
            line(&packet(Point::Wire, Direction::Out, &wrapped), &wrapped),
            "22:13:20.123456 wire  out 10.0.0.5:1 > 10.0.0.6:80 tcp [S], in fd00:1:2:101::1 > fd00:1:2:102::1 vni 5000  # forward\n"
        );
    }

    #[test]
    fn times_have_a_unit() {
        assert_eq!(time("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(time("5m"), Ok(Duration::from_mins(5)));
        for wrong in [
            "",
            "10",
            "s",
            "10d",
            "-1s",
            "99999999999999999999s",
            "18446744073709551615h",
        ] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
