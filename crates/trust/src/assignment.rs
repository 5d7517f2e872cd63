//! What a rack states about a node.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use rackweave_types::{MacAddr, NodePrefix, RackPrefix, Role};

use crate::cbor;
use crate::chain::Verified;
use crate::envelope::{self, FormatError, Kind};
use crate::identity::check_identity;
use crate::key::{PublicKey, SIGNATURE_LENGTH, SecretKey};

/// A node's role and /64, stated by its rack and signed with the rack's key at rack setup.
///
/// In unsigned fabrics the signature is empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Assignment {
    /// Who the node is: what it was named, else its machine's serial number, else its least hardware address.
    pub identity: String,
    /// The hardware address that its bootstrap prefix is made of.
    pub hardware: MacAddr,
    /// What it does.
    pub role: Role,
    /// Its /64.
    pub prefix: NodePrefix,
    /// The signature of the rack's key over the fields above.
    pub signature: Vec<u8>,
}

/// An assignment as it is signed.
#[derive(Encode, Decode)]
#[cbor(map)]
struct Body {
    #[n(0)]
    identity: String,
    #[cbor(n(1), with = "cbor::mac")]
    hardware: MacAddr,
    #[cbor(n(2), with = "cbor::role")]
    role: Role,
    #[cbor(n(3), with = "cbor::node")]
    prefix: NodePrefix,
}

/// Why an assignment gives a node nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AssignmentError {
    /// It names nobody.
    #[error("the assignment of {0} names no node")]
    Identity(NodePrefix),
    /// The number is a switch's, the role a sled's, or the other way round; a spine has no /64.
    #[error(
        "the assignment of {prefix} says {role}: sleds have node numbers 01 to fc, switches fd and fe, spines none"
    )]
    Number {
        /// The /64.
        prefix: NodePrefix,
        /// The role.
        role: Role,
    },
    /// It bears no signature.
    #[error(
        "the assignment of {0} to {1} is not signed; run `rackweave rack init` with the rack's keys"
    )]
    Unsigned(NodePrefix, String),
    /// It is not signed by the rack's key.
    #[error("the assignment of {0} to {1} is not signed by the node's rack")]
    Signer(NodePrefix, String),
    /// The /64 is of another rack than the one that signed.
    #[error("the assignment of {prefix} is signed by the rack {rack}, which cannot give it")]
    Rack {
        /// The /64.
        prefix: NodePrefix,
        /// The rack that signed.
        rack: RackPrefix,
    },
    /// It is another node's.
    #[error("the assignment of {prefix} is made out to {to}, and shown by {shown_by}")]
    Node {
        /// The /64.
        prefix: NodePrefix,
        /// Whose it is, with its hardware address and role.
        to: String,
        /// Who shows it, with its hardware address and role.
        shown_by: String,
    },
}

impl Assignment {
    /// As an unsigned fabric has it.
    #[must_use]
    pub const fn unsigned(
        identity: String,
        hardware: MacAddr,
        role: Role,
        prefix: NodePrefix,
    ) -> Self {
        Self {
            identity,
            hardware,
            role,
            prefix,
            signature: Vec::new(),
        }
    }

    /// The same, signed by the rack's key.
    #[must_use]
    pub fn sign(mut self, rack: &SecretKey) -> Self {
        self.signature = rack.sign(&self.message()).to_vec();
        self
    }

    /// The octets that are signed.
    fn message(&self) -> Vec<u8> {
        let body = Body {
            identity: self.identity.clone(),
            hardware: self.hardware,
            role: self.role,
            prefix: self.prefix,
        };
        envelope::emit(Kind::Assignment, &body)
    }

    /// As octets, for a message.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.message();
        bytes.extend_from_slice(&self.signature);
        bytes
    }

    /// Reads the octets that [`Self::to_bytes`] gave; nothing is verified.
    ///
    /// # Errors
    /// Where they are no assignment.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FormatError> {
        let kind = Kind::Assignment;
        let (body, signed): (Body, usize) = envelope::parse(kind, bytes)?;
        let checked = check_identity(&body.identity);
        checked.map_err(|source| FormatError::Identity { kind, source })?;
        let signature = bytes.get(signed..).unwrap_or_default().to_vec();
        if !signature.is_empty() && signature.len() != SIGNATURE_LENGTH {
            return Err(FormatError::NotOne(kind));
        }
        let assignment = Self {
            identity: body.identity,
            hardware: body.hardware,
            role: body.role,
            prefix: body.prefix,
            signature,
        };
        // What is signed is made anew from the fields: there must be one way to write them.
        if assignment.to_bytes() == bytes {
            Ok(assignment)
        } else {
            Err(FormatError::NotOne(kind))
        }
    }

    /// Checks what needs no key: that it names a node, and that its number fits its role. It is all that an unsigned
    /// fabric can ask.
    ///
    /// # Errors
    /// Where one of the two is not so.
    pub fn check(&self) -> Result<(), AssignmentError> {
        let prefix = self.prefix;
        check_identity(&self.identity).map_err(|_| AssignmentError::Identity(prefix))?;
        let fits = match self.role {
            Role::Sled => !prefix.node().is_switch(),
            Role::Switch => prefix.node().is_switch(),
            Role::Spine => false,
        };
        let role = self.role;
        fits.then_some(())
            .ok_or(AssignmentError::Number { prefix, role })
    }

    /// Checks that a rack gave it: with `rack`'s key, out of its /56.
    ///
    /// # Errors
    /// Where the rack did not.
    pub fn verify(&self, rack: RackPrefix, key: &PublicKey) -> Result<(), AssignmentError> {
        self.check()?;
        let prefix = self.prefix;
        if self.signature.is_empty() {
            return Err(AssignmentError::Unsigned(prefix, self.identity.clone()));
        }
        let verified = key.verify(&self.message(), &self.signature);
        verified.map_err(|_| AssignmentError::Signer(prefix, self.identity.clone()))?;
        if prefix.rack() == rack {
            Ok(())
        } else {
            Err(AssignmentError::Rack { prefix, rack })
        }
    }
}

impl Verified {
    /// Checks that the assignment is this node's, and given by its rack.
    ///
    /// # Errors
    /// Where it is another's, or the rack did not sign it.
    pub fn assigned(&self, assignment: &Assignment) -> Result<(), AssignmentError> {
        let prefix = assignment.prefix;
        let (Some(rack), Some(key)) = (self.rack, &self.rack_key) else {
            let role = self.role;
            return Err(AssignmentError::Number { prefix, role });
        };
        assignment.verify(rack, key)?;
        let own = (&self.identity, self.hardware, self.role);
        let to = (&assignment.identity, assignment.hardware, assignment.role);
        if own == to {
            return Ok(());
        }
        let name = |(identity, hardware, role): (&String, MacAddr, Role)| {
            format!("{role} {identity} ({hardware})")
        };
        Err(AssignmentError::Node {
            prefix,
            to: name(to),
            shown_by: name(own),
        })
    }
}
