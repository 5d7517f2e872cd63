//! The socket from end to end: a client, the socket, workers with ports, a host task that says what it is told to.

use std::io::{Read, Write};
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use rackweave_api::local::{Client, ClientError, Code, FromDaemon};
use rackweave_api::sled::{
    Applied, ApplyRequest, CaptureRequest, Captured, Drops, DropsRequest, ExplainRequest,
    Explanation, FlowFilter, Flows, FlowsRequest, PacketSpec, PassedOver, Point, Ports,
    PortsRequest, Request, Rules, RulesRequest, Status, StatusRequest, StopRequest, Stopped,
};
use rackweave_daemon::conversation::serve;
use rackweave_daemon::listen::listen;
use rackweave_engine::{Direction, Frame, Port};
use rackweave_testkit::packet::FrameBuilder;
use rackweave_testkit::vpc::{SECRET, Scene};
use rackweave_types::PortId;
use rackweave_types::state::HostState;
use tokio::sync::oneshot;

use super::testing::state_of;
use super::*;
use crate::host::{Applied as HostApplied, HostError, HostErrors, PortStatus, Snapshot};
use crate::queue::{Losses, Queue, Sent};
use crate::worker::PortSlot;
use crate::workers::{PollMode, WorkerSettings};

const WORKERS: u16 = 2;

/// A guest that takes everything and says nothing.
#[derive(Debug)]
struct Silent;

impl Queue for Silent {
    fn receive(&mut self, _: &mut [Frame]) -> std::io::Result<usize> {
        Ok(0)
    }

    fn send(&mut self, _: &Frame) -> Sent {
        Sent::Taken
    }

    fn flush(&mut self) {}

    fn wait_on(&self, _: &mut dyn FnMut(BorrowedFd<'_>)) {}

    fn losses(&self) -> Losses {
        Losses::default()
    }
}

/// A sled with the scene's three ports, and its socket.
struct Sled {
    dir: tempfile::TempDir,
    workers: Workers,
    stop: Arc<Notify>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Sled {
    fn start() -> Self {
        let mut scene = Scene::new().unwrap();
        scene.sleds[1] = scene.sleds[0];
        scene.remap();
        let state = state_of(&scene);
        let (punts, _) = mpsc::channel(8);
        let settings = WorkerSettings {
            count: WORKERS,
            cpus: None,
            poll: PollMode::Block,
            sled: state.underlay.sled,
        };
        let workers = Workers::start(settings, Vec::new(), punts).unwrap();
        for config in &state.ports {
            let limits = scene.program(config).unwrap().limits;
            let program = scene.compile(config).unwrap();
            let port = Port::new(WORKERS, SECRET, limits, &program).unwrap();
            for (index, shard) in (0..).zip(port.into_shards()) {
                let slot = PortSlot {
                    id: config.id,
                    mac: config.mac,
                    shard,
                    guest: Some(Box::new(Silent)),
                    journal: None,
                };
                workers
                    .run(index, move |worker| worker.add_port(slot))
                    .unwrap();
            }
        }
        Self::serve(workers, state)
    }

    fn serve(workers: Workers, state: HostState) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sled.sock");
        let stop = Arc::new(Notify::new());
        let (end, ended) = oneshot::channel();
        let (host, commands) = mpsc::channel(4);
        let context = Context {
            workers: workers.clone(),
            host,
            info: Arc::new(info()),
            agent: AgentCounts::new(|| vec![("dropped_queue_full", "", 4), ("dns_queries", "", 9)]),
            follows: None,
            stop: Arc::clone(&stop),
            captures: Captures::default(),
        };
        let (listening, heard) = std::sync::mpsc::sync_channel(1);
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = listen(&path, None).unwrap();
                listening.send(()).unwrap();
                tokio::select! {
                    () = serve(listener, context) => {}
                    () = host_task(commands, state) => {}
                    _ = ended => {}
                }
            });
        });
        heard.recv().unwrap();
        Self {
            dir,
            workers,
            stop,
            end: Some(end),
            thread: Some(thread),
        }
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("sled.sock")
    }

    fn client(&self) -> Client {
        Client::connect(&self.socket(), "sled", "test").unwrap()
    }

    /// Sends a frame of port 1's guest through its engine, on the worker that owns it.
    fn send(&self, frame: &[u8]) {
        let frame = Frame::new(frame);
        let id = PortId::new(1);
        let asked = frame.clone();
        let owner = move |worker: &mut crate::worker::Worker| {
            worker
                .shard(id)
                .unwrap()
                .owner(Direction::Out, &asked)
                .unwrap()
        };
        let owner = self.workers.run(0, owner).unwrap();
        let process = move |worker: &mut crate::worker::Worker| {
            let now = rackweave_linux::clock::now();
            let mut frame = frame;
            worker
                .shard_mut(id)
                .unwrap()
                .process(Direction::Out, &mut frame, now);
        };
        self.workers.run(owner, process).unwrap();
    }
}

