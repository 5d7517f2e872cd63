use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use etherparse::{TcpHeaderSlice, TcpOptionElement};
use proptest::collection::vec as vec_of;
use proptest::prelude::*;
use smoltcp::wire::{IpAddress, TcpPacket};

use super::*;
use crate::checksum::{pseudo_header_v4, pseudo_header_v6};
use crate::options::Options;
use crate::testing::{emitted, hostile, prefixes};

const PROTOCOL: u8 = 6;

/// Options with the data that they borrow.
#[derive(Clone, Debug)]
struct Owned {
    size: Option<u16>,
    scale: Option<WindowScale>,
    permitted: bool,
    sack: Vec<(u32, u32)>,
    timestamps: Option<(u32, u32)>,
    unknown: Option<(u8, Vec<u8>)>,
}

impl Owned {
    fn blocks(&self) -> Vec<SackBlock> {
        self.sack
            .iter()
            .map(|(left, right)| SackBlock::new(*left, *right))
            .collect()
    }

    fn borrowed<'a>(&'a self, blocks: &'a [SackBlock]) -> Vec<TcpOption<'a>> {
        let mut options = Vec::new();
        options.extend(self.size.map(TcpOption::MaxSegmentSize));
        options.extend(self.permitted.then_some(TcpOption::SackPermitted));
        options.extend(
            self.timestamps
                .map(|(value, echo)| TcpOption::Timestamps { value, echo }),
        );
        options.extend(self.scale.map(TcpOption::WindowScale));
        let unknown = self.unknown.as_ref();
        options.extend(unknown.map(|(kind, data)| TcpOption::Unknown { kind: *kind, data }));
        options.extend((!blocks.is_empty()).then_some(TcpOption::Sack(blocks)));
        options
    }
}

prop_compose! {
    fn owned()(
        size: Option<u16>, scale: Option<WindowScale>, permitted: bool,
        sack in vec_of(any::<(u32, u32)>(), 0..4), timestamps: Option<(u32, u32)>,
        unknown in prop::option::of((9_u8.., vec_of(any::<u8>(), 0..8))),
    ) -> Owned {
        Owned { size, scale, permitted, sack, timestamps, unknown }
    }
}

prop_compose! {
    fn repr()(
        ports: (u16, u16), sequence: u32, acknowledgment: u32,
        flags: u16, window: u16, urgent: u16,
    ) -> TcpRepr<'static> {
        TcpRepr {
            src_port: ports.0, dst_port: ports.1, sequence, acknowledgment,
            flags: TcpFlags::of_low_bits(flags), window, urgent, options: Options::EMPTY,
        }
    }
}

fn segment(repr: &TcpRepr<'_>, payload: &[u8], pseudo: u16) -> Vec<u8> {
    let mut bytes = emitted(repr.buffer_len(), |buffer| repr.emit(buffer));
    bytes.extend(payload);
    fill_checksum(&mut bytes, pseudo).unwrap();
    bytes
}

fn exercise(bytes: &[u8]) {
    let Ok(view) = TcpView::parse(bytes) else {
        return;
    };
    assert_eq!(view.header_len() + view.payload().len(), bytes.len());
    assert!(view.options().count() <= 40);
    let Ok(repr) = TcpRepr::parse(&view) else {
        return;
    };
    let again = emitted(repr.buffer_len(), |buffer| repr.emit(buffer));
    assert_eq!(TcpRepr::parse(&TcpView::parse(&again).unwrap()), Ok(repr));
}

fn first(area: &[u8]) -> Option<Result<TcpOption<'_>, TcpError>> {
    OptionIter::new(area).next()
}

