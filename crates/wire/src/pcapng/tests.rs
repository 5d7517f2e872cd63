use alloc::string::String;

use alloc::vec::Vec;

use proptest::prelude::*;
use rackweave_types::Instant;

use super::*;

fn blocks(bytes: &[u8]) -> Result<Vec<Block<'_>>, PcapngError> {
    Blocks::new(bytes).collect()
}

/// A section, one interface, and one packet of five octets.
fn capture() -> Vec<u8> {
    let mut writer = PcapngWriter::new("test").unwrap();
    let interface = writer.interface("guest", "between guest and port").unwrap();
    let packet = Packet {
        interface,
        time: Instant::from_nanos(0x0000_0001_0000_0002),
        direction: Some(PacketDirection::Outbound),
        frame: &[1, 2, 3, 4, 5],
        comment: "first",
    };
    writer.packet(&packet).unwrap();
    writer.finish()
}

/// Octet for octet as sections 4.1 to 4.3 draw the blocks.
#[test]
fn blocks_are_laid_out_as_drawn() {
    let capture = capture();
    let section = [
        0x0a, 0x0d, 0x0d, 0x0a, 40, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 4, 0, 4, 0, b't', b'e', b's', b't', 0, 0, 0, 0, 40, 0, 0, 0,
    ];
    assert_eq!(capture[..40], section);
    let (interface, packet) = capture[40..].split_at(72);
    assert_eq!(
        interface[..16],
        [1, 0, 0, 0, 72, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
    );
    assert_eq!(
        interface[56..],
        [9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0, 72, 0, 0, 0]
    );
    let expected = [
        6, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0, 5, 0, 0, 0, 1, 2,
        3, 4, 5, 0, 0, 0, 1, 0, 5, 0, b'f', b'i', b'r', b's', b't', 0, 0, 0, 2, 0, 4, 0, 2, 0, 0,
        0, 0, 0, 0, 0, 64, 0, 0, 0,
    ];
    assert_eq!(packet, expected);
}

#[test]
fn a_capture_reads_back() {
    let expected = [
        Block::Section {
            application: "test",
        },
        Block::Interface {
            name: "guest",
            description: "between guest and port",
        },
        Block::Packet(PacketBlock {
            interface: 0,
            time: Instant::from_nanos(0x0000_0001_0000_0002),
            direction: Some(PacketDirection::Outbound),
            frame: &[1, 2, 3, 4, 5],
            original_len: 5,
            comment: "first",
        }),
    ];
    assert_eq!(blocks(&capture()).unwrap(), expected);
}

#[test]
fn a_capture_may_be_taken_away_in_pieces() {
    let mut writer = PcapngWriter::new("test").unwrap();
    let mut pieces = writer.take();
    let interface = writer.interface("guest", "between guest and port").unwrap();
    pieces.extend(writer.take());
    let packet = Packet {
        interface,
        time: Instant::from_nanos(0x0000_0001_0000_0002),
        direction: Some(PacketDirection::Outbound),
        frame: &[1, 2, 3, 4, 5],
        comment: "first",
    };
    writer.packet(&packet).unwrap();
    pieces.extend(writer.take());
    assert_eq!(writer.take(), []);
    assert_eq!(pieces, capture());
}

#[test]
fn other_blocks_and_options_are_passed_over() {
    let mut capture = capture();
    capture.extend_from_slice(&[5, 0, 0, 0, 16, 0, 0, 0, 1, 2, 3, 4, 16, 0, 0, 0]);
    assert_eq!(blocks(&capture).unwrap()[3], Block::Other { block_type: 5 });
}

#[test]
fn what_does_not_fit_leaves_the_capture_as_it_was() {
    let mut writer = PcapngWriter::new("test").unwrap();
    let long = "x".repeat(65_536);
    let refused = writer.interface("guest", &long).unwrap_err();
    assert_eq!(refused, PcapngWriteError::LongText { len: 65_536 });
    let mut other = PcapngWriter::new("test").unwrap();
    let interface = other.interface("guest", "").unwrap();
    let packet = Packet {
        interface,
        time: Instant::START,
        direction: None,
        frame: &[],
        comment: "",
    };
    let refused = writer.packet(&packet).unwrap_err();
    assert_eq!(refused, PcapngWriteError::UnknownInterface { interface: 0 });
    assert_eq!(blocks(writer.bytes()).unwrap().len(), 1);
}

#[test]
fn errors_say_where() {
    let with = |at: usize, octet: u8| {
        let mut capture = capture();
        capture[at] = octet;
        blocks(&capture).unwrap_err()
    };
    assert_eq!(with(0, 1), PcapngError::Section { at: 0 });
    assert_eq!(with(8, 0), PcapngError::Section { at: 0 });
    assert_eq!(
        with(36, 44),
        PcapngError::Length {
            at: 0,
            first: 40,
            last: 44
        }
    );
    assert_eq!(
        with(44, 8),
        PcapngError::Length {
            at: 40,
            first: 8,
            last: 8
        }
    );
    assert_eq!(
        with(44, 73),
        PcapngError::Length {
            at: 40,
            first: 73,
            last: 73
        }
    );
    assert_eq!(
        with(48, 7),
        PcapngError::Interface {
            at: 40,
            link: 7,
            resolution: 9
        }
    );
    assert_eq!(
        with(100, 6),
        PcapngError::Interface {
            at: 40,
            link: 1,
            resolution: 6
        }
    );
    assert_eq!(
        with(120, 1),
        PcapngError::UnknownInterface {
            at: 112,
            interface: 1
        }
    );
    assert_eq!(with(152, 0xff), PcapngError::Text { at: 112, code: 1 });
    let needed = 255;
    assert_eq!(
        with(132, 255),
        PcapngError::Cut {
            part: "block body",
            at: 140,
            needed,
            got: 32
        }
    );
    let cut = capture();
    let expected = PcapngError::Cut {
        part: "block",
        at: 120,
        needed: 52,
        got: 50,
    };
    assert_eq!(blocks(&cut[..170]).unwrap_err(), expected);
}

fn packets() -> impl Strategy<Value = Vec<(bool, u64, u8, Vec<u8>, String)>> {
    let frame = prop::collection::vec(any::<u8>(), 0..80);
    prop::collection::vec(
        (any::<bool>(), any::<u64>(), 0_u8..3, frame, "\\PC{0,9}"),
        0..8,
    )
}

proptest! {
    #[test]
    fn what_is_written_reads_back(packets in packets()) {
        let mut writer = PcapngWriter::new("test").unwrap();
        let interfaces =
            ["guest", "wire"].map(|name| writer.interface(name, "").unwrap());
        let direction = |number| match number {
            1 => Some(PacketDirection::Inbound),
            2 => Some(PacketDirection::Outbound),
            _ => None,
        };
        for (second, nanos, way, frame, comment) in &packets {
            let packet = Packet {
                interface: interfaces[usize::from(*second)],
                time: Instant::from_nanos(*nanos),
                direction: direction(*way),
                frame,
                comment,
            };
            writer.packet(&packet).unwrap();
        }
        let found = blocks(writer.bytes()).unwrap();
        prop_assert_eq!(found.len(), 3 + packets.len());
        for (block, (second, nanos, way, frame, comment)) in found[3..].iter().zip(&packets) {
            let expected = PacketBlock {
                interface: u32::from(*second),
                time: Instant::from_nanos(*nanos),
                direction: direction(*way),
                frame,
                original_len: u32::try_from(frame.len()).unwrap(),
                comment,
            };
            prop_assert_eq!(*block, Block::Packet(expected));
        }
    }

    #[test]
    fn any_bytes_read_or_fail(
        flips in prop::collection::vec((0_usize..176, any::<u8>()), 0..4),
        cut in 0_usize..=176,
    ) {
        let mut bytes = capture();
        prop_assert_eq!(bytes.len(), 176);
        for (at, octet) in flips {
            bytes[at] = octet;
        }
        bytes.truncate(cut);
        let found: Vec<_> = Blocks::new(&bytes).collect();
        prop_assert!(found.iter().rev().skip(1).all(Result::is_ok));
    }
}
