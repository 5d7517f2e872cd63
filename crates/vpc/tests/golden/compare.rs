//! Captures against those that are known to be right.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

use rackweave_engine::parse::{Parsed, parse_outer};
use rackweave_wire::pcapng::{Block, Blocks, PacketBlock};

/// Set to `1`, this writes the captures anew.
const BLESS: &str = "RACKWEAVE_BLESS";

/// Octets in a row of a hex dump.
const ROW: usize = 16;

/// Where the captures are.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/captures")
}

/// Compares a capture with the one of this name, or becomes it where the environment says so.
pub(crate) fn with_golden(name: &str, now: &[u8]) -> Result<(), String> {
    let path = folder().join(format!("{name}.pcapng"));
    if env::var_os(BLESS).is_some_and(|value| value == "1") {
        return fs::write(&path, now).map_err(|error| format!("{}: {error}", path.display()));
    }
    let golden = fs::read(&path).map_err(|error| {
        let path = path.display();
        format!("{path} cannot be read: {error}; {BLESS}=1 writes the captures anew")
    })?;
    difference(&golden, now).map_or(Ok(()), |what| {
        Err(format!(
            "{} is not what the engine does now: {what}\nRight so? {BLESS}=1 writes it anew.",
            path.display()
        ))
    })
}

/// The first difference between two captures, for people; `None` where there is none.
fn difference(golden: &[u8], now: &[u8]) -> Option<String> {
    if golden == now {
        return None;
    }
    let (golden, now) = match (blocks(golden), blocks(now)) {
        (Ok(golden), Ok(now)) => (golden, now),
        (Err(error), _) => return Some(format!("the golden capture is broken: {error}")),
        (_, Err(error)) => return Some(format!("the capture of now is broken: {error}")),
    };
    let (mut packets, mut places) = (0, golden.iter().zip(&now));
    let [total, total_now] = [&golden, &now].map(|blocks| {
        let is_packet = |block: &&Block<'_>| matches!(block, Block::Packet(_));
        blocks.iter().filter(is_packet).count()
    });
    let first = places.find(|(golden, now)| {
        packets += usize::from(matches!(golden, Block::Packet(_)));
        golden != now
    });
    Some(match first {
        Some((Block::Packet(golden), Block::Packet(now))) => {
            let what = packet_difference(golden, now);
            format!("packet {packets} of {total} differs\n{what}")
        }
        Some((golden, now)) => format!("golden {golden:?}\nnow    {now:?}"),
        None if golden.len() == now.len() => "its blocks are written otherwise".to_owned(),
        None => format!("it has {total} packets, now there are {total_now}"),
    })
}

fn blocks(bytes: &[u8]) -> Result<Vec<Block<'_>>, String> {
    let blocks: Result<_, _> = Blocks::new(bytes).collect();
    blocks.map_err(|error| error.to_string())
}

fn packet_difference(golden: &PacketBlock<'_>, now: &PacketBlock<'_>) -> String {
    let mut text = String::new();
    let mut field = |name: &str, golden: String, now: String| {
        if golden != now {
            let _ = writeln!(text, "  {name}\n    golden {golden}\n    now    {now}");
        }
    };
    field(
        "interface",
        golden.interface.to_string(),
        now.interface.to_string(),
    );
    field(
        "direction",
        format!("{:?}", golden.direction),
        format!("{:?}", now.direction),
    );
    field(
        "time in ns",
        golden.time.nanos().to_string(),
        now.time.nanos().to_string(),
    );
    field("comment", golden.comment.to_owned(), now.comment.to_owned());
    let at = (0..golden.frame.len().max(now.frame.len()))
        .find(|at| golden.frame.get(*at) != now.frame.get(*at));
    if let Some(at) = at {
        let (place, frames) = (place(golden.frame, at), [golden.frame, now.frame]);
        let [len, len_now] = frames.map(<[u8]>::len);
        let _ = writeln!(
            text,
            "  frame of {len} octets, {len_now} now: from octet {at:#06x} on ({place})"
        );
        text.push_str(&hex_difference(golden.frame, now.frame));
    }
    text
}

