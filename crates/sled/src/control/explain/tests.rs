//! Packets are sent through the scene's ports and told.

use rackweave_api::sled::{End, OuterSummary};
use rackweave_testkit::vpc::Scene;

use super::*;
use crate::control::testing::state_of;

fn scene() -> Scene {
    let mut scene = Scene::new().unwrap();
    scene.sleds[1] = scene.sleds[0];
    scene.remap();
    scene
}

fn described(direction: Direction, from: &str, to: &str) -> ExplainRequest {
    let end = |text: &str| {
        let end: std::net::SocketAddr = text.parse().unwrap();
        End {
            address: end.ip(),
            port: end.port(),
        }
    };
    ExplainRequest {
        port: "-".to_owned(),
        direction,
        packet: PacketSpec::Described(Description {
            protocol: 6,
            from: end(from),
            to: end(to),
            tcp_flags: None,
            icmp: None,
            payload: 0,
            src_mac: None,
            outer_source: None,
            vni: None,
        }),
    }
}

/// What is told of a packet at one of the scene's ports: 0 is `test`, 1 `web`.
fn ask(at: usize, request: &ExplainRequest) -> Result<Explanation, ApiError> {
    let scene = scene();
    let state = state_of(&scene);
    let config = &state.ports[at];
    let port = scene.start(config).unwrap();
    let asked = frame(&state, config, request)?;
    let now = Instant::from_nanos(1);
    let explained = port.explain(request.direction, &asked.frame, now).unwrap();
    let place = Place {
        port: config.id,
        worker: 0,
        epoch: 1,
    };
    Ok(explanation(
        &state,
        config,
        request.direction,
        place,
        asked,
        &explained,
        now,
    ))
}

#[test]
fn a_packet_to_a_neighbour_is_wrapped_for_its_sled() {
    let told = ask(
        0,
        &described(Direction::Out, "10.0.1.5:40000", "10.0.1.6:80"),
    )
    .unwrap();
    assert_eq!(told.verdict.kind, "forward");
    assert_eq!(told.packet.text, "10.0.1.5:40000 > 10.0.1.6:80 tcp [S]");
    let layers: Vec<_> = told
        .layers
        .iter()
        .map(|layer| layer.layer.as_str())
        .collect();
    assert_eq!(
        layers,
        ["guard", "gateway", "firewall", "router", "nat", "overlay"]
    );
    let firewall = &told.layers[2];
    assert_eq!(firewall.rule, "rule 1");
    assert_eq!(firewall.text, "allow everything (set 1)");
    assert_eq!(firewall.does, ["pass, and the answers too"]);
    assert!(told.layers.iter().all(|layer| !layer.ends));
    assert_eq!(told.layers[3].changes, ["ttl 64 -> 63"]);
    let OuterSummary { vni, .. } = told.result.unwrap().outer.unwrap();
    assert_eq!(vni.get(), 4096);
}

#[test]
fn a_packet_to_the_world_shows_its_translation() {
    let told = ask(
        0,
        &described(Direction::Out, "10.0.1.5:40000", "192.0.2.7:443"),
    )
    .unwrap();
    let nat = &told.layers[4];
    assert_eq!(nat.rule, "source nat");
    assert!(
        nat.changes[0].starts_with("source 10.0.1.5:40000 -> 198.51.100.1:"),
        "{:?}",
        nat.changes
    );
    let result = told.result.unwrap();
    assert_eq!(result.src, Some("198.51.100.1".parse().unwrap()));
    assert_eq!(result.outer.unwrap().vni, rackweave_types::Vni::BOUNDARY);
}

#[test]
fn a_denied_packet_names_the_layer_and_the_next_step() {
    let told = ask(
        0,
        &described(Direction::In, "192.0.2.7:40000", "198.51.100.1:16500"),
    )
    .unwrap();
    assert_eq!(told.verdict.kind, "drop");
    assert_eq!(told.verdict.reason.as_deref(), Some("nat_no_connection"));
    assert!(told.verdict.next.contains("floating"));
    assert_eq!(told.layers.last().map(|layer| layer.ends), Some(true));
    assert_eq!(told.result, None);
    assert!(
        told.assumed
            .iter()
            .any(|line| line.contains("boundary services")),
        "{:?}",
        told.assumed
    );
}

#[test]
fn a_packet_from_outside_reaches_a_floating_address() {
    let told = ask(
        1,
        &described(Direction::In, "192.0.2.7:40000", "203.0.113.10:80"),
    )
    .unwrap();
    assert_eq!(told.verdict.kind, "forward", "{told:?}");
    let result = told.result.unwrap();
    assert_eq!(result.text, "192.0.2.7:40000 > 10.0.1.6:80 tcp [S]");
    assert_eq!(result.outer, None);
    let firewall = told
        .layers
        .iter()
        .find(|layer| layer.layer == "firewall")
        .unwrap();
    assert_eq!(firewall.text, "allow tcp to port 80 (set 2)");
}

#[test]
fn a_forged_source_is_told_as_such() {
    let told = ask(0, &described(Direction::Out, "10.9.9.9:1", "10.0.1.6:80")).unwrap();
    assert_eq!(told.verdict.reason.as_deref(), Some("rule_denied"));
    let last = told.layers.last().unwrap();
    assert_eq!((last.rule.as_str(), last.ends), ("forged address", true));
}

#[test]
fn a_frame_may_be_given_as_it_is() {
    let request = |text: &str| ExplainRequest {
        packet: PacketSpec::Hex(text.to_owned()),
        ..described(Direction::In, "10.0.1.5:1", "10.0.1.6:80")
    };
    let inner = rackweave_testkit::packet::FrameBuilder::tcp("10.0.1.5:40000", "10.0.1.6:80")
        .syn()
        .build();
    let text: String = crate::capture::hex(&inner);
    let told = ask(1, &request(&text)).unwrap();
    assert_eq!(told.verdict.kind, "forward", "{told:?}");
    assert!(
        told.assumed[0].contains("holds 10.0.1.5/32"),
        "{:?}",
        told.assumed
    );
    let error = ask(1, &request("0011")).unwrap_err();
    assert_eq!(error.code, Code::BadRequest);
}
