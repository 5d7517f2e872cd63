//! How addresses and directions stand in CBOR.

use minicbor::decode::{self, Decoder};
use minicbor::encode::{self, Encoder, Write};
use minicbor::{Decode, Encode};

use crate::addr::Addr;
use crate::direction::Direction;

/// Four octets of IPv4, sixteen of IPv6.
impl<C> Encode<C> for Addr {
    fn encode<W: Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        let octets = self.octets();
        let octets = if self.is_v4() {
            &octets[12..]
        } else {
            &octets[..]
        };
        e.bytes(octets)?.ok()
    }
}

impl<C> Decode<'_, C> for Addr {
    fn decode(d: &mut Decoder<'_>, _: &mut C) -> Result<Self, decode::Error> {
        let at = d.position();
        let octets = d.bytes()?;
        if let Ok(v4) = <[u8; 4]>::try_from(octets) {
            return Ok(Self::v4(u32::from_be_bytes(v4)));
        }
        <[u8; 16]>::try_from(octets)
            .map(Self::from_octets)
            .map_err(|_| decode::Error::message("an address has 4 or 16 octets").at(at))
    }
}

/// Directions: 0 out, 1 in.
pub(super) mod direction {
    use super::{Decoder, Direction, Encoder, Write, decode, encode};

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "the derive hands references"
    )]
    pub(in super::super) fn encode<C, W: Write>(
        direction: &Direction,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        let number = match direction {
            Direction::Out => 0,
            Direction::In => 1,
        };
        e.u8(number)?.ok()
    }

    pub(in super::super) fn decode<C>(
        d: &mut Decoder<'_>,
        _: &mut C,
    ) -> Result<Direction, decode::Error> {
        let at = d.position();
        match d.u8()? {
            0 => Ok(Direction::Out),
            1 => Ok(Direction::In),
            _ => Err(decode::Error::message("a direction is 0 or 1").at(at)),
        }
    }
}

/// A string of octets.
pub(super) mod octets {
    use alloc::boxed::Box;

    use super::{Decoder, Encoder, Write, decode, encode};

    pub(in super::super) fn encode<C, W: Write>(
        octets: &[u8],
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.bytes(octets)?.ok()
    }

    pub(in super::super) fn decode<C>(
        d: &mut Decoder<'_>,
        _: &mut C,
    ) -> Result<Box<[u8]>, decode::Error> {
        Ok(d.bytes()?.into())
    }
}
