//! Frames inside of Geneve over UDP over IPv6 (RFC 8926), as the underlay carries them.

use rackweave_types::{MacAddr, reserved};

use super::FrameBuilder;
use crate::number;

/// The sled's own Ethernet address on the underlay.
const SLED_MAC: MacAddr = MacAddr::new([0x02, 0, 0, 0, 0, 0x01]);
/// The next hop's.
const NEXT_HOP_MAC: MacAddr = MacAddr::new([0x02, 0, 0, 0, 0, 0x02]);

/// A tunnel between two end points.
#[derive(Clone, Debug)]
pub struct Tunnel {
    src: String,
    dst: String,
    src_port: u16,
    vni: u32,
    tos: u8,
    options: Vec<u8>,
    checksum: bool,
}

impl Tunnel {
    /// A tunnel from one IPv6 address to another with this VNI, without options and outer checksum.
    #[must_use]
    pub fn new(src: &str, dst: &str, vni: u32) -> Self {
        Self {
            src: src.to_owned(),
            dst: dst.to_owned(),
            src_port: 49_152,
            vni: vni & 0x00ff_ffff,
            tos: 0,
            options: Vec::new(),
            checksum: false,
        }
    }

    /// Sets the outer source port, the entropy of the inner flow.
    #[must_use]
    pub fn src_port(mut self, port: u16) -> Self {
        self.src_port = port;
        self
    }

    /// Sets DSCP and ECN of the outer header.
    #[must_use]
    pub fn tos(mut self, tos: u8) -> Self {
        self.tos = tos;
        self
    }

    /// Adds an option of our class with a value filled up to a multiple of four octets.
    #[must_use]
    pub fn option(self, kind: u8, value: &[u8]) -> Self {
        self.foreign_option(reserved::GENEVE_OPTION_CLASS, kind, value)
    }

    /// Adds an option of any class with a value filled up to a multiple of four octets.
    #[must_use]
    pub fn foreign_option(mut self, class: u16, kind: u8, value: &[u8]) -> Self {
        let len = value.len().next_multiple_of(4);
        let words = u8::try_from(len / 4).unwrap_or(u8::MAX).min(31);
        self.options.extend(class.to_be_bytes());
        self.options.extend([kind, words]);
        let end = self.options.len() + len;
        self.options.extend(value);
        self.options.resize(end, 0);
        self
    }

    /// Marks frames as from or to an external address (option EXTERNAL).
    #[must_use]
    pub fn external(self) -> Self {
        self.option(reserved::GENEVE_OPTION_EXTERNAL, &[])
    }

    /// Computes the outer checksum.
    #[must_use]
    pub fn with_checksum(mut self) -> Self {
        self.checksum = true;
        self
    }

    /// The underlay frame around `frame`.
    #[must_use]
    pub fn wrap(&self, frame: &[u8]) -> Vec<u8> {
        let words = u8::try_from(self.options.len() / 4)
            .unwrap_or(u8::MAX)
            .min(63);
        let critical = has_critical(&self.options);
        let mut geneve = vec![words, u8::from(critical) << 6];
        geneve.extend(number::ETHERTYPE_BRIDGED.to_be_bytes());
        geneve.extend((self.vni << 8).to_be_bytes());
        geneve.extend(&self.options);
        geneve.extend(frame);
        let (src, dst) = (&self.src, &self.dst);
        let port = reserved::GENEVE_PORT;
        let packet = FrameBuilder::udp(
            &format!("[{src}]:{}", self.src_port),
            &format!("[{dst}]:{port}"),
        )
        .macs(SLED_MAC, NEXT_HOP_MAC)
        .tos(self.tos)
        .payload(&geneve);
        let packet = if self.checksum {
            packet
        } else {
            packet.no_udp_checksum()
        };
        packet.build()
    }
}

/// Whether an option among these is critical: the header must say so (RFC 8926 section 3.4).
pub(super) fn has_critical(options: &[u8]) -> bool {
    let mut rest = options;
    while let Some(&[_, _, kind, words]) = rest.first_chunk() {
        if kind & 0x80 != 0 {
            return true;
        }
        rest = rest
            .get(4 + 4 * usize::from(words & 0x1f)..)
            .unwrap_or_default();
    }
    false
}