#[test]
fn malformed_options_say_what_and_where() {
    let length = |kind, offset, got, left| {
        Some(Err(TcpError::OptionLength {
            kind,
            offset,
            got,
            left,
        }))
    };
    assert_eq!(first(&[1, 1, 2]), length(2, 2, 0, 1));
    assert_eq!(first(&[2, 0, 0, 0]), length(2, 0, 0, 4));
    assert_eq!(first(&[2, 5, 0, 0]), length(2, 0, 5, 4));
    let data = |kind, got, expected| {
        Some(Err(TcpError::OptionData {
            kind,
            got,
            expected,
        }))
    };
    assert_eq!(first(&[2, 3, 0]), data(2, 1, 2));
    assert_eq!(first(&[3, 2]), data(3, 0, 1));
    assert_eq!(first(&[4, 3, 0]), data(4, 1, 0));
    assert_eq!(first(&[5, 3, 0]), data(5, 1, 0));
    assert_eq!(first(&[8, 3, 0]), data(8, 1, 8));
    let error = TcpError::OptionLength {
        kind: 2,
        offset: 4,
        got: 9,
        left: 6,
    };
    assert_eq!(
        error.to_string(),
        "tcp option 2 at offset 4 has length 9, of 6 bytes left"
    );
}

#[test]
fn lists_end_where_they_say() {
    assert_eq!(first(&[]), None);
    assert_eq!(first(&[1, 1, 0, 2]), None);
    assert_eq!(first(&[1, 4, 2]), Some(Ok(TcpOption::SackPermitted)));
}

#[test]
fn great_shifts_become_the_greatest() {
    let greatest = WindowScale::new(WindowScale::MAX).unwrap();
    assert_eq!(
        first(&[3, 3, 200]),
        Some(Ok(TcpOption::WindowScale(greatest)))
    );
}

#[test]
fn options_that_would_be_read_otherwise_are_refused() {
    for kind in [0, 1, 2, 3, 4, 5, 8] {
        let option = [TcpOption::Unknown { kind, data: &[] }];
        assert_eq!(Options::new(&option), Err(TcpError::OptionKind { kind }));
    }
    let blocks = [SackBlock::new(1, 2); 5];
    let options = [TcpOption::Sack(&blocks)];
    assert_eq!(
        Options::new(&options),
        Err(TcpError::OptionsTooLong { got: 44 })
    );
}

#[test]
fn flags_have_names() {
    assert_eq!((TcpFlags::SYN | TcpFlags::ACK).to_string(), "SYN|ACK");
    assert_eq!(TcpFlags::default().to_string(), "none");
    assert!((TcpFlags::FIN | TcpFlags::ACK).contains(TcpFlags::ACK));
}

#[test]
fn data_offset_is_checked() {
    let mut bytes = [0; 20];
    assert_eq!(
        TcpView::parse(&bytes).unwrap_err(),
        TcpError::DataOffset { got: 0 }
    );
    bytes[12] = 0x60;
    let error = TcpView::parse(&bytes).unwrap_err();
    assert_eq!(error.to_string(), "tcp header needs 24 bytes, 20 are there");
}

