//! The engine on the other side: it punts what the agent answers, and takes what leaves the system port.

use rackweave_engine::Verdict;
use rackweave_engine::{Direction, Frame, Port};

use super::*;

/// What the engine does with a frame of a guest's.
fn process(port: &mut Port, frame: &[u8], now: Instant) -> (Verdict, Frame) {
    let mut frame = Frame::new(frame);
    let verdict = port.process(Direction::Out, &mut frame, now);
    (verdict, frame)
}

#[test]
fn what_the_engine_punts_is_answered() {
    let mut rack = Rack::new();
    let scene = Scene::new().unwrap();
    let mut port = scene.start(&scene.web).unwrap();
    let octets = query("web.rack.internal.", RecordType::A).to_vec().unwrap();
    let frames = [
        FrameBuilder::udp("10.0.1.6:40000", DNS).payload(&octets),
        FrameBuilder::udp("[fd12:3456:789a:1::6]:40000", DNS_V6).payload(&octets),
        FrameBuilder::tcp("10.0.1.6:40001", DNS).syn(),
        FrameBuilder::tcp("10.0.1.6:40002", "169.254.169.254:80").syn(),
        FrameBuilder::tcp("[fd12:3456:789a:1::6]:40003", "[fd00:ec2::254]:80").syn(),
    ];
    for frame in frames {
        let frame = frame.macs(scene.web.mac, reserved::GATEWAY_MAC).build();
        assert_eq!(process(&mut port, &frame, rack.now).0, Verdict::Punt);
        let punt = port.shards_mut()[0].pop_punt().unwrap();
        rack.punt(WEB, punt.queue, &punt.bytes);
        let answers = rack.run().guests.remove(&WEB).unwrap();
        assert_eq!(answers.len(), 1);
        assert_eq!(answers[0][..6], scene.web.mac.octets());
    }
    assert_eq!(rack.machine.counters().connections, 3);
}

#[test]
fn what_leaves_the_system_port_is_carried_out() {
    let mut rack = Rack::new();
    let scene = Scene::new().unwrap();
    let mut port = scene.start(&scene.test).unwrap();
    let ends = ("10.0.1.6:40000", DNS);
    let output = rack.ask(WEB, ends, &query("www.example.com.", RecordType::A));
    let (verdict, frame) = process(&mut port, &output.system[0], rack.now);
    assert_eq!(verdict, Verdict::Forward);
    verify::verify(frame.bytes()).unwrap();
    // And a segment, where the answer was too long.
    let cut = resolve(&output.system[0], |message| {
        message.metadata.truncation = true;
    });
    rack.machine.system_frame(&cut, rack.now);
    let output = rack.run();
    assert_eq!(output.system.len(), 1);
    assert_eq!(
        process(&mut port, &output.system[0], rack.now).0,
        Verdict::Forward
    );
}
