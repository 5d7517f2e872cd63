use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use rackweave_types::state::{InstanceId, InstanceState, StateVersion, Subnet, SubnetId};
use rackweave_types::{Generation, Instant, PortId, Vni};
use serde_json::{Value, json};

use super::http::{MAX_HEAD, Response, Status};
use super::{Asker, Parsed, Tokens, parse, respond};
use crate::agent::counters::AgentCounters;
use crate::agent::random::Random;
use crate::agent::turn::Turn;
use crate::agent::view::{InstanceView, NicView};

const PORT: PortId = PortId::new(0x11);

fn instance() -> InstanceView {
    let nic = |port: PortId, slot: u8, mac: &str, addresses: &[&str]| NicView {
        port,
        mac: mac.parse().unwrap(),
        slot,
        vni: Vni::new(2000).unwrap(),
        addresses: addresses.iter().map(|addr| addr.parse().unwrap()).collect(),
        external: vec!["198.51.100.7".parse().unwrap()],
        subnets: vec![Subnet {
            id: SubnetId::new(1),
            ipv4: Some("10.1.2.0/24".parse().unwrap()),
            ipv6: Some("fd12::/64".parse().unwrap()),
        }],
        vpc_ipv4: vec!["10.1.0.0/16".parse().unwrap()],
        vpc_ipv6: Some("fd12::/48".parse().unwrap()),
    };
    InstanceView {
        state: InstanceState {
            version: StateVersion::CURRENT,
            generation: Generation::new(1),
            id: InstanceId::new(0x2f1),
            hostname: "web-1".parse().unwrap(),
            ports: vec![PORT, PortId::new(0x12)],
            image: Some("debian-13".into()),
            size: None,
            availability_zone: Some("us-east-1a".into()),
            ssh_keys: vec!["ssh-ed25519 AAAA one@two".into(), "ssh-rsa BBBB".into()],
            user_data: Some("#cloud-config\nruncmd: []\n".into()),
        },
        nics: vec![
            nic(
                PORT,
                0,
                "02:72:77:00:00:11",
                &["10.1.2.9", "10.1.2.10", "fd12::9"],
            ),
            nic(PortId::new(0x12), 1, "02:72:77:00:00:12", &["10.1.2.12"]),
        ],
    }
}

/// A guest that asks over one connection.
struct Client {
    instance: Option<InstanceView>,
    tokens: Tokens,
    random: Random,
    counters: AgentCounters,
    now: Instant,
}

impl Client {
    fn new() -> Self {
        let mut random = Random::from_seed(&[1; 32]);
        Self {
            instance: Some(instance()),
            tokens: Tokens::new(&mut random),
            random,
            counters: AgentCounters::default(),
            now: Instant::from_nanos(1),
        }
    }

    fn ask(&mut self, octets: &str) -> Response {
        match parse(octets.as_bytes()) {
            Parsed::Bad(response) => response,
            Parsed::Partial => panic!("{octets:?} is not whole"),
            Parsed::Request(request, len) => {
                assert_eq!(len, octets.len());
                let asker = Asker {
                    port: PORT,
                    instance: self.instance.as_ref(),
                };
                let mut turn = Turn {
                    now: self.now,
                    random: &mut self.random,
                    counters: &mut self.counters,
                };
                respond(asker, &request, &self.tokens, &mut turn)
            }
        }
    }

    fn token(&mut self, seconds: u32) -> String {
        let response = self.ask(&format!(
            "PUT /latest/api/token HTTP/1.1\r\nHost: 169.254.169.254\r\n\
             X-aws-ec2-metadata-token-ttl-seconds: {seconds}\r\n\r\n"
        ));
        assert_eq!(response.status, Status::Ok);
        String::from_utf8(response.body).unwrap()
    }

    fn get(&mut self, path: &str, token: &str) -> Response {
        self.ask(&format!(
            "GET {path} HTTP/1.1\r\nHost: 169.254.169.254\r\nUser-Agent: Cloud-Init/22.4.2\r\n\
             Accept-Encoding: gzip, deflate\r\nAccept: */*\r\nConnection: keep-alive\r\n\
             X-aws-ec2-metadata-token: {token}\r\n\r\n"
        ))
    }

    fn read(&mut self, path: &str, token: &str) -> String {
        let response = self.get(path, token);
        assert_eq!(response.status, Status::Ok, "{path}");
        String::from_utf8(response.body).unwrap()
    }

    /// Reads a tree as cloud-init does (`MetadataMaterializer`): a listing, then each of its lines; what ends in a
    /// slash is a listing itself, and `0=name` is read at `0/openssh-key`.
    fn crawl(&mut self, base: &str, token: &str) -> Value {
        let listing = self.read(base, token);
        let mut found = BTreeMap::new();
        for line in listing.lines() {
            if let Some(name) = line.strip_suffix('/') {
                let below = self.crawl(&format!("{base}{name}/"), token);
                found.insert(name.to_owned(), below);
            } else {
                let (name, resource) = match line.split_once('=') {
                    Some((number, name)) => (name, format!("{number}/openssh-key")),
                    None => (line, line.to_owned()),
                };
                let blob = self.read(&format!("{base}{resource}"), token);
                let value = match blob.lines().collect::<Vec<_>>().as_slice() {
                    _ if blob.starts_with('{') => serde_json::from_str(&blob).unwrap(),
                    [one] => json!(one),
                    many => json!(many),
                };
                found.insert(name.to_owned(), value);
            }
        }
        json!(found)
    }
}

