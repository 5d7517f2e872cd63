//! What the other side of a device can be handed.

use rackweave_wire::virtio_net::{Checksum, GsoKind, NetHeader};

/// What a guest takes unfinished: what is missing here must be done before a frame is sent to it.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a feature of its own in the standard, and any set of them is granted"
)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offloads {
    /// Frames whose transport checksum is still to be computed.
    pub checksum: bool,
    /// Large TCP segments in IPv4.
    pub tcp4: bool,
    /// Large TCP segments in IPv6.
    pub tcp6: bool,
    /// Trains of UDP datagrams.
    pub udp: bool,
}

impl Offloads {
    /// Whether a frame with this header can be handed over as it is.
    #[inline]
    pub fn allow(self, header: &NetHeader) -> bool {
        let checksum = self.checksum || !matches!(header.checksum, Checksum::Needed { .. });
        let segments = match header.gso {
            None => true,
            Some(gso) if gso.tunnel.is_some() => false,
            Some(gso) => match gso.kind {
                GsoKind::TcpV4 => self.tcp4,
                GsoKind::TcpV6 => self.tcp6,
                GsoKind::UdpL4 => self.udp,
            },
        };
        checksum && segments
    }
}
