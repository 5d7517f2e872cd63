//! The local socket of a daemon: one form of conversation for every daemon.
//!
//! A unix socket carries lines; each is one JSON value, so that people can talk to a daemon by hand. Both sides begin
//! with a [`Hello`]; then the client asks ([`ToDaemon::Request`]) and the daemon replies, once or, where `more` is set,
//! many times ([`FromDaemon::Reply`]), or says in a typed form why not ([`FromDaemon::Error`]).
//!
//! ```text
//! > {"hello":{"version":1,"oldest":1,"service":"sled","program":"rackweave 0.1.0"}}
//! < {"hello":{"version":1,"oldest":1,"service":"sled","program":"rackweave 0.1.0"}}
//! > {"request":{"id":1,"body":{"ports":{}}}}
//! < {"reply":{"id":1,"body":{"ports":[]}}}
//! ```
//!
//! Both sides ignore fields they do not know, and a daemon says so where it does not know a request: so a client works
//! with a daemon of one release before or after its own.

mod client;
mod error;
mod hello;
mod line;
mod message;

pub use client::{Canceller, Client, ClientError, Replies};
pub use error::{ApiError, Code};
pub use hello::Hello;
pub use line::{LineDecoder, LineTooLong, encode};
pub use message::{Cancel, Failure, FromDaemon, Reply, Request, ToDaemon};

/// The most octets of a line by which a client asks.
pub const REQUEST_MAX: usize = 64 * 1024;
/// The most octets of a line by which a privileged client asks: a whole host state.
pub const LARGE_REQUEST_MAX: usize = 256 * 1024 * 1024;
/// The most octets of a line of a daemon.
pub const REPLY_MAX: usize = 16 * 1024 * 1024;
