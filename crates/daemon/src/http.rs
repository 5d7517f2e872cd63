//! HTTP APIs of daemons: over TCP, TLS and unix sockets, described by their own handlers.
//!
//! Handlers are axum's, with the extractors of this module; `#[utoipa::path]` on each makes the `OpenAPI` document,
//! so that neither can be without the other. A handler refuses by [`Refused`]; whatever else is refused (a path that is
//! not there, a body of another form, too long or too slow) becomes a problem too. Every answer has a request id.
//!
//! ```text
//! let router = OpenApiRouter::new().routes(routes!(list, create)).with_state(state);
//! let api = Api::new("Management gateway", "What service processors are asked.", router);
//! let server = Server::new(api, Limits::default());
//! server.serve(vec![Listener::Unix(listen(&path, group)?)], until_told_to_end).await;
//! ```

mod document;
mod extract;
mod peer;
mod place;
mod refused;
mod request_id;
mod server;
mod stream;

pub use document::{Api, document_text};
pub use extract::{Json, Path, Query, plain};
pub use peer::{Ending, Peer};
pub use place::{BadPlace, Place, PlaceError};
pub use refused::Refused;
pub use request_id::RequestId;
pub use server::{Limits, Listener, Server};
pub use stream::{Lines, Octets};