impl Drop for Sled {
    fn drop(&mut self) {
        if let Some(end) = self.end.take() {
            let _gone = end.send(());
        }
        if let Some(thread) = self.thread.take() {
            let joined = thread.join();
            assert!(joined.is_ok() || thread::panicking());
        }
        self.workers.clone().stop();
    }
}

fn info() -> Info {
    Info {
        program: "rackweave test".to_owned(),
        started: rackweave_linux::clock::now(),
        underlay: UnderlayStatus {
            kind: "udp".to_owned(),
            passed_over: vec![PassedOver {
                kind: "tap".to_owned(),
                why: "the kernel is too old".to_owned(),
            }],
        },
        cpus: Some(vec![3]),
    }
}

/// Says what is applied; refuses every state of generation 13.
async fn host_task(mut commands: mpsc::Receiver<HostCommand>, state: HostState) {
    let mut state = Arc::new(state);
    while let Some(command) = commands.recv().await {
        match command {
            HostCommand::Snapshot { reply } => {
                let attached = PortStatus {
                    restored: 0,
                    attached: Some(true),
                    fault: None,
                };
                let _gone = reply.send(Snapshot {
                    state: Some(Arc::clone(&state)),
                    ports: [(PortId::new(1), attached)].into(),
                    refused: None,
                });
            }
            HostCommand::Apply { state: new, reply } if new.generation.get() == 13 => {
                let error = HostError {
                    field: "ports[0].mac".to_owned(),
                    line: None,
                    object: "port 1".to_owned(),
                    problem: "unlucky".to_owned(),
                };
                let _gone = reply.send(Err(HostErrors {
                    file: None,
                    errors: vec![error],
                }));
            }
            HostCommand::Apply { state: new, reply } => {
                state = Arc::new(*new);
                let _gone = reply.send(Ok(HostApplied {
                    generation: state.generation,
                    added: 1,
                    ..HostApplied::default()
                }));
            }
            HostCommand::Reload { .. } => {}
        }
    }
}

fn syn(port: u16) -> Vec<u8> {
    FrameBuilder::tcp(&format!("10.0.1.5:{port}"), "192.0.2.7:443")
        .syn()
        .build()
}

fn code(error: ClientError) -> Code {
    match error {
        ClientError::Api(error) => error.code,
        other => panic!("{other}"),
    }
}

#[test]
fn a_client_sees_how_the_sled_is() {
    let sled = Sled::start();
    let mut client = sled.client();
    assert_eq!(client.daemon().program, "rackweave test");
    let status: Status = client.ask(&Request::Status(StatusRequest {})).unwrap();
    assert_eq!(status.underlay.passed_over[0].kind, "tap");
    assert_eq!(status.state.generation.unwrap().get(), 7);
    assert_eq!((status.ports, status.workers.len()), (3, 2));
    assert_eq!(status.workers[1].cpu, Some(3));
    let ports: Ports = client.ask(&Request::Ports(PortsRequest {})).unwrap();
    let test = &ports.ports[0];
    assert!(test.running && test.attached);
    assert_eq!(
        test.device.as_ref().unwrap().name.as_deref(),
        Some("tap-test")
    );
    assert_eq!(test.external.len(), 2);
    assert!(!ports.ports[1].attached);
}

