//! The controller's API: what users ask for, what operators run, and what hosts hear and report.
//!
//! All paths begin with [`BASE`]. Users' objects stand under their project, each kind under its parent's name:
//! `/v1/projects/shop/vpcs/prod/subnets/web`. Lists come in pages ([`Page`]), by name. An object's `etag` is its
//! generation: `if-match` makes a change happen only if nobody was faster. `idempotency-key` makes the repetition of a
//! change harmless. Every change has a [`Revision`]; [`RevisionStatus`] says which hosts have it in force.

mod audit;
mod node;
mod object;
mod plan;
mod revision;
pub mod spec;
mod token;

pub use audit::{Action, Actor, AuditEntry};
pub use node::{NodeReport, NodeStatus, NodeUpdate, ObjectError};
pub use object::{Body, Object, Page};
pub use plan::{
    Applied, Declaration, Declared, FieldChange, FlowsTouched, Named, NodePreview, PortFlows,
    Preview, Step,
};
pub use revision::{HostError, Revision, RevisionStatus};
pub use token::{Grant, NewToken, Role, Token, TokenMade};

/// What all paths begin with: the version of the API.
pub const BASE: &str = "/v1";
/// The run directory of the controller.
pub const RUN_DIR: &str = "/run/rackweave/controller";
/// The unix socket of the API in the run directory.
pub const SOCKET: &str = "api.sock";
/// The TCP port on which nodes reach controllers.
pub const NODES_PORT: u16 = 6094;
/// The header field that names the revision of a change.
pub const REVISION: &str = "x-revision";
/// The header field by which a client names a change, so that its repetition has the first one's answer.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
