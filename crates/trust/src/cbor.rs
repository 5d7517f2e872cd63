//! How types of others stand in CBOR: each module is for `#[cbor(with = …)]`.

use minicbor::Encode;
use minicbor::decode::{Decoder, Error as DecodeError};
use minicbor::encode::{Encoder, Error as EncodeError, Write};

/// Appends `body`.
#[expect(
    clippy::expect_used,
    reason = "a vector takes all octets, and every value of our types has a form"
)]
pub(crate) fn write<T: Encode<()>>(body: &T, bytes: &mut Vec<u8>) {
    minicbor::encode(body, bytes).expect("writing to a vector does not fail");
}

/// Declares how a type stands in CBOR: as octets, to and from an array of them.
macro_rules! octets {
    ($(#[$doc:meta])* $name:ident, $type:ty, $to:expr, $from:expr) => {
        $(#[$doc])*
        pub(crate) mod $name {
            use super::*;

            pub(crate) fn encode<C, W: Write>(
                value: &$type,
                encoder: &mut Encoder<W>,
                _: &mut C,
            ) -> Result<(), EncodeError<W::Error>> {
                let to: fn(&$type) -> _ = $to;
                encoder.bytes(&to(value))?.ok()
            }

            pub(crate) fn decode<C>(
                decoder: &mut Decoder<'_>,
                _: &mut C,
            ) -> Result<$type, DecodeError> {
                let octets = decoder.bytes()?.try_into();
                let octets = octets.map_err(|_| DecodeError::message("wrong length"))?;
                let from: fn(_) -> Option<$type> = $from;
                from(octets).ok_or_else(|| DecodeError::message("no such value"))
            }
        }
    };
}

octets!(
    /// Six octets.
    mac, rackweave_types::MacAddr,
    |mac| mac.octets(),
    |octets: [u8; 6]| Some(rackweave_types::MacAddr::new(octets))
);

octets!(
    /// The six octets of a /48.
    az, rackweave_types::AzPrefix,
    |az| az.octets(),
    |octets: [u8; 6]| rackweave_types::AzPrefix::new(octets).ok()
);

octets!(
    /// The seven octets of a /56.
    rack, rackweave_types::RackPrefix,
    |rack| {
        let mut octets = [0; 7];
        octets[..6].copy_from_slice(&rack.az().octets());
        octets[6] = rack.rack().get();
        octets
    },
    |octets: [u8; 7]| {
        let [az @ .., rack] = octets;
        let az = rackweave_types::AzPrefix::new(az).ok()?;
        let rack = rackweave_types::RackNumber::new(rack).ok()?;
        Some(rackweave_types::RackPrefix::new(az, rack))
    }
);

octets!(
    /// The eight octets of a /64.
    node, rackweave_types::NodePrefix,
    |node| {
        let mut octets = [0; 8];
        octets[..6].copy_from_slice(&node.az().octets());
        octets[6] = node.rack().rack().get();
        octets[7] = node.node().get();
        octets
    },
    |octets: [u8; 8]| {
        let [az @ .., rack, node] = octets;
        let az = rackweave_types::AzPrefix::new(az).ok()?;
        let rack = rackweave_types::RackNumber::new(rack).ok()?;
        let node = rackweave_types::NodeNumber::new(node).ok()?;
        let rack = rackweave_types::RackPrefix::new(az, rack);
        Some(rackweave_types::NodePrefix::new(rack, node))
    }
);

octets!(
    /// The 32 octets of a public key.
    key, crate::PublicKey,
    |key| *key.as_bytes(),
    |octets: [u8; 32]| crate::PublicKey::from_bytes(&octets).ok()
);

/// One number.
pub(crate) mod role {
    use rackweave_types::Role;

    use super::{DecodeError, Decoder, EncodeError, Encoder, Write};

    const fn code(role: Role) -> u8 {
        match role {
            Role::Sled => 1,
            Role::Switch => 2,
            Role::Spine => 3,
        }
    }

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "`with` calls it with a reference"
    )]
    pub(crate) fn encode<C, W: Write>(
        role: &Role,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        encoder.u8(code(*role))?.ok()
    }

    pub(crate) fn decode<C>(decoder: &mut Decoder<'_>, _: &mut C) -> Result<Role, DecodeError> {
        let found = decoder.u8()?;
        let role = Role::ALL.into_iter().find(|role| code(*role) == found);
        role.ok_or_else(|| DecodeError::message("no such role"))
    }
}
