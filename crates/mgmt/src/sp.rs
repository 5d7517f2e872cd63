//! What a gateway and a service processor say to each other: UDP over link-local IPv6, one request, one response.
//!
//! The same code is firmware's and the simulation's: a service processor is a [`Dispatcher`] over handlers of its own.
//!
//! | module | what it is |
//! |---|---|
//! | [`message`] | requests and responses |
//! | [`envelope`] | how they lie in a datagram: version, id, and what proves who sent it |
//! | [`auth`] | keys of service processors, and counters that no replay passes |
//! | [`dispatch`] | the service processor's side |
//! | [`exchange`] | the gateway's side: ids, deadlines, retries |
//! | [`console`] | a serial console that one operator at a time holds |
//! | [`probe`] | frames that prove isolation |
//! | [`update`] | firmware in resumable, verified chunks |

pub mod auth;
pub mod console;
pub mod dispatch;
pub mod envelope;
pub mod exchange;
pub mod message;
pub mod probe;
pub mod update;

pub use auth::{Key, Opener, Sealer};
pub use dispatch::{Dispatcher, Handlers};
pub use exchange::{Exchange, Outcome};
pub use message::{Failure, Request, Response};

/// Where service processors listen.
pub const SP_PORT: u16 = 11_111;
/// Where gateways listen.
pub const MGS_PORT: u16 = 22_222;
/// The greatest datagram: what fits into IPv6's least MTU (RFC 8200, 5).
pub const DATAGRAM_MAX: usize = 1_232;
