//! The way to the customer's routers: Border Gateway Protocol 4 (RFC 4271) for unicast IPv4 and IPv6.
//!
//! [`message`] is what is on the wire, [`policy`] what is let in and out, [`config`] what people say, and [`Speaker`] the
//! machine: it is told what happens ([`Input`]) and says what to do ([`Output`]).
//!
//! What is spoken: multiprotocol (RFC 4760), autonomous system numbers of four octets (RFC 6793), IPv4 by IPv6 next hops
//! (RFC 8950), route refresh (RFC 2918), graceful restart (RFC 4724, 8538), communities (RFC 1997, 8092), revised error
//! handling (RFC 7606), shutdown messages (RFC 9003). No confederations, no route reflection, no second path of a prefix
//! from one peer.

mod as_path;
mod attributes;
mod community;
pub mod config;
mod decision;
mod family;
mod io;
pub mod message;
mod peer;
pub mod policy;
mod session;
mod speaker;
mod table;

pub use as_path::{AsPath, Segment, SegmentKind};
pub use attributes::{Aggregator, Attributes, NextHop, Origin, Unknown};
pub use community::{Community, LargeCommunity, ParseCommunityError};
pub use decision::Step;
pub use family::Family;
pub use io::{ConnId, Happening, Input, Output, ROOM, Target, Told};
pub use peer::{Counters, SessionState};
pub use speaker::{Explained, PeerView, RouteView, Speaker, Standing, TowardsPeer};
pub use table::{PeerId, Source, Way};

/// Where speakers listen (RFC 4271, section 8.2.1.3; TCP).
pub const PORT: u16 = 179;

#[cfg(test)]
mod tests;
