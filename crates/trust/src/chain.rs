//! From the AZ's root over the rack to the node.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use rackweave_types::{AzPrefix, MacAddr, RackPrefix, Role};

use crate::cbor;
use crate::certificate::{AzCertificate, NodeCertificate, RackCertificate, Signed, Statement};
use crate::envelope::{FormatError, Kind};
use crate::key::{BadSignature, PublicKey};
use crate::time::{UnixTime, Validity};

/// A node's certificate with that of its rack (a spine has no rack): what it shows to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The rack's certificate; a spine has none.
    pub rack: Option<Signed<RackCertificate>>,
    /// The node's certificate.
    pub node: Signed<NodeCertificate>,
}

/// A chain as octets: a CBOR map of the certificates' octets.
#[derive(Encode, Decode)]
#[cbor(map)]
struct Links {
    #[n(0)]
    node: ByteVec,
    #[n(1)]
    rack: Option<ByteVec>,
}

impl Chain {
    /// As octets, for a message.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let rack = self.rack.as_ref();
        let links = Links {
            node: self.node.as_bytes().to_vec().into(),
            rack: rack.map(|rack| rack.as_bytes().to_vec().into()),
        };
        let mut bytes = Vec::new();
        cbor::write(&links, &mut bytes);
        bytes
    }

    /// Reads the octets that [`Self::to_bytes`] gave; nothing is verified.
    ///
    /// # Errors
    /// Where they are no chain; the error says which certificate.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FormatError> {
        let links: Links = minicbor::decode(bytes).map_err(|_| FormatError::NotOne(Kind::Node))?;
        let rack = links.rack.as_ref();
        Ok(Self {
            rack: rack.map(|rack| Signed::from_bytes(rack)).transpose()?,
            node: Signed::from_bytes(&links.node)?,
        })
    }
}

/// Why a chain proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// No root of the AZ is trusted.
    #[error("no root certificate of the AZ {0} is known here; give this node that AZ's az.crt")]
    UnknownAz(AzPrefix),
    /// A spine's certificate is signed by no root that is trusted.
    #[error("no AZ root that is known here signed the spine's node certificate")]
    UnknownRoot,
    /// Another key signed it.
    #[error("the {which} is not signed by {signer}")]
    Signer {
        /// Which certificate.
        which: Kind,
        /// Who should have signed it.
        signer: &'static str,
    },
    /// It holds no longer.
    #[error("the {which} expired at {until}, and it is {now}; make a new one by `rackweave keys`")]
    Expired {
        /// Which certificate.
        which: Kind,
        /// Its last second.
        until: UnixTime,
        /// The time of the check.
        now: UnixTime,
    },
    /// It does not hold yet.
    #[error("the {which} holds from {from} on, and it is {now}; look at the clocks")]
    NotYet {
        /// Which certificate.
        which: Kind,
        /// Its first second.
        from: UnixTime,
        /// The time of the check.
        now: UnixTime,
    },
    /// The signer cannot state such a node.
    #[error("the node certificate says {role}: {}", match role {
        Role::Spine => "a spine is stated by the AZ's root, not by a rack",
        Role::Sled | Role::Switch => "sleds and switches are stated by their rack, and its certificate is missing",
    })]
    Role {
        /// What the certificate says.
        role: Role,
    },
}

/// Refuses a statement that does not hold at this time.
fn holds<T: Statement>(statement: &T, now: UnixTime) -> Result<(), ChainError> {
    let Validity { from, until } = statement.validity();
    let which = T::KIND;
    if now < from {
        Err(ChainError::NotYet { which, from, now })
    } else if now > until {
        Err(ChainError::Expired { which, until, now })
    } else {
        Ok(())
    }
}

impl<T: Statement> Signed<T> {
    /// Whether the certificate holds at this time, whoever signed it.
    ///
    /// # Errors
    /// Where it does not yet, or no longer.
    pub fn holds(&self, now: UnixTime) -> Result<(), ChainError> {
        holds(self.claims(), now)
    }
}

/// The AZ roots that a node trusts: its own AZ's, and those of the AZs that it is joined to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Anchor {
    roots: Vec<AzCertificate>,
}

