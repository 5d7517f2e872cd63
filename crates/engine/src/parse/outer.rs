//! The tunnel around a frame from the wire: Ethernet, IPv6, UDP, Geneve (RFC 8926).

use rackweave_types::{MacAddr, Vni, reserved};

use super::inner::{addr6, be16};
use super::{ETHERTYPE_IPV6, protocol};
use crate::addr::Addr;
use crate::drop_reason::DropReason;

/// Protocol type of an Ethernet frame (RFC 8926, section 3.4).
pub(crate) const TRANS_ETHER_BRIDGING: u16 = 0x6558;
/// Ethernet, IPv6, UDP and Geneve without options.
pub(crate) const OUTER_LEN: usize = 14 + 40 + 8 + 8;

/// What the tunnel headers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outer {
    /// Source of the outer IPv6 header.
    pub src: Addr,
    /// Destination of the outer IPv6 header.
    pub dst: Addr,
    /// DSCP and ECN of the outer IPv6 header.
    pub tos: u8,
    /// Network identifier.
    pub vni: Vni,
    /// Whether the EXTERNAL option is there.
    pub external: bool,
    /// Segment size that the MSS option tells.
    pub mss: Option<u16>,
    /// Sending port that the SOURCE option tells.
    pub source: Option<u64>,
    /// Where the inner frame begins.
    pub len: u16,
}

/// Reads the tunnel headers of a frame from the wire.
///
/// # Errors
/// The reason for which the frame is dropped.
pub fn parse_outer(bytes: &[u8]) -> Result<Outer, DropReason> {
    let mut outer = Outer::NOTHING;
    outer.read(bytes)?;
    Ok(outer)
}

impl Outer {
    /// What is known of a tunnel before its headers were read.
    pub(crate) const NOTHING: Self = Self {
        src: Addr::NONE,
        dst: Addr::NONE,
        tos: 0,
        vni: Vni::BOUNDARY,
        external: false,
        mss: None,
        source: None,
        len: 0,
    };

    /// As [`parse_outer`], in place: the packet path moves no headers about. After an error the value is of no use but
    /// to read the next frame into.
    #[inline(always)]
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Result<(), DropReason> {
        let (head, behind) = bytes.split_first_chunk().ok_or(DropReason::Truncated)?;
        self.read_split(head, behind)
    }

    /// As [`read`](Self::read), of headers without options and what is behind them.
    #[inline(always)]
    pub(crate) fn read_split(
        &mut self,
        head: &[u8; OUTER_LEN],
        behind: &[u8],
    ) -> Result<(), DropReason> {
        let udp_dst = u16::from_be_bytes([head[56], head[57]]);
        if be16(head, 12) != Some(ETHERTYPE_IPV6)
            || head[14] >> 4 != 6
            || head[20] != protocol::UDP
            || udp_dst != reserved::GENEVE_PORT
        {
            return Err(DropReason::NotGeneve);
        }
        // Version 0, an Ethernet frame inside, and no control packet: "endpoints MUST NOT forward the payload" of one.
        if be16(head, 64) != Some(TRANS_ETHER_BRIDGING)
            || head[62] >> 6 != 0
            || head[63] & 0x80 != 0
        {
            return Err(DropReason::GeneveHeader);
        }
        let options_len = usize::from(head[62] & 0x3f) * 4;
        let vni = u32::from_be_bytes([0, head[66], head[67], head[68]]);
        *self = Self {
            src: addr6(head, 22).ok_or(DropReason::Truncated)?,
            dst: addr6(head, 38).ok_or(DropReason::Truncated)?,
            tos: head[14] << 4 | head[15] >> 4,
            vni: Vni::new(vni).map_err(|_| DropReason::GeneveHeader)?,
            external: false,
            mss: None,
            source: None,
            len: u16::try_from(OUTER_LEN + options_len).map_err(|_| DropReason::GeneveHeader)?,
        };
        if options_len > 0 {
            let options = behind.get(..options_len).ok_or(DropReason::GeneveHeader)?;
            read_options(options, self)?;
        }
        Ok(())
    }
}

/// The Ethernet destination of the frame inside a tunnel: it tells which port a frame from the wire is for.
///
/// # Errors
/// The reason for which the frame is dropped.
pub fn inner_destination(bytes: &[u8]) -> Result<MacAddr, DropReason> {
    let outer = parse_outer(bytes)?;
    super::inner::mac(bytes, usize::from(outer.len)).ok_or(DropReason::Truncated)
}

/// Reads the options (RFC 8926, section 3.5): those of our class, refusing unknown critical ones.
fn read_options(mut options: &[u8], outer: &mut Outer) -> Result<(), DropReason> {
    while !options.is_empty() {
        let head: &[u8; 4] = options.first_chunk().ok_or(DropReason::GeneveHeader)?;
        let len = usize::from(head[3] & 0x1f) * 4;
        let data = options.get(4..4 + len).ok_or(DropReason::GeneveHeader)?;
        let class = u16::from_be_bytes([head[0], head[1]]);
        match (class, head[2]) {
            (reserved::GENEVE_OPTION_CLASS, reserved::GENEVE_OPTION_EXTERNAL) if len == 0 => {
                outer.external = true;
            }
            (reserved::GENEVE_OPTION_CLASS, reserved::GENEVE_OPTION_MSS) => {
                outer.mss = be16(data, 0);
            }
            (reserved::GENEVE_OPTION_CLASS, reserved::GENEVE_OPTION_SOURCE) => {
                outer.source = data.first_chunk().copied().map(u64::from_be_bytes);
            }
            // "The high-order bit of the option type indicates that this is a critical option."
            (_, 0x80..) => return Err(DropReason::UnknownCriticalOption),
            _ => {}
        }
        options = &options[4 + len..];
    }
    Ok(())
}
