use alloc::string::ToString;
use alloc::vec::Vec;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::testing::{emitted, hostile, prefixes};

fn borrowed<'a>(options: &'a [(u16, u8, Vec<[u8; 4]>)]) -> Vec<GeneveOption<'a>> {
    let option = |(class, kind, data): &'a (u16, u8, Vec<[u8; 4]>)| GeneveOption {
        class: *class,
        kind: *kind,
        data: data.as_flattened(),
    };
    options.iter().map(option).collect()
}

fn options() -> impl Strategy<Value = Vec<(u16, u8, Vec<[u8; 4]>)>> {
    vec(
        (any::<u16>(), any::<u8>(), vec(any::<[u8; 4]>(), 0..34)),
        0..4,
    )
}

fn repr() -> impl Strategy<Value = GeneveRepr<'static>> {
    (0..=Vni::MAX, any::<u16>(), any::<bool>()).prop_map(|(vni, protocol, control)| GeneveRepr {
        vni: Vni::new(vni).unwrap(),
        protocol: EtherType(protocol),
        control,
        options: Options::EMPTY,
    })
}

fn exercise(bytes: &[u8]) {
    let Ok(view) = GeneveView::parse(bytes) else {
        return;
    };
    assert_eq!(view.header_len() + view.payload().len(), bytes.len());
    assert!(view.options().count() <= 63);
    let Ok(repr) = GeneveRepr::parse(&view) else {
        return;
    };
    let again = emitted(repr.buffer_len(), |buffer| repr.emit(buffer));
    assert_eq!(
        GeneveRepr::parse(&GeneveView::parse(&again).unwrap()),
        Ok(repr)
    );
}

/// RFC 8926 sections 3.4 and 3.5, byte for byte.
#[test]
fn bytes_stand_where_the_standard_puts_them() {
    let options = [
        GeneveOption {
            class: 0xff52,
            kind: 0x81,
            data: &[],
        },
        GeneveOption {
            class: 0xff52,
            kind: 0x03,
            data: &[1, 2, 3, 4, 5, 6, 7, 8],
        },
    ];
    let repr = GeneveRepr {
        vni: Vni::new(0x0001_0203).unwrap(),
        protocol: EtherType::ETHERNET,
        control: true,
        options: Options::new(&options).unwrap(),
    };
    let expected = [
        0x04, 0xc0, 0x65, 0x58, 1, 2, 3, 0, // four words of options, O and C
        0xff, 0x52, 0x81, 0, // critical, empty
        0xff, 0x52, 0x03, 2, 1, 2, 3, 4, 5, 6, 7, 8, // two words of data
    ];
    assert_eq!(
        emitted(repr.buffer_len(), |buffer| repr.emit(buffer)),
        expected
    );
    let view = GeneveView::parse(&expected).unwrap();
    assert!(view.has_critical_options() && view.is_control());
}

#[test]
fn errors_say_what_and_where() {
    let parse = |bytes: &[u8]| {
        let view = GeneveView::parse(bytes).map_err(|error| error.to_string())?;
        GeneveRepr::parse(&view)
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    let error = |bytes: &[u8]| parse(bytes).unwrap_err();
    assert_eq!(
        error(&[0x40, 0, 0x65, 0x58, 0, 0, 1, 0]),
        "geneve version at offset 0 is 1, expected 0"
    );
    assert_eq!(
        error(&[1, 0, 0, 0, 0, 0, 1, 0]),
        "geneve option list needs 4 bytes, 0 are there"
    );
    assert_eq!(
        error(&[1, 0, 0x65, 0x58, 0, 0, 1, 0, 0xff, 0x52, 0x02, 1]),
        "geneve option 0xff52/0x02 at offset 0 has length 8, 4 are left"
    );
}

#[test]
fn options_that_do_not_fit_are_refused() {
    let odd = [GeneveOption {
        class: 1,
        kind: 2,
        data: &[0; 3],
    }];
    assert_eq!(
        Options::new(&odd),
        Err(GeneveError::OptionData {
            class: 1,
            kind: 2,
            got: 3
        })
    );
    let long = [GeneveOption {
        class: 1,
        kind: 2,
        data: &[0; 128],
    }];
    assert_eq!(
        Options::new(&long),
        Err(GeneveError::OptionData {
            class: 1,
            kind: 2,
            got: 128
        })
    );
    let many = [GeneveOption {
        class: 1,
        kind: 2,
        data: &[0; 124],
    }; 2];
    assert_eq!(
        Options::new(&many),
        Err(GeneveError::OptionsTooLong { got: 256 })
    );
}

#[test]
fn reserved_bits_are_ignored() {
    let bytes = [1, 0x3f, 0x65, 0x58, 0, 0, 9, 0xff, 0xff, 0x52, 0x02, 0xe0];
    let repr = GeneveRepr::parse(&GeneveView::parse(&bytes).unwrap()).unwrap();
    assert!(!repr.control);
    assert_eq!(repr.options.iter().count(), 1);
}

proptest! {
    #[test]
    fn round_trip(repr in repr(), options in options()) {
        let options = borrowed(&options);
        let options = Options::new(&options).unwrap_or(Options::EMPTY);
        let repr = GeneveRepr { options, ..repr };
        let mut bytes = emitted(repr.buffer_len(), |buffer| repr.emit(buffer));
        bytes.extend([0x5a; 5]);
        prefixes(&bytes, repr.buffer_len(), GeneveView::parse);
        let view = GeneveView::parse(&bytes).unwrap();
        prop_assert_eq!(view.payload(), &[0x5a; 5][..]);
        let critical = options.iter().any(|option| option.is_critical());
        prop_assert_eq!(view.has_critical_options(), critical);
        prop_assert_eq!(GeneveRepr::parse(&view), Ok(repr));
    }

    #[test]
    fn any_bytes_give_a_value_or_an_error(
        bytes in (repr(), options()).prop_flat_map(|(repr, options)| {
            let options = borrowed(&options);
            let options = Options::new(&options).unwrap_or(Options::EMPTY);
            let repr = GeneveRepr { options, ..repr };
            hostile(emitted(repr.buffer_len(), |buffer| repr.emit(buffer)))
        }),
    ) {
        exercise(&bytes);
    }
}
