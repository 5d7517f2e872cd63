//! Who calls, and who answers.

use std::sync::Arc;

use rackweave_linux::clock;
use rackweave_trust::{
    Anchor, Chain, ChainError, Credentials, FormatError, PublicKey, SecretKey, UnixTime, Verified,
};
use rackweave_types::{MacAddr, RackPrefix};

use super::message::{Answered, Asked, By};

/// Begins what is signed of a call.
const ASK: &[u8] = b"rackweave rack ask v1\n";
/// Begins what is signed of an answer.
const ANSWER: &[u8] = b"rackweave rack answer v1\n";

/// Whether calls are signed.
#[derive(Clone, Debug)]
pub(crate) enum Trust {
    /// Everybody on the bootstrap network is believed.
    Unsigned,
    /// Who proves nothing is refused.
    Signed {
        /// What this node proves itself with.
        credentials: Arc<Credentials>,
        /// Whom it trusts.
        anchor: Arc<Anchor>,
    },
}

/// Who called, or answered.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// Somebody on the bootstrap network, in unsigned mode.
    Anybody,
    /// A node of this rack.
    Node(Box<Verified>),
    /// Who holds the key of this rack.
    Rack,
}

/// Why a call or answer is not believed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ProofError {
    /// Its chain cannot be read.
    #[error("its chain cannot be read: {0}")]
    Format(#[from] FormatError),
    /// Its chain proves nothing.
    #[error("{0}")]
    Chain(#[from] ChainError),
    /// The signature is another's, or of another connection.
    #[error("its signature does not match")]
    Signature,
    /// It is a node of another rack.
    #[error("{0} is not of this rack")]
    Rack(String),
    /// This node is of no rack.
    #[error("this node is a spine, and of no rack")]
    Rackless,
}

/// What is signed of a call, to this server on this connection.
fn ask_message(nonce: &[u8; 32], to: MacAddr, own_nonce: &[u8; 32], body: &str) -> Vec<u8> {
    [ASK, nonce, &to.octets(), own_nonce, body.as_bytes()].concat()
}

/// What is signed of an answer, to this client on this connection.
fn answer_message(nonce: &[u8; 32], body: &str) -> Vec<u8> {
    [ANSWER, nonce, body.as_bytes()].concat()
}

fn now() -> UnixTime {
    UnixTime(clock::unix_seconds())
}

impl Trust {
    /// The call `body` to the server with this nonce and hardware address; signed with the rack's key where there is one.
    pub(crate) fn ask(
        &self,
        (server, to): (&[u8; 32], MacAddr),
        nonce: [u8; 32],
        body: String,
        rack: Option<&SecretKey>,
    ) -> Asked {
        let message = ask_message(server, to, &nonce, &body);
        let (by, chain, signature) = match (self, rack) {
            (Self::Unsigned, _) => (By::Node, Vec::new(), Vec::new()),
            (Self::Signed { .. }, Some(rack)) => {
                (By::Rack, Vec::new(), rack.sign(&message).to_vec())
            }
            (Self::Signed { credentials, .. }, None) => (
                By::Node,
                credentials.chain().to_bytes(),
                credentials.sign(&message).to_vec(),
            ),
        };
        Asked {
            nonce,
            by,
            chain,
            body,
            signature,
        }
    }

    /// Who made a call that came to this node on the connection with this nonce.
    pub(crate) fn caller(
        &self,
        nonce: &[u8; 32],
        own: MacAddr,
        asked: &Asked,
    ) -> Result<Caller, ProofError> {
        let Self::Signed { .. } = self else {
            return Ok(Caller::Anybody);
        };
        let message = ask_message(nonce, own, &asked.nonce, &asked.body);
        match asked.by {
            By::Rack => {
                let (_, key) = self.rack().ok_or(ProofError::Rackless)?;
                let verified = key.verify(&message, &asked.signature);
                verified.map_err(|_| ProofError::Signature)?;
                Ok(Caller::Rack)
            }
            By::Node => self.node(&asked.chain, &message, &asked.signature),
        }
    }

    /// The answer `body` to the client with this nonce.
    pub(crate) fn answer(&self, client: &[u8; 32], body: String) -> Answered {
        let (chain, signature) = match self {
            Self::Unsigned => (Vec::new(), Vec::new()),
            Self::Signed { credentials, .. } => (
                credentials.chain().to_bytes(),
                credentials.sign(&answer_message(client, &body)).to_vec(),
            ),
        };
        Answered {
            chain,
            body,
            signature,
        }
    }

    /// Who gave an answer on the connection with this nonce of ours.
    pub(crate) fn answerer(
        &self,
        nonce: &[u8; 32],
        answered: &Answered,
    ) -> Result<Caller, ProofError> {
        let Self::Signed { .. } = self else {
            return Ok(Caller::Anybody);
        };
        let message = answer_message(nonce, &answered.body);
        self.node(&answered.chain, &message, &answered.signature)
    }

    /// The node of this rack that signed `message`.
    fn node(&self, chain: &[u8], message: &[u8], signature: &[u8]) -> Result<Caller, ProofError> {
        let Self::Signed { anchor, .. } = self else {
            return Ok(Caller::Anybody);
        };
        let verified = anchor.verify(&Chain::from_bytes(chain)?, now())?;
        let signed = verified.verify(message, signature);
        signed.map_err(|_| ProofError::Signature)?;
        let (_, own) = self.rack().ok_or(ProofError::Rackless)?;
        if verified.rack_key == Some(own) {
            Ok(Caller::Node(Box::new(verified)))
        } else {
            Err(ProofError::Rack(verified.identity))
        }
    }

    /// This node, as its own chain proves it; nothing in unsigned mode.
    pub(crate) fn own(&self) -> Result<Option<Verified>, ChainError> {
        match self {
            Self::Unsigned => Ok(None),
            Self::Signed {
                credentials,
                anchor,
            } => anchor.verify(credentials.chain(), now()).map(Some),
        }
    }

    /// The rack of this node and its key, as its own certificates say; nothing in unsigned mode, and of a spine.
    pub(crate) fn rack(&self) -> Option<(RackPrefix, PublicKey)> {
        let Self::Signed { credentials, .. } = self else {
            return None;
        };
        let rack = credentials.chain().rack.as_ref()?.claims();
        Some((rack.rack, rack.key))
    }
}