#[test]
fn connections_of_all_workers_come_in_parts_and_may_be_chosen() {
    let sled = Sled::start();
    for port in 40_000..40_050 {
        sled.send(&syn(port));
    }
    let mut client = sled.client();
    let mut list = |request: FlowsRequest| {
        let mut all = Flows::default();
        let mut replies = client
            .request::<_, Flows>(&Request::Flows(request))
            .unwrap();
        while let Some(part) = replies.next_reply().unwrap() {
            all.flows.extend(part.flows);
            all.cut = part.cut;
        }
        all
    };
    let all = list(FlowsRequest::default());
    assert_eq!((all.flows.len(), all.cut), (50, false));
    assert!(all.flows.iter().any(|flow| flow.worker == 1));
    assert!(
        all.flows
            .iter()
            .all(|flow| flow.outside.is_some() && flow.epochs == Some([1, 0]))
    );
    let some = list(FlowsRequest {
        limit: Some(7),
        ..FlowsRequest::default()
    });
    assert_eq!((some.flows.len(), some.cut), (7, true));
    let exact = list(FlowsRequest {
        limit: Some(50),
        ..FlowsRequest::default()
    });
    assert_eq!((exact.flows.len(), exact.cut), (50, false));
    let one = list(FlowsRequest {
        port: Some("test".to_owned()),
        filter: FlowFilter {
            port: Some(40_003),
            ..FlowFilter::default()
        },
        limit: None,
    });
    assert_eq!(one.flows.len(), 1);
    assert_eq!(one.flows[0].local.port, 40_003);
}

#[test]
fn drops_and_rules_are_counted_over_all_workers() {
    let sled = Sled::start();
    let forged = FrameBuilder::tcp("10.9.9.9:1", "10.0.1.6:80").syn().build();
    sled.send(&forged);
    sled.send(&syn(40_000));
    let mut client = sled.client();
    let drops: Drops = client
        .ask(&Request::Drops(DropsRequest { port: None }))
        .unwrap();
    let found: Vec<_> = drops
        .drops
        .iter()
        .map(|drop| (drop.by.as_str(), drop.reason.as_str(), drop.count))
        .collect();
    assert_eq!(
        found,
        [
            ("engine", "rule_denied", 1),
            ("agent", "dropped_queue_full", 4)
        ]
    );
    assert!(drops.drops.iter().all(|drop| !drop.meaning.is_empty()));
    let web = Request::Drops(DropsRequest {
        port: Some("2".to_owned()),
    });
    assert_eq!(client.ask::<_, Drops>(&web).unwrap().drops, []);
    let rules: Rules = client
        .ask(&Request::Rules(RulesRequest {
            port: "test".to_owned(),
        }))
        .unwrap();
    let hits = |name: &str| {
        rules
            .rules
            .iter()
            .find(|rule| rule.name == name)
            .unwrap()
            .hits
    };
    assert_eq!((hits("forged address"), hits("source nat")), (1, 1));
}

#[test]
fn explain_asks_the_worker_that_owns_the_connection() {
    let sled = Sled::start();
    for port in [40_000, 40_001, 40_002, 40_003] {
        let frame = syn(port);
        sled.send(&frame);
        let hex: String = crate::capture::hex(&frame);
        let request = Request::Explain(ExplainRequest {
            port: "test".to_owned(),
            direction: Direction::Out,
            packet: PacketSpec::Hex(hex),
        });
        let told: Explanation = sled.client().ask(&request).unwrap();
        assert!(told.established, "{port}");
        assert_eq!(told.flow.unwrap().local.port, port);
        assert_eq!(told.verdict.kind, "forward");
    }
}

