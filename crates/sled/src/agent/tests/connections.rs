//! TCP of guests: metadata, DNS, and what their connections may cost.

use super::*;

/// A guest's TCP.
pub(super) struct Client {
    port: PortId,
    mac: MacAddr,
    interface: Interface,
    sockets: SocketSet<'static>,
    link: IpLink,
}

impl Client {
    pub(super) fn new(rack: &Rack, port: PortId, addr: &str) -> Self {
        let mut link = IpLink::new(1500);
        let config = Config::new(HardwareAddress::Ip);
        let mut interface = Interface::new(config, &mut link, stack_time(rack.now));
        let addr: IpAddr = addr.parse().unwrap();
        let len = if addr.is_ipv4() { 32 } else { 128 };
        interface.update_ip_addrs(|own| own.push(IpCidr::new(addr.into(), len)).unwrap());
        open_routes(&mut interface);
        Self {
            port,
            mac: rack.mac(port),
            interface,
            sockets: SocketSet::new(Vec::new()),
            link,
        }
    }

    pub(super) fn open(&mut self, rack: &Rack, to: &str, from: u16) -> SocketHandle {
        let to: std::net::SocketAddr = to.parse().unwrap();
        let buffer = || SocketBuffer::new(vec![0; 65_536]);
        let mut socket = Socket::new(buffer(), buffer());
        self.interface
            .poll(stack_time(rack.now), &mut self.link, &mut self.sockets);
        socket.connect(self.interface.context(), to, from).unwrap();
        self.sockets.add(socket)
    }

    /// One millisecond: what waits goes to the agent, and its answers come.
    fn step(&mut self, rack: &mut Rack) {
        rack.now = rack.now.after(Duration::from_millis(1));
        self.interface
            .poll(stack_time(rack.now), &mut self.link, &mut self.sockets);
        let link = Link {
            src: self.mac,
            dst: reserved::GATEWAY_MAC,
        };
        while let Some(packet) = self.link.pop() {
            let frame = link.frame(&packet).unwrap();
            let Ok(Packet {
                transport: Transport::Tcp { dst_port, .. },
                ..
            }) = Packet::parse(&frame)
            else {
                continue;
            };
            let queue = if dst_port == 53 {
                punt::DNS
            } else {
                punt::METADATA
            };
            rack.punt(self.port, queue, &frame);
        }
        for frame in rack.run().guests.remove(&self.port).unwrap_or_default() {
            assert_eq!(frame[..6].len(), 6);
            if let Ok(packet) = Packet::parse(&frame) {
                self.link.push(packet.ip);
            }
        }
        self.interface
            .poll(stack_time(rack.now), &mut self.link, &mut self.sockets);
    }

    /// Sends, and reads until `enough` or for ten seconds.
    pub(super) fn exchange(
        &mut self,
        rack: &mut Rack,
        handle: SocketHandle,
        mut octets: &[u8],
        enough: impl Fn(&[u8]) -> bool,
    ) -> Vec<u8> {
        let mut got = Vec::new();
        for _ in 0..10_000 {
            self.step(rack);
            let socket = self.sockets.get_mut::<Socket<'_>>(handle);
            if socket.can_send() && !octets.is_empty() {
                let sent = socket.send_slice(octets).unwrap();
                octets = &octets[sent..];
            }
            if socket.can_recv() {
                socket
                    .recv(|octets| {
                        got.extend_from_slice(octets);
                        (octets.len(), ())
                    })
                    .unwrap();
            }
            if enough(&got) {
                break;
            }
        }
        got
    }
}

fn whole(got: &[u8]) -> bool {
    let text = String::from_utf8_lossy(got);
    text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
        let len = head
            .split_once("Content-Length: ")
            .map_or("", |(_, rest)| rest);
        let len: usize = len.lines().next().unwrap_or_default().parse().unwrap();
        body.len() >= len
    })
}

fn fetch(rack: &mut Rack, port: PortId, addr: &str, service: &str) -> String {
    let mut client = Client::new(rack, port, addr);
    let handle = client.open(rack, service, 50_000);
    let put = b"PUT /latest/api/token HTTP/1.1\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\n\r\n";
    let got = client.exchange(rack, handle, put, whole);
    let text = String::from_utf8(got).unwrap();
    let token = text.split_once("\r\n\r\n").unwrap().1;
    // On the same connection.
    let get = format!(
        "GET /latest/meta-data/instance-id HTTP/1.1\r\nX-aws-ec2-metadata-token: {token}\r\n\r\n"
    );
    let got = client.exchange(rack, handle, get.as_bytes(), whole);
    String::from_utf8(got).unwrap()
}

#[test]
fn a_guest_reads_its_own_metadata_over_either_family() {
    let mut rack = Rack::new();
    let answer = fetch(&mut rack, WEB, "10.0.1.6", "169.254.169.254:80");
    assert!(answer.ends_with("\r\n\r\ni-0000000000000002"), "{answer}");
    let answer = fetch(&mut rack, WEB, "fd12:3456:789a:1::6", "[fd00:ec2::254]:80");
    assert!(answer.ends_with("\r\n\r\ni-0000000000000002"), "{answer}");
    // db belongs to no instance, whatever address it claims.
    let answer = fetch(&mut rack, DB, "10.0.1.6", "169.254.169.254:80");
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    assert_eq!(rack.machine.counters().metadata_answered, 5);
}

#[test]
fn queries_over_tcp_share_a_connection() {
    let mut rack = Rack::new();
    let mut client = Client::new(&rack, WEB, "10.0.1.6");
    let handle = client.open(&rack, DNS, 50_000);
    let one = query("web.rack.internal.", RecordType::A).to_vec().unwrap();
    let len = u16::try_from(one.len()).unwrap().to_be_bytes();
    let three = [&len[..], &one].concat().repeat(3);
    let got = client.exchange(&mut rack, handle, &three, |got| got.len() >= 3 * 67);
    let len = usize::from(u16::from_be_bytes([got[0], got[1]]));
    assert_eq!(got.len(), 3 * (len + 2));
    assert_eq!(Message::from_vec(&got[2..]).unwrap().answers.len(), 1);
    // The guest closes, and nothing is left.
    client.sockets.get_mut::<Socket<'_>>(handle).close();
    for _ in 0..50 {
        client.step(&mut rack);
    }
    rack.pass(Duration::from_secs(30));
    assert_eq!(rack.machine.counters().connections, 1);
    assert_eq!(rack.machine.counters().connections_timed_out, 0);
}

#[test]
fn connections_are_few_and_end_when_they_are_of_no_use() {
    let mut rack = Rack::new();
    let mut client = Client::new(&rack, WEB, "10.0.1.6");
    for port in 0..20 {
        client.open(&rack, "169.254.169.254:80", 50_000 + port);
    }
    for _ in 0..5 {
        client.step(&mut rack);
    }
    let counters = rack.machine.counters();
    assert_eq!(
        counters.connections,
        u64::try_from(MAX_CONNECTIONS).unwrap()
    );
    assert!(counters.dropped_connection_limit >= 4);
    rack.pass(Duration::from_secs(21));
    assert_eq!(
        rack.machine.counters().connections_timed_out,
        counters.connections
    );
    // There is room again for those that went on asking.
    for _ in 0..3000 {
        client.step(&mut rack);
    }
    assert!(rack.machine.counters().connections > counters.connections);
}
