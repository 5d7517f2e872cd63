//! Who a neighbour is, and whether it said what is said to be its own.

use core::time::Duration;

use rackweave_trust::{Anchor, Assignment, Chain, ChainError, Credentials, UnixTime, Verified};

use super::own::{Own, Peer, Security};
use super::refused::{Refused, RefusedKind};
use crate::ddm::item::NodeId;
use crate::ddm::message::{Frame, Hello};
use crate::fabric::Now;

/// Hold times are taken for this at least: shorter ones would be all keepalives.
const SHORTEST_HOLD: Duration = Duration::from_millis(300);
/// Hold times are taken for this at most.
const LONGEST_HOLD: Duration = Duration::from_mins(1);

/// Puts the signature behind a datagram, where sessions are signed.
pub(super) fn seal(mut datagram: Vec<u8>, signer: Option<&Credentials>) -> Vec<u8> {
    if let Some(signer) = signer {
        let signature = signer.sign(&datagram);
        datagram.extend_from_slice(&signature);
    }
    datagram
}

/// Refuses a message that is signed where nothing is, or the other way round.
pub(super) fn mode(frame: &Frame<'_>, own: &Own) -> Result<(), Refused> {
    match &own.security {
        Security::Unsigned => unsigned(frame),
        Security::Signed { .. } if frame.signature.is_none() => Err(not_signed()),
        Security::Signed { .. } => Ok(()),
    }
}

/// Refuses a message of a session that the neighbour did not sign as it must.
pub(super) fn check(
    frame: &Frame<'_>,
    peer: &Peer,
    proof: Option<&Verified>,
    now: Now,
) -> Result<(), Refused> {
    let Some(proof) = proof else {
        return unsigned(frame);
    };
    signature(frame, proof)?;
    if UnixTime(now.unix) > proof.valid_until {
        let reason = format!(
            "the certificates of {} ended at {}; give it new ones by `rackweave keys`",
            peer.name, proof.valid_until
        );
        return Err(Refused::new(RefusedKind::Expired, reason));
    }
    Ok(())
}

/// What a neighbour proved last. Signatures are dear, and a node that comes up hears the same hello again and again,
/// under the same certificates all the time: a chain is verified once for as long as it is shown, and a hello that comes
/// again octet by octet not at all. Whether the certificates hold is looked at each time.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// [`Own::revision`] at that time: another one may mean other roots.
    revision: u64,
    chain: Option<KnownChain>,
    hello: Option<KnownHello>,
}

/// A chain that was verified.
#[derive(Debug)]
struct KnownChain {
    octets: Vec<u8>,
    /// When, in seconds since 1970: a clock that is set back has it verified again.
    since: u64,
    proves: Verified,
}

/// A hello that was believed.
#[derive(Debug)]
struct KnownHello {
    signed: Vec<u8>,
    signature: [u8; 64],
    by: Peer,
}

impl Known {
    /// The neighbour as its hello proves it, or says it is where nothing is signed.
    pub(super) fn identify(
        &mut self,
        frame: &Frame<'_>,
        hello: &Hello<'_>,
        own: &Own,
        now: Now,
    ) -> Result<(Peer, Option<Verified>), Refused> {
        let holds = |known: &KnownChain| {
            let valid = known.since..=known.proves.valid_until.0;
            valid.contains(&now.unix) && hello.chain == Some(known.octets.as_slice())
        };
        if self.revision != own.revision || !self.chain.as_ref().is_some_and(holds) {
            *self = Self {
                revision: own.revision,
                ..Self::default()
            };
        }
        if let (Some(chain), Some(known), Some(signature)) =
            (&self.chain, &self.hello, frame.signature)
            && (known.signed.as_slice(), &known.signature) == (frame.signed, signature)
        {
            return Ok((known.by.clone(), Some(chain.proves.clone())));
        }
        let chain = self.chain.as_ref().map(|chain| &chain.proves);
        let (peer, proof) = identify(frame, hello, own, now, chain)?;
        if let (Some(chain), Some(signature), Some(proves)) = (hello.chain, frame.signature, &proof)
        {
            self.chain.get_or_insert_with(|| KnownChain {
                octets: chain.to_vec(),
                since: now.unix,
                proves: proves.clone(),
            });
            self.hello = Some(KnownHello {
                signed: frame.signed.to_vec(),
                signature: *signature,
                by: peer.clone(),
            });
        }
        Ok((peer, proof))
    }
}