#[test]
fn a_capture_tells_what_comes_and_ends_when_it_is_cancelled() {
    let sled = Sled::start();
    let id = PortId::new(1);
    let inject = |workers: &Workers| {
        let frames: [Box<[u8]>; 1] = [syn(1).into()];
        workers
            .run(0, move |worker| worker.inject(id, &frames))
            .unwrap();
    };
    let mut client = sled.client();
    let request = |limit| {
        Request::Capture(CaptureRequest {
            port: "test".to_owned(),
            points: vec![Point::Guest],
            limit,
            for_ms: None,
        })
    };
    let mut replies = client.request::<_, Captured>(&request(None)).unwrap();
    let begun = replies.next_reply().unwrap().unwrap();
    let Captured::Begun(begun) = begun else {
        panic!("{begun:?}");
    };
    assert_eq!(begun.port, "0000000000000001 (test)");
    let busy = sled
        .client()
        .ask::<_, Captured>(&request(None))
        .unwrap_err();
    assert_eq!(code(busy), Code::Busy);
    inject(&sled.workers);
    let packet = replies.next_reply().unwrap().unwrap();
    let Captured::Packet(packet) = packet else {
        panic!("{packet:?}");
    };
    assert_eq!(
        (packet.point, packet.direction),
        (Point::Guest, Direction::In)
    );
    assert_eq!(octets_of(&packet.frame).unwrap(), syn(1));
    replies.canceller().unwrap().cancel().unwrap();
    let end = replies.next_reply().unwrap().unwrap();
    let Captured::End(end) = end else {
        panic!("{end:?}");
    };
    assert_eq!((end.captured, end.lost), (1, 0));
    assert!(replies.next_reply().unwrap().is_none());
    // The port is free again, and a limit ends a capture too.
    let mut replies = client.request::<_, Captured>(&request(Some(1))).unwrap();
    replies.next_reply().unwrap();
    inject(&sled.workers);
    assert!(matches!(
        replies.next_reply(),
        Ok(Some(Captured::Packet(_)))
    ));
    assert!(matches!(replies.next_reply(), Ok(Some(Captured::End(_)))));
}

#[test]
fn a_state_is_applied_or_refused_with_the_reasons() {
    let sled = Sled::start();
    let scene = Scene::new().unwrap();
    let mut client = sled.client();
    let mut apply = |generation| {
        let mut state = state_of(&scene);
        state.generation = rackweave_types::Generation::new(generation);
        let state = Box::new(state);
        client.ask::<_, Applied>(&Request::Apply(ApplyRequest { state }))
    };
    assert_eq!(apply(8).unwrap().generation.get(), 8);
    let ClientError::Api(error) = apply(13).unwrap_err() else {
        panic!("an answer");
    };
    assert_eq!(error.code, Code::Refused);
    assert_eq!(error.cause.unwrap(), "ports[0].mac, port 1: unlucky");
}

#[test]
fn a_stop_is_passed_on() {
    let sled = Sled::start();
    sled.client()
        .ask::<_, Stopped>(&Request::Stop(StopRequest {}))
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(sled.stop.notified());
}

#[test]
fn who_does_not_speak_the_protocol_is_told_so() {
    let sled = Sled::start();
    let talk = |text: &str| -> Vec<FromDaemon<serde_json::Value>> {
        let mut stream = UnixStream::connect(sled.socket()).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut replies = String::new();
        stream.read_to_string(&mut replies).unwrap();
        replies
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let code = |reply: &FromDaemon<serde_json::Value>| match reply {
        FromDaemon::Error(failure) => Some(failure.error.code),
        _ => None,
    };
    let hello = r#"{"hello":{"version":2,"oldest":1,"service":"sled","program":"later"}}"#;
    let far = r#"{"hello":{"version":9,"oldest":9,"service":"sled","program":"far"}}"#;
    assert_eq!(
        code(&talk("GET / HTTP/1.1\r\n\r\n")[0]),
        Some(Code::BadRequest)
    );
    assert_eq!(code(&talk(&format!("{far}\n"))[0]), Some(Code::Version));
    let replies = talk(&format!(
        "{hello}\n{{\"request\":{{\"id\":1,\"body\":{{\"migrate\":{{}}}}}}}}\n{{\"request\":{{\"id\":2,\"body\":{{\"ports\":{{}}}}}}}}\n"
    ));
    assert!(matches!(replies[0], FromDaemon::Hello(_)));
    assert_eq!(code(&replies[1]), Some(Code::UnknownRequest));
    assert!(
        matches!(&replies[2], FromDaemon::Reply(reply) if reply.id == 2),
        "{replies:?}"
    );
    let nobody = Request::Rules(RulesRequest {
        port: "nobody".to_owned(),
    });
    let error = sled.client().ask::<_, Rules>(&nobody).unwrap_err();
    assert!(
        error.to_string().contains("rackweave sled ports"),
        "{error}"
    );
}