#[test]
fn cloud_init_finds_what_it_asks_for() {
    let mut client = Client::new();
    let token = client.token(21_600);
    // The newest version it knows is there, so it asks no further.
    let id = client.read("/2021-03-23/meta-data/instance-id", &token);
    assert_eq!(id, "i-00000000000002f1");
    let user_data = client.get("/2021-03-23/user-data", &token);
    assert_eq!(user_data.body, b"#cloud-config\nruncmd: []\n");
    let found = client.crawl("/2021-03-23/meta-data/", &token);
    let expected = json!({
        "ami-id": "debian-13",
        "ami-launch-index": "0",
        "hostname": "web-1",
        "instance-id": "i-00000000000002f1",
        "ipv6": "fd12::9",
        "local-hostname": "web-1",
        "local-ipv4": "10.1.2.9",
        "mac": "02:72:77:00:00:11",
        "network": {"interfaces": {"macs": {
            "02:72:77:00:00:11": {
                "device-number": "0",
                "interface-id": "eni-0000000000000011",
                "ipv6s": "fd12::9",
                "local-hostname": "web-1",
                "local-ipv4s": ["10.1.2.9", "10.1.2.10"],
                "mac": "02:72:77:00:00:11",
                "public-ipv4s": "198.51.100.7",
                "subnet-id": "subnet-00000001",
                "subnet-ipv4-cidr-block": "10.1.2.0/24",
                "subnet-ipv6-cidr-blocks": "fd12::/64",
                "vpc-id": "vpc-000007d0",
                "vpc-ipv4-cidr-block": "10.1.0.0/16",
                "vpc-ipv4-cidr-blocks": "10.1.0.0/16",
                "vpc-ipv6-cidr-blocks": "fd12::/48",
            },
            "02:72:77:00:00:12": {
                "device-number": "1",
                "interface-id": "eni-0000000000000012",
                "local-hostname": "web-1",
                "local-ipv4s": "10.1.2.12",
                "mac": "02:72:77:00:00:12",
                "public-ipv4s": "198.51.100.7",
                "subnet-id": "subnet-00000001",
                "subnet-ipv4-cidr-block": "10.1.2.0/24",
                "subnet-ipv6-cidr-blocks": "fd12::/64",
                "vpc-id": "vpc-000007d0",
                "vpc-ipv4-cidr-block": "10.1.0.0/16",
                "vpc-ipv4-cidr-blocks": "10.1.0.0/16",
                "vpc-ipv6-cidr-blocks": "fd12::/48",
            },
        }}},
        "placement": {"availability-zone": "us-east-1a", "region": "us-east-1"},
        "public-ipv4": "198.51.100.7",
        "public-keys": {"key-0": "ssh-ed25519 AAAA one@two", "key-1": "ssh-rsa BBBB"},
    });
    assert_eq!(found, expected);
    // The identity's listing is asked without the slash.
    assert_eq!(
        client.read("/2021-03-23/dynamic/instance-identity", &token),
        "document"
    );
    let document = client.read("/2021-03-23/dynamic/instance-identity/document", &token);
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["instanceId"], "i-00000000000002f1");
    assert_eq!(document["region"], "us-east-1");
}

#[test]
fn listings_lead_from_the_root() {
    let mut client = Client::new();
    let token = client.token(60);
    assert_eq!(
        client.read("/", &token),
        "2009-04-04\n2016-09-02\n2018-09-24\n2021-03-23\nlatest"
    );
    assert_eq!(
        client.read("/latest/", &token),
        "dynamic\nmeta-data\nuser-data"
    );
    assert_eq!(
        client.read("/latest/dynamic/", &token),
        "instance-identity/"
    );
    let keys = client.read("/latest/meta-data/public-keys/", &token);
    assert_eq!(keys, "0=key-0\n1=key-1");
    assert_eq!(
        client.read("/latest/meta-data/public-keys/1", &token),
        "openssh-key"
    );
    let known: Vec<_> = ["/2008-02-01/", "/latest/nothing", "/latest/meta-data/mac/x"]
        .iter()
        .map(|path| client.get(path, &token).status)
        .collect();
    assert_eq!(known, [Status::NotFound; 3]);
}