fn identify(
    frame: &Frame<'_>,
    hello: &Hello<'_>,
    own: &Own,
    now: Now,
    known: Option<&Verified>,
) -> Result<(Peer, Option<Verified>), Refused> {
    if hello.instance == own.instance || hello.id == own.id {
        let reason = format!(
            "it says it is this node itself ({}): the link is a loop, or two nodes have one hardware address",
            own.id.0
        );
        return Err(Refused::new(RefusedKind::Foreign, reason));
    }
    let hold = own.hold.min(hello.hold).clamp(SHORTEST_HOLD, LONGEST_HOLD);
    let mut peer = Peer {
        instance: hello.instance,
        id: hello.id,
        name: hello.name.to_owned(),
        role: hello.role,
        rack: hello.rack,
        az: hello.rack.map(rackweave_types::RackPrefix::az).or(hello.az),
        assignment: None,
        unassigned: None,
        hold,
        proven: false,
        certificate: None,
    };
    let proof = match &own.security {
        Security::Unsigned => None,
        Security::Signed { anchor, .. } => {
            let verified = match known {
                Some(verified) => verified.clone(),
                None => verify(hello, anchor, now)?,
            };
            signature(frame, &verified)?;
            prove(&mut peer, &verified)?;
            Some(verified)
        }
    };
    assign(&mut peer, proof.as_ref(), hello.assignment);
    Ok((peer, proof))
}

fn verify(hello: &Hello<'_>, anchor: &Anchor, now: Now) -> Result<Verified, Refused> {
    let chain = hello.chain.ok_or_else(|| no_chain(hello))?;
    let chain = Chain::from_bytes(chain)
        .map_err(|error| Refused::new(RefusedKind::Malformed, error.to_string()))?;
    let verified = anchor.verify(&chain, UnixTime(now.unix));
    verified.map_err(|error| unproven(hello, error))
}

fn unsigned(frame: &Frame<'_>) -> Result<(), Refused> {
    if frame.signature.is_none() {
        return Ok(());
    }
    let reason = "the neighbour signs what it says, and this node runs unsigned; give it keys, or run both unsigned";
    Err(Refused::new(RefusedKind::Foreign, reason))
}

fn not_signed() -> Refused {
    let reason = "it is not signed, and this node takes signed messages alone; give the neighbour keys by `rackweave keys`";
    Refused::new(RefusedKind::Unsigned, reason)
}

fn no_chain(hello: &Hello<'_>) -> Refused {
    let reason = format!("{} shows no certificates", hello.name);
    Refused::new(RefusedKind::Malformed, reason)
}

fn signature(frame: &Frame<'_>, proof: &Verified) -> Result<(), Refused> {
    let signature = frame.signature.ok_or_else(not_signed)?;
    proof.verify(frame.signed, signature).map_err(|_| {
        let reason = format!("it is not signed by the key of {}", proof.identity);
        Refused::new(RefusedKind::Signature, reason)
    })
}

fn unproven(hello: &Hello<'_>, error: ChainError) -> Refused {
    let kind = match error {
        ChainError::Expired { .. } | ChainError::NotYet { .. } => RefusedKind::Expired,
        ChainError::Signer { .. } => RefusedKind::Signature,
        _ => RefusedKind::Foreign,
    };
    Refused::new(kind, format!("{} proves nothing: {error}", hello.name))
}

/// Takes what certificates say for what the neighbour says; where it said something else, it is refused.
fn prove(peer: &mut Peer, proof: &Verified) -> Result<(), Refused> {
    let says = (peer.id, peer.role, peer.name.as_str());
    let proves = (NodeId(proof.hardware), proof.role, proof.identity.as_str());
    if says != proves {
        let reason = format!(
            "it says it is the {} {} ({}), and its certificate is that of the {} {} ({})",
            peer.role, peer.name, peer.id.0, proof.role, proof.identity, proof.hardware
        );
        return Err(Refused::new(RefusedKind::Foreign, reason));
    }
    peer.rack = proof.rack;
    peer.az = Some(proof.az);
    peer.proven = true;
    peer.certificate = Some(proof.serial);
    Ok(())
}

/// Notes the assignment that the neighbour shows, or why it gives it nothing. It can talk without one: it is how a node
/// that was moved to another rack gets its new one.
fn assign(peer: &mut Peer, proof: Option<&Verified>, shown: Option<&[u8]>) {
    let Some(shown) = shown else {
        return;
    };
    match assigned(peer, proof, shown) {
        Ok(assignment) => peer.assignment = Some(assignment),
        Err(reason) => peer.unassigned = Some(reason),
    }
}

fn assigned(peer: &Peer, proof: Option<&Verified>, shown: &[u8]) -> Result<Assignment, String> {
    let assignment = Assignment::from_bytes(shown).map_err(|error| error.to_string())?;
    if let Some(proof) = proof {
        proof
            .assigned(&assignment)
            .map_err(|error| error.to_string())?;
        return Ok(assignment);
    }
    assignment.check().map_err(|error| error.to_string())?;
    let of = (&assignment.identity, NodeId(assignment.hardware));
    if of == (&peer.name, peer.id) && assignment.role == peer.role {
        Ok(assignment)
    } else {
        Err(format!(
            "the assignment of {} is made out to {}, and shown by {}",
            assignment.prefix, assignment.identity, peer.name
        ))
    }
}
