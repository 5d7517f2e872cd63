//! What a client asks.

use alloc::vec::Vec;
use core::net::Ipv6Addr;

use rackweave_wire::dhcpv6::{AssociationKind, Dhcpv6View, Duid, MessageType, OptionCode};

use crate::respond::NoAnswer;

/// Identity associations that a message may name; no client has as many interfaces on one port.
const MAX_ASSOCIATIONS: usize = 8;
/// Addresses that an association may name.
const MAX_ADDRESSES: usize = 8;

/// A client's message, as far as a server without state cares.
#[derive(Clone, Debug)]
pub(super) struct Request<'a> {
    /// What the message is for.
    pub(super) message_type: MessageType,
    /// Transaction id.
    pub(super) xid: [u8; 3],
    /// The client's identity.
    pub(super) client_id: Option<Duid<'a>>,
    /// The identity of the server that the client means.
    pub(super) server_id: Option<Duid<'a>>,
    /// Whether a SOLICIT may be answered with the addresses themselves.
    pub(super) rapid_commit: bool,
    /// What the client wants or has, in the order of the message.
    pub(super) associations: Vec<Held>,
    /// The options that the client wants; empty where it does not say.
    wanted: Vec<OptionCode>,
}

/// An identity association of a client.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// Its kind.
    pub(super) kind: AssociationKind,
    /// The client's number for it.
    pub(super) iaid: u32,
    /// The addresses that the client names.
    pub(super) addresses: Vec<Ipv6Addr>,
}

impl<'a> Request<'a> {
    /// Reads a client's message.
    pub(super) fn parse(message: &'a [u8]) -> Result<Self, NoAnswer> {
        let view = Dhcpv6View::parse(message)?;
        let mut associations = Vec::new();
        for association in view.associations() {
            let association = association?;
            let mut addresses = Vec::new();
            for address in association.addresses() {
                addresses.push(address?.address);
            }
            if addresses.len() > MAX_ADDRESSES || associations.len() == MAX_ASSOCIATIONS {
                return Err(NoAnswer::Malformed("identity association"));
            }
            let (kind, iaid) = (association.kind, association.iaid);
            associations.push(Held {
                kind,
                iaid,
                addresses,
            });
        }
        Ok(Self {
            message_type: view.message_type(),
            xid: view.xid(),
            client_id: view.client_id()?,
            server_id: view.server_id()?,
            rapid_commit: view.rapid_commit()?,
            associations,
            wanted: view.option_request()?,
        })
    }

    /// Whether an option is wanted that a client may do without: it names it, or names none.
    pub(super) fn asks_for(&self, code: OptionCode) -> bool {
        self.wanted.is_empty() || self.wanted.contains(&code)
    }
}