#[test]
fn only_a_token_opens() {
    let mut client = Client::new();
    let token = client.token(60);
    let statuses = [
        (
            "GET /latest/meta-data/ HTTP/1.1\r\n\r\n",
            Status::Unauthorized,
        ),
        (
            "GET /latest/meta-data/ HTTP/1.1\r\nX-aws-ec2-metadata-token: guess\r\n\r\n",
            Status::Unauthorized,
        ),
        ("PUT /latest/api/token HTTP/1.1\r\n\r\n", Status::BadRequest),
        (
            "PUT /latest/api/token HTTP/1.1\r\nX-aws-ec2-metadata-token-ttl-seconds: 0\r\n\r\n",
            Status::BadRequest,
        ),
        (
            "PUT /latest/api/token HTTP/1.1\r\nX-aws-ec2-metadata-token-ttl-seconds: 21601\r\n\r\n",
            Status::BadRequest,
        ),
        (
            "PUT /latest/api/token HTTP/1.1\r\nX-Forwarded-For: 192.0.2.1\r\n\
             X-aws-ec2-metadata-token-ttl-seconds: 60\r\n\r\n",
            Status::Forbidden,
        ),
        (
            "GET /latest/api/token HTTP/1.1\r\n\r\n",
            Status::MethodNotAllowed,
        ),
        (
            "POST /latest/meta-data/ HTTP/1.1\r\n\r\n",
            Status::MethodNotAllowed,
        ),
        (
            "PUT /2021-03-23/api/token HTTP/1.1\r\n\r\n",
            Status::MethodNotAllowed,
        ),
    ];
    for (request, status) in statuses {
        assert_eq!(client.ask(request).status, status, "{request}");
    }
    assert_eq!(
        client.get("/latest/meta-data/mac", &token).status,
        Status::Ok
    );
    let refused = client.counters.metadata_refused;
    client.now = client.now.after(Duration::from_secs(61));
    assert_eq!(
        client.get("/latest/meta-data/mac", &token).status,
        Status::Unauthorized
    );
    assert_eq!(client.counters.metadata_refused, refused + 1);
}

#[test]
fn a_port_without_instance_has_tokens_and_nothing_else() {
    let mut client = Client::new();
    client.instance = None;
    let token = client.token(60);
    assert_eq!(
        client.get("/latest/meta-data/", &token).status,
        Status::NotFound
    );
}

#[test]
fn connections_end_where_they_must() {
    let mut client = Client::new();
    let ends = |response: Response| !response.keep_alive;
    let get = "GET / HTTP/1.1\r\n";
    assert!(!ends(client.ask(&format!("{get}\r\n"))));
    assert!(ends(
        client.ask(&format!("{get}Connection: TE, Close\r\n\r\n"))
    ));
    assert!(ends(client.ask("GET / HTTP/1.0\r\n\r\n")));
    assert!(!ends(
        client.ask("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    ));
    let bad = [
        ("nonsense\r\n\r\n", Status::BadRequest),
        (
            "PUT / HTTP/1.1\r\nContent-Length: 9999\r\n\r\n",
            Status::ContentTooLarge,
        ),
        (
            "PUT / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
            Status::BadRequest,
        ),
        (
            "PUT / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            Status::BadRequest,
        ),
        (
            "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
            Status::NotImplemented,
        ),
    ];
    for (request, status) in bad {
        let response = client.ask(request);
        assert_eq!(response.status, status, "{request}");
        assert!(ends(response));
    }
}

#[test]
fn a_request_is_taken_when_it_is_whole() {
    let request = "PUT / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET";
    for len in 0..request.len() - 3 {
        assert_eq!(parse(&request.as_bytes()[..len]), Parsed::Partial, "{len}");
    }
    assert!(matches!(
        parse(request.as_bytes()),
        Parsed::Request(_, len) if len == request.len() - 3
    ));
    let long = format!("GET / HTTP/1.1\r\nA: {}", "b".repeat(MAX_HEAD));
    let status = match parse(long.as_bytes()) {
        Parsed::Bad(response) => response.status,
        other => panic!("{other:?}"),
    };
    assert_eq!(status, Status::HeadTooLarge);
}

#[test]
fn a_response_says_how_long_it_is() {
    let mut client = Client::new();
    let token = client.token(60);
    let response = client.get("/latest/meta-data/local-ipv4", &token);
    let text = String::from_utf8(response.encode()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, "10.1.2.9");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("\r\nContent-Length: 8\r\n"), "{head}");
    let head_only = client.ask(&format!(
        "HEAD /latest/meta-data/local-ipv4 HTTP/1.1\r\nX-aws-ec2-metadata-token: {token}\r\n\r\n"
    ));
    let text = String::from_utf8(head_only.encode()).unwrap();
    assert!(text.ends_with("\r\n\r\n") && text.contains("Content-Length: 8\r\n"));
}

proptest! {
    #[test]
    fn no_octets_panic(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
        parse(&octets);
    }

    #[test]
    fn no_request_panics(method in "[A-Z]{1,8}", path in "/[ -~]{0,60}", field in "[ -~]{0,60}") {
        let request = format!("{method} {path} HTTP/1.1\r\nX: {field}\r\n\r\n");
        if let Parsed::Request(..) = parse(request.as_bytes()) {
            let mut client = Client::new();
            client.ask(&request);
        }
    }
}
