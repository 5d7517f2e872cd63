use super::*;
use crate::testing::{neighbours, runtime, soon};

const PORT: u16 = 6090;

#[test]
fn neighbours_talk_over_one_hop() {
    let Some([left, right]) = neighbours("neighbours_talk_over_one_hop") else {
        return;
    };
    let runtime = runtime();
    let near = left.open(&runtime, || LinkLocalUdp::open(PORT));
    let far = right.open(&runtime, || LinkLocalUdp::open(PORT));
    runtime.block_on(async {
        let mut buffer = [0; 8];
        near.send(left.link, right.address, b"hello").unwrap();
        let came = soon(far.receive(&mut buffer)).await.unwrap();
        let expected = Datagram {
            link: right.link,
            from: left.address,
            len: 5,
        };
        assert_eq!(came, expected);
        assert_eq!(&buffer[..5], b"hello");
        far.send(right.link, left.address, b"").unwrap();
        let came = soon(near.receive(&mut buffer)).await.unwrap();
        assert_eq!((came.from, came.len), (right.address, 0));
        assert_eq!((near.refused(), far.refused()), (0, 0));
    });
}

#[test]
fn what_may_come_from_afar_or_is_too_long_is_refused() {
    let name = "what_may_come_from_afar_or_is_too_long_is_refused";
    let Some([left, right]) = neighbours(name) else {
        return;
    };
    let runtime = runtime();
    let near = left.open(&runtime, || LinkLocalUdp::open(PORT));
    let far = right.open(&runtime, || LinkLocalUdp::open(PORT));
    // Its hop limit is the kernel's 64.
    let forged = left.netns.run_in(|| std::net::UdpSocket::bind("[::]:0"));
    let forged = forged.unwrap().unwrap();
    runtime.block_on(async {
        let mut buffer = [0; 8];
        let to = SocketAddrV6::new(right.address, PORT, 0, left.link);
        forged.send_to(b"forged", to).unwrap();
        near.send(left.link, right.address, b"too long for it")
            .unwrap();
        near.send(left.link, right.address, b"real").unwrap();
        let came = soon(far.receive(&mut buffer)).await.unwrap();
        assert_eq!(&buffer[..came.len], b"real");
        assert_eq!(far.refused(), 2);
    });
}

#[test]
fn a_taken_port_is_named() {
    let Some([left, _right]) = neighbours("a_taken_port_is_named") else {
        return;
    };
    let runtime = runtime();
    let _first = left.open(&runtime, || LinkLocalUdp::open(PORT));
    let second = left.open(&runtime, || Ok::<_, ()>(LinkLocalUdp::open(PORT)));
    let text = "cannot bind a udp socket for neighbors to port 6090: `ss -ulnp` says who has it";
    assert_eq!(second.unwrap_err().to_string(), text);
}