/// Rows of a hex dump: once where they are the same, and under one another where they differ, with
/// the octets marked.
fn hex_difference(golden: &[u8], now: &[u8]) -> String {
    let mut text = String::new();
    for start in (0..golden.len().max(now.len())).step_by(ROW) {
        let row = |frame: &[u8]| {
            let octets = frame.get(start..frame.len().min(start + ROW));
            octets.unwrap_or_default().to_vec()
        };
        let (golden, now) = (row(golden), row(now));
        if golden == now {
            let _ = writeln!(text, "    {start:04x}         {}", hex(&golden));
            continue;
        }
        let mark = |at| {
            let same = golden.get(at) == now.get(at);
            if same { "   " } else { "^^ " }
        };
        let marks: String = (0..ROW).map(mark).collect();
        let _ = writeln!(text, "    {start:04x} golden  {}", hex(&golden));
        let _ = writeln!(text, "         now     {}", hex(&now));
        let _ = writeln!(text, "                 {}", marks.trim_end());
    }
    text
}

fn hex(octets: &[u8]) -> String {
    let octets: Vec<String> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    octets.join(" ")
}

/// In which header of a frame an octet is.
fn place(frame: &[u8], at: usize) -> String {
    match parse_outer(frame) {
        Ok(outer) => {
            let inner = usize::from(outer.len);
            match at {
                0..14 => "outer ethernet".to_owned(),
                14..54 => "outer ipv6".to_owned(),
                54..62 => "outer udp".to_owned(),
                at if at < inner => "geneve".to_owned(),
                at => format!("inner {}", place_in(&frame[inner..], at - inner)),
            }
        }
        Err(_) => place_in(frame, at).to_owned(),
    }
}

fn place_in(frame: &[u8], at: usize) -> &'static str {
    let Ok(parsed) = Parsed::parse(frame) else {
        return "frame that the engine cannot read";
    };
    let upper = parsed.is_ip() && at >= usize::from(parsed.l4);
    match at {
        at if at < usize::from(parsed.l3) => "ethernet",
        _ if upper => "behind the ip header",
        _ if parsed.is_ip() => "ip header",
        _ => "arp",
    }
}

#[cfg(test)]
mod tests {
    use rackweave_types::Instant;
    use rackweave_wire::pcapng::{Packet, PcapngWriter};

    use super::*;

    fn capture(frames: &[&[u8]], comment: &str) -> Vec<u8> {
        let mut writer = PcapngWriter::new("a test").unwrap();
        let interface = writer.interface("guest", "").unwrap();
        for frame in frames {
            let packet = Packet {
                interface,
                time: Instant::START,
                direction: None,
                frame,
                comment,
            };
            writer.packet(&packet).unwrap();
        }
        writer.finish()
    }

    #[test]
    fn equal_captures_have_no_difference() {
        let capture = capture(&[&[1; 60]], "");
        assert_eq!(difference(&capture, &capture), None);
    }

    #[test]
    fn an_octet_is_found_with_its_packet_and_place() {
        let first = rackweave_testkit::packet::FrameBuilder::udp("10.0.0.1:1", "10.0.0.2:2");
        let golden = first.clone().payload(&[7; 40]).build();
        let mut now = golden.clone();
        now[41] ^= 0x10;
        let text = difference(
            &capture(&[&golden, &golden], ""),
            &capture(&[&golden, &now], ""),
        );
        let expected = "\
packet 2 of 2 differs
  frame of 82 octets, 82 now: from octet 0x0029 on (behind the ip header)
    0000         02 72 77 ff ff 01 02 72 77 00 00 01 08 00 45 00
    0010         00 44 00 00 40 00 40 11 26 a7 0a 00 00 01 0a 00
    0020 golden  00 02 00 01 00 02 00 30 5e fc 07 07 07 07 07 07
         now     00 02 00 01 00 02 00 30 5e ec 07 07 07 07 07 07
                                            ^^
    0030         07 07 07 07 07 07 07 07 07 07 07 07 07 07 07 07
    0040         07 07 07 07 07 07 07 07 07 07 07 07 07 07 07 07
    0050         07 07
";
        assert_eq!(text.as_deref(), Some(expected));
    }

    #[test]
    fn other_differences_are_named() {
        let frame = &[1; 60][..];
        let golden = capture(&[frame], "forward");
        let of = |now: &[u8]| difference(&golden, now).unwrap();
        let comment = of(&capture(&[frame], "drop"));
        assert!(
            comment.contains("comment\n    golden forward\n    now    drop"),
            "{comment}"
        );
        let more = of(&capture(&[frame, frame], "forward"));
        assert_eq!(more, "it has 1 packets, now there are 2");
        let short = of(&capture(&[&frame[..50]], "forward"));
        assert!(short.contains("frame of 60 octets, 50 now"), "{short}");
        assert!(of(&golden[..90]).contains("the capture of now is broken"));
    }
}
