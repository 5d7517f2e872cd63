//! Handshakes: each side draws a nonce, and believes the other once that shows its nonce.

use std::sync::Arc;

use rackweave_trust::{Assignment, Credentials, Verified};
use x25519_dalek::{PublicKey, StaticSecret};

use super::auth::seal;
use super::chance::Chance;
use super::own::{Own, Security};
use super::refused::{Refused, RefusedKind};
use crate::ddm::item::NodeId;
use crate::ddm::message::Hello;

/// Names a session: made of what both sides drew and are.
pub(super) type SessionId = [u8; 16];

/// What this side puts into one handshake, and uses in the session that comes of it.
pub(super) struct Offer {
    pub(super) nonce: [u8; 16],
    /// The stream of items that this side would go on with.
    pub(super) stream: Option<SessionId>,
    /// Of [`Own`] at that time.
    pub(super) revision: u64,
    pub(super) signer: Option<Arc<Credentials>>,
    secret: Option<StaticSecret>,
    /// What was said last: a hello that is repeated is not signed again.
    said: Option<Said>,
}

/// A hello that was made.
#[derive(Clone, Debug)]
struct Said {
    /// Of [`Own`] at that time.
    revision: u64,
    echo: Option<[u8; 16]>,
    datagram: Vec<u8>,
}

/// Shows nothing that is secret.
impl core::fmt::Debug for Offer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Offer")
            .field("nonce", &self.nonce)
            .field("stream", &self.stream)
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

impl Offer {
    pub(super) fn draw(chance: &mut Chance, own: &Own, stream: Option<SessionId>) -> Self {
        let nonce = chance.nonce();
        let (signer, secret) = match &own.security {
            Security::Unsigned => (None, None),
            Security::Signed { credentials, .. } => (
                Some(Arc::clone(credentials)),
                Some(StaticSecret::from(chance.draw())),
            ),
        };
        Self {
            nonce,
            stream,
            revision: own.revision,
            signer,
            secret,
            said: None,
        }
    }

    fn agreement(&self) -> Option<[u8; 32]> {
        let secret = self.secret.as_ref()?;
        Some(PublicKey::from(secret).to_bytes())
    }

    /// The hello that shows this offer, as an answer to a hello with the nonce `echo` or unasked.
    pub(super) fn hello(&mut self, own: &Own, echo: Option<[u8; 16]>) -> Vec<u8> {
        let again = |said: &&Said| (said.revision, said.echo) == (own.revision, echo);
        if let Some(said) = self.said.as_ref().filter(again) {
            return said.datagram.clone();
        }
        let datagram = self.make(own, echo);
        self.said = Some(Said {
            revision: own.revision,
            echo,
            datagram: datagram.clone(),
        });
        datagram
    }

    fn make(&self, own: &Own, echo: Option<[u8; 16]>) -> Vec<u8> {
        let chain = self.signer.as_ref().map(|signer| signer.chain().to_bytes());
        let assignment = own.assignment.as_ref().map(Assignment::to_bytes);
        let hello = Hello {
            instance: own.instance,
            nonce: self.nonce,
            echo,
            stream: self.stream,
            id: own.id,
            name: &own.name,
            role: own.role,
            hold: own.hold,
            rack: own.rack,
            az: own.az,
            agreement: self.agreement(),
            chain: chain.as_deref(),
            assignment: assignment.as_deref(),
        };
        seal(hello.emit(self.signer.is_some()), self.signer.as_deref())
    }

    /// What comes of this offer and the neighbour's hello: the session's name, and what only the two know.
    ///
    /// Both ends' keys and addresses go into the name, so that two who name a session alike mean each other.
    pub(super) fn agree(
        &self,
        own: NodeId,
        hello: &Hello<'_>,
        proof: Option<&Verified>,
    ) -> Result<(SessionId, [u8; 32]), Refused> {
        let signer = self.signer.as_ref().map(|signer| signer.secret().public());
        let mine = Side {
            nonce: self.nonce,
            id: own,
            agreement: self.agreement(),
            key: signer.as_ref().map(|key| *key.as_bytes()),
        };
        let theirs = Side {
            nonce: hello.nonce,
            id: hello.id,
            agreement: hello.agreement,
            key: proof.map(|proof| *proof.key.as_bytes()),
        };
        let id = session_id(&mine, &theirs);
        let mut hasher = blake3::Hasher::new_derive_key("rackweave ddm 2026 beacon key");
        hasher.update(&id);
        if let Some(secret) = &self.secret {
            let public = hello.agreement.ok_or_else(|| weak(hello))?;
            let shared = secret.diffie_hellman(&PublicKey::from(public));
            if !shared.was_contributory() {
                return Err(weak(hello));
            }
            hasher.update(shared.as_bytes());
        }
        Ok((id, hasher.finalize().into()))
    }
}

/// What one side is in a handshake.
struct Side {
    nonce: [u8; 16],
    id: NodeId,
    agreement: Option<[u8; 32]>,
    key: Option<[u8; 32]>,
}

fn session_id(one: &Side, other: &Side) -> SessionId {
    let (first, second) = if one.nonce <= other.nonce {
        (one, other)
    } else {
        (other, one)
    };
    let mut hasher = blake3::Hasher::new_derive_key("rackweave ddm 2026 session id");
    for side in [first, second] {
        hasher.update(&side.nonce);
        hasher.update(&side.id.0.octets());
        hasher.update(&side.agreement.unwrap_or_default());
        hasher.update(&side.key.unwrap_or_default());
    }
    let mut id = [0; 16];
    hasher.finalize_xof().fill(&mut id);
    id
}

fn weak(hello: &Hello<'_>) -> Refused {
    let reason = format!("the agreement key of {} is none", hello.name);
    Refused::new(RefusedKind::Malformed, reason)
}