impl Anchor {
    /// Trusts these roots; two of one AZ are both trusted, so that a root can be renewed.
    ///
    /// # Errors
    /// Where one is not signed by its own key.
    pub fn new(roots: &[Signed<AzCertificate>]) -> Result<Self, ChainError> {
        let own = |root: &Signed<AzCertificate>| {
            let verified = root.verify(&root.claims().key).cloned();
            verified.map_err(|BadSignature| ChainError::Signer {
                which: Kind::Az,
                signer: "its own key",
            })
        };
        let roots = roots.iter().map(own).collect::<Result<_, _>>()?;
        Ok(Self { roots })
    }

    /// What the chain proves at this time.
    ///
    /// # Errors
    /// Where it proves nothing: which certificate, and why.
    pub fn verify(&self, chain: &Chain, now: UnixTime) -> Result<Verified, ChainError> {
        let role = chain.node.claims().role;
        match (&chain.rack, role) {
            (Some(rack), Role::Sled | Role::Switch) => self.of_rack(rack, &chain.node, now),
            (None, Role::Spine) => self.of_root(&chain.node, now),
            (Some(_), Role::Spine) | (None, Role::Sled | Role::Switch) => {
                Err(ChainError::Role { role })
            }
        }
    }

    fn of_rack(
        &self,
        rack: &Signed<RackCertificate>,
        node: &Signed<NodeCertificate>,
        now: UnixTime,
    ) -> Result<Verified, ChainError> {
        let az = rack.claims().rack.az();
        let mut of_az = self.roots.iter().filter(|root| root.az == az).peekable();
        if of_az.peek().is_none() {
            return Err(ChainError::UnknownAz(az));
        }
        let signed = of_az.find_map(|root| Some((root, rack.verify(&root.key).ok()?)));
        let (root, rack) = signed.ok_or(ChainError::Signer {
            which: Kind::Rack,
            signer: "its AZ's root key",
        })?;
        holds(root, now)?;
        holds(rack, now)?;
        let node = node
            .verify(&rack.key)
            .map_err(|BadSignature| ChainError::Signer {
                which: Kind::Node,
                signer: "its rack's key",
            })?;
        holds(node, now)?;
        let until = root.until.min(rack.until).min(node.until);
        Ok(Verified::new(root, Some(rack), node, until))
    }

    fn of_root(
        &self,
        node: &Signed<NodeCertificate>,
        now: UnixTime,
    ) -> Result<Verified, ChainError> {
        let mut roots = self.roots.iter();
        let signed = roots.find_map(|root| Some((root, node.verify(&root.key).ok()?)));
        let (root, node) = signed.ok_or(ChainError::UnknownRoot)?;
        holds(root, now)?;
        holds(node, now)?;
        Ok(Verified::new(root, None, node, root.until.min(node.until)))
    }
}

/// A node as its chain proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The node's key: what it sends is signed with it.
    pub key: PublicKey,
    /// Its certificate's serial number.
    pub serial: u64,
    /// Who it is.
    pub identity: String,
    /// The hardware address that its bootstrap prefix is made of.
    pub hardware: MacAddr,
    /// What it does.
    pub role: Role,
    /// The AZ that it is of.
    pub az: AzPrefix,
    /// The rack that it is of; a spine is of none.
    pub rack: Option<RackPrefix>,
    /// The key of that rack: assignments are signed with it.
    pub rack_key: Option<PublicKey>,
    /// The last second at which all certificates of its chain hold.
    pub valid_until: UnixTime,
}

impl Verified {
    fn new(
        root: &AzCertificate,
        rack: Option<&RackCertificate>,
        node: &NodeCertificate,
        valid_until: UnixTime,
    ) -> Self {
        Self {
            key: node.key,
            serial: node.serial,
            identity: node.identity.clone(),
            hardware: node.hardware,
            role: node.role,
            az: root.az,
            rack: rack.map(|rack| rack.rack),
            rack_key: rack.map(|rack| rack.key),
            valid_until,
        }
    }

    /// Checks that the node signed `message`.
    ///
    /// # Errors
    /// Where it did not.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        self.key.verify(message, signature)
    }
}
