//! Who asks, and what they may do.
//!
//! People show bearer tokens (RFC 6750); root and the controller's own user on this machine need none over the unix
//! socket. A token's secret is known to its holder alone: the store has its hash (BLAKE3), which is as good as the
//! secret is long, 256 bits that were drawn.

mod caller;
mod secret;
mod tokens;

pub(crate) use caller::Caller;
pub(crate) use secret::{Secret, TokenHash};
pub(crate) use tokens::{PREFIX, Tokens, Unusable, check, is_operator};
