use rackweave_wire::ethernet::EthernetRepr;

use super::*;
use crate::testing::{neighbours, runtime, soon};

/// Where bridges do not forward: the nearest bridge (IEEE 802.1AB).
const NEAREST: MacAddr = MacAddr::new([1, 0x80, 0xc2, 0, 0, 0xe]);

fn frame(dst: MacAddr, ether_type: EtherType, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; 14];
    let src = MacAddr::new([2, 0, 0, 0, 0, 1]);
    let header = EthernetRepr {
        dst,
        src,
        ether_type,
    };
    header.emit(&mut frame).unwrap();
    frame.extend_from_slice(payload);
    frame
}

#[test]
fn frames_of_one_type_come_whole() {
    let Some([left, right]) = neighbours("frames_of_one_type_come_whole") else {
        return;
    };
    let runtime = runtime();
    let near = left.open(&runtime, || PacketSocket::open(EtherType::LLDP));
    let far = right.open(&runtime, || PacketSocket::open(EtherType::LLDP));
    far.join(right.link, NEAREST).unwrap();
    runtime.block_on(async {
        let mut buffer = [0; 1514];
        let other = frame(NEAREST, EtherType::IPV6, &[0; 60]);
        near.send(left.link, &other).unwrap();
        let sent = frame(NEAREST, EtherType::LLDP, &[7; 400]);
        near.send(left.link, &sent).unwrap();
        let came = soon(far.receive(&mut buffer)).await.unwrap();
        assert_eq!(came.link, right.link);
        assert_eq!(&buffer[..came.len], sent);
    });
    let error = near.send(left.link + 1000, &[0; 60]).unwrap_err();
    assert!(error.raw_os_error().is_some(), "{error}");
    assert!(near.join(left.link + 1000, NEAREST).is_err());
}

#[test]
fn the_others_go_on_when_a_link_goes_down() {
    let Some([left, right]) = neighbours("the_others_go_on_when_a_link_goes_down") else {
        return;
    };
    let runtime = runtime();
    let near = left.open(&runtime, || PacketSocket::open(EtherType::LLDP));
    let far = right.open(&runtime, || PacketSocket::open(EtherType::LLDP));
    let up = |up| crate::netlink::LinkSettings {
        up: Some(up),
        ..Default::default()
    };
    far.join(right.link, NEAREST).unwrap();
    for on in [false, true] {
        right.netlink.ensure_link("right", &up(on)).unwrap();
    }
    let wait = std::time::Duration::from_secs(5);
    assert!(left.netlink.wait_for_link("left", wait).unwrap());
    runtime.block_on(async {
        let mut buffer = [0; 1514];
        let sent = frame(NEAREST, EtherType::LLDP, &[7; 400]);
        near.send(left.link, &sent).unwrap();
        let came = soon(far.receive(&mut buffer)).await.unwrap();
        assert_eq!(&buffer[..came.len], sent);
    });
}
