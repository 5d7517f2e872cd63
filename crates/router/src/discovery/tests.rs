use super::*;
use crate::inbox::inbox;
use crate::testing::{cable, link, namespace, open_in, runtime, wanted};

#[test]
fn neighbours_find_each_other_and_talk() {
    let name = "neighbours_find_each_other_and_talk";
    let (Some(left), Some(right)) = (namespace(name), namespace(name)) else {
        return;
    };
    cable((&left, "near"), (&right, "far"));
    let ((near, near_address), (far, far_address)) = (link(&left, "near"), link(&right, "far"));
    let runtime = runtime();
    let here = open_in(&left, &runtime, || Discovery::open(6090)).unwrap();
    let there = open_in(&right, &runtime, || Discovery::open(6090)).unwrap();
    there.listen(&LinkState {
        link: LinkId(far),
        name: "far".into(),
        mac: rackweave_types::MacAddr::new([0; 6]),
        address: Some(far_address),
        up: true,
        mtu: None,
    });
    runtime.block_on(async {
        let ((to_here, mut at_here), (to_there, mut at_there)) = (inbox(), inbox());
        let talk = async {
            here.solicit(LinkId(near));
            let asked = wanted(&mut at_there, Some).await;
            let (link, from) = (LinkId(far), near_address);
            assert_eq!(asked, Input::Solicited { link, from });
            there.advertise(link, from);
            let answered = wanted(&mut at_here, Some).await;
            let (link, from) = (LinkId(near), far_address);
            assert_eq!(answered, Input::Advertised { link, from });
            here.send(link, from, &[7; DATAGRAM]);
            let came = wanted(&mut at_there, Some).await;
            let expected = Input::Datagram {
                link: LinkId(far),
                from: near_address,
                bytes: vec![7; DATAGRAM],
            };
            assert_eq!(came, expected);
        };
        tokio::select! {
            () = talk => {}
            ended = here.run(&to_here) => panic!("{ended:?}"),
            ended = there.run(&to_there) => panic!("{ended:?}"),
        }
    });
    assert_eq!((here.refused(), there.refused()), (0, 0));
}