proptest! {
    #[test]
    fn round_trip_and_oracles(
        repr in repr(), owned in owned(), payload in vec_of(any::<u8>(), 0..50),
        src4: [u8; 4], dst4: [u8; 4], src6: [u8; 16], dst6: [u8; 16],
    ) {
        let blocks = owned.blocks();
        let options = owned.borrowed(&blocks);
        let options = Options::new(&options).unwrap_or(Options::EMPTY);
        let repr = TcpRepr { options, ..repr };
        let len = u16::try_from(repr.buffer_len() + payload.len()).unwrap();
        let v4 = pseudo_header_v4(src4, dst4, PROTOCOL, len);
        let v6 = pseudo_header_v6(src6, dst6, PROTOCOL, len.into());
        for (pseudo, src, dst) in [
            (v4, IpAddress::Ipv4(src4.into()), IpAddress::Ipv4(dst4.into())),
            (v6, IpAddress::Ipv6(src6.into()), IpAddress::Ipv6(dst6.into())),
        ] {
            let bytes = segment(&repr, &payload, pseudo);
            prefixes(&bytes, repr.buffer_len(), TcpView::parse);
            let view = TcpView::parse(&bytes).unwrap();
            prop_assert!(view.checksum_ok(pseudo));
            prop_assert_eq!(view.payload(), &payload[..]);
            prop_assert_eq!(TcpRepr::parse(&view), Ok(repr));
            let oracle = TcpPacket::new_checked(&bytes[..]).unwrap();
            prop_assert!(oracle.verify_checksum(&src, &dst));
            prop_assert_eq!(oracle.payload(), &payload[..]);
        }
    }

    #[test]
    fn fields_and_options_agree_with_the_oracle(repr in repr(), owned in owned()) {
        let blocks = owned.blocks();
        let options = owned.borrowed(&blocks);
        // The oracle ends at an option that it does not know.
        let known = Owned { unknown: None, ..owned.clone() };
        let known = known.borrowed(&blocks);
        let options = Options::new(&options).or(Options::new(&known)).unwrap_or(Options::EMPTY);
        let repr = TcpRepr { options, ..repr };
        let bytes = segment(&repr, &[], 0);
        let oracle = TcpHeaderSlice::from_slice(&bytes).unwrap();
        prop_assert_eq!(oracle.source_port(), repr.src_port);
        prop_assert_eq!(oracle.destination_port(), repr.dst_port);
        prop_assert_eq!(oracle.sequence_number(), repr.sequence);
        prop_assert_eq!(oracle.acknowledgment_number(), repr.acknowledgment);
        prop_assert_eq!(oracle.window_size(), repr.window);
        prop_assert_eq!(oracle.urgent_pointer(), repr.urgent);
        let flags = [
            oracle.fin(), oracle.syn(), oracle.rst(), oracle.psh(), oracle.ack(), oracle.urg(),
            oracle.ece(), oracle.cwr(), oracle.ns(),
        ];
        for (bit, flag) in flags.into_iter().enumerate() {
            prop_assert_eq!(flag, repr.flags.bits() & 1 << bit != 0, "bit {}", bit);
        }
        let seen = oracle.options_iterator().map_while(Result::ok);
        let seen = seen.filter(|option| *option != TcpOptionElement::Noop);
        let told = repr.options.iter().map_while(|option| told_by_oracle(&option));
        prop_assert_eq!(seen.collect::<Vec<_>>(), told.collect::<Vec<_>>());
    }

    #[test]
    fn any_bytes_give_a_value_or_an_error(bytes in (repr(), owned()).prop_flat_map(
        |(repr, owned)| {
            let blocks = owned.blocks();
            let options = owned.borrowed(&blocks);
            let options = Options::new(&options).unwrap_or(Options::EMPTY);
            hostile(segment(&TcpRepr { options, ..repr }, &[1, 2, 3], 0))
        },
    )) {
        exercise(&bytes);
    }
}

fn told_by_oracle(option: &TcpOption<'_>) -> Option<TcpOptionElement> {
    Some(match option {
        TcpOption::MaxSegmentSize(size) => TcpOptionElement::MaximumSegmentSize(*size),
        TcpOption::WindowScale(shift) => TcpOptionElement::WindowScale(shift.get()),
        TcpOption::SackPermitted => TcpOptionElement::SelectiveAcknowledgementPermitted,
        TcpOption::Timestamps { value, echo } => TcpOptionElement::Timestamp(*value, *echo),
        TcpOption::Sack(blocks) => {
            let mut pairs = blocks.iter().map(|block| (block.left(), block.right()));
            let first = pairs.next()?;
            let rest = [pairs.next(), pairs.next(), pairs.next()];
            TcpOptionElement::SelectiveAcknowledgement(first, rest)
        }
        TcpOption::Unknown { .. } => return None,
    })
}

#[test]
fn padding_is_written_as_end_of_list() {
    let option = [TcpOption::SackPermitted];
    let options = Options::new(&option).unwrap();
    let bytes = emitted(options.buffer_len(), |buffer| options.emit(buffer));
    assert_eq!(bytes, vec![4, 2, 0, 0]);
}
