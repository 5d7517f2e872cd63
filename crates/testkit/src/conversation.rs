//! TCP connections as two hosts hold them: sequence numbers follow one another.

use std::net::SocketAddr;

use rackweave_types::MacAddr;

use crate::packet::{FrameBuilder, flag};

/// One end's view of itself and of the other: with address translation between them, the views of
/// both ends differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// Ethernet source of what it sends.
    pub mac: MacAddr,
    /// Ethernet destination: its next hop.
    pub next_hop: MacAddr,
    /// Its own address and port.
    pub own: SocketAddr,
    /// The other end's.
    pub other: SocketAddr,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// Who opened the connection.
    Client,
    /// Who answers.
    Server,
}

/// A TCP connection. Nothing is lost: whoever speaks acknowledges all that the other has said.
#[derive(Clone, Debug)]
pub struct Conversation {
    views: [View; 2],
    /// The next sequence number of each.
    next: [u32; 2],
}

/// Maximum segment size on a link of 1500 octets over IPv4 (RFC 9293 section 3.7.1).
const MSS: [u8; 4] = [2, 4, 0x05, 0xb4];

impl Conversation {
    /// A connection that is still to be opened.
    #[must_use]
    pub const fn new(client: View, server: View) -> Self {
        Self {
            views: [client, server],
            next: [1_000_000, 5_000_000],
        }
    }

    /// The next segment of one end, as it hands it to its next hop. All but the first SYN
    /// acknowledge.
    #[must_use]
    pub fn segment(&mut self, from: Speaker, flags: u8, payload: &[u8]) -> Vec<u8> {
        let (me, you) = match from {
            Speaker::Client => (0, 1),
            Speaker::Server => (1, 0),
        };
        let view = self.views[me];
        let acknowledgment = if flags & flag::ACK == 0 {
            0
        } else {
            self.next[you]
        };
        let options = if flags & flag::SYN == 0 {
            &[][..]
        } else {
            &MSS
        };
        let frame = FrameBuilder::tcp(&view.own.to_string(), &view.other.to_string())
            .macs(view.mac, view.next_hop)
            .flags(flags)
            .numbers(self.next[me], acknowledgment)
            .tcp_options(options)
            .payload(payload)
            .build();
        // SYN and FIN count as an octet each (RFC 9293 section 3.4).
        let control = u32::from(flags & flag::SYN != 0) + u32::from(flags & flag::FIN != 0);
        let len = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        self.next[me] = self.next[me].wrapping_add(len).wrapping_add(control);
        frame
    }
}

#[cfg(test)]
mod tests {
    use rackweave_wire::tcp::TcpView;

    use super::*;
    use crate::verify::verify;

    #[test]
    fn each_end_acknowledges_what_the_other_said() {
        use Speaker::{Client, Server};
        let view = |own: &str, other: &str| View {
            mac: MacAddr::new([2, 0, 0, 0, 0, 1]),
            next_hop: MacAddr::new([2, 0, 0, 0, 0, 2]),
            own: own.parse().unwrap(),
            other: other.parse().unwrap(),
        };
        let client = view("10.0.0.5:40000", "192.0.2.1:80");
        let server = view("10.0.0.6:80", "10.0.0.5:40000");
        let mut conversation = Conversation::new(client, server);
        let mut say = |from, flags, payload: &[u8]| {
            let frame = conversation.segment(from, flags, payload);
            assert_eq!(verify(&frame), Ok(()));
            let tcp = TcpView::parse(&frame[34..]).unwrap();
            (tcp.sequence(), tcp.acknowledgment())
        };
        assert_eq!(say(Client, flag::SYN, b""), (1_000_000, 0));
        let syn_ack = flag::SYN | flag::ACK;
        assert_eq!(say(Server, syn_ack, b""), (5_000_000, 1_000_001));
        assert_eq!(say(Client, flag::ACK, b"hello"), (1_000_001, 5_000_001));
        assert_eq!(say(Server, flag::ACK, b""), (5_000_001, 1_000_006));
        let fin = flag::FIN | flag::ACK;
        assert_eq!(say(Client, fin, b""), (1_000_006, 5_000_001));
        assert_eq!(say(Server, fin, b""), (5_000_001, 1_000_007));
    }
}
