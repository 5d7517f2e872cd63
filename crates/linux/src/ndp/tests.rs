use super::*;
use crate::testing::{neighbours, runtime, soon};

#[test]
fn a_solicitation_is_answered() {
    let Some([left, right]) = neighbours("a_solicitation_is_answered") else {
        return;
    };
    let runtime = runtime();
    let near = left.open(&runtime, NdpSocket::open);
    let far = right.open(&runtime, NdpSocket::open);
    for _ in 0..2 {
        far.join(right.link).unwrap();
    }
    runtime.block_on(async {
        near.solicit(left.link).unwrap();
        let heard = soon(far.receive()).await.unwrap();
        let expected = Heard {
            link: right.link,
            from: left.address,
            said: Said::Solicitation,
        };
        assert_eq!(heard, expected);
        far.advertise(right.link, heard.from).unwrap();
        let heard = soon(near.receive()).await.unwrap();
        let expected = Heard {
            link: left.link,
            from: right.address,
            said: Said::Advertisement,
        };
        assert_eq!(heard, expected);
    });
    let error = near.join(left.link + 1000).unwrap_err();
    assert!(matches!(error, SocketError::Join { .. }), "{error}");
}

#[test]
fn other_messages_say_nothing() {
    let solicitation = [133, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(said(&solicitation), Some(Said::Solicitation));
    let advertisement = [134, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(said(&advertisement), Some(Said::Advertisement));
    for bytes in [
        &solicitation[..7],
        // A code other than zero, an option without length: RFC 4861, 6.1.
        &[133, 1, 0, 0, 0, 0, 0, 0],
        &[133, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0],
        &advertisement[..15],
        &[135; 24],
        &[],
    ] {
        assert_eq!(said(bytes), None, "{bytes:?}");
    }
}

#[test]
fn only_two_types_pass() {
    let blocked = filter();
    let passes = |kind: usize| blocked[kind / 32] >> (kind % 32) & 1 == 0;
    let passing = (0..256).filter(|kind| passes(*kind));
    assert_eq!(passing.collect::<Vec<_>>(), [133, 134]);
}
