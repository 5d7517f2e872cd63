//! How a node hears what it is to be: from whichever controller answers, over and over.
//!
//! ```text
//! controllers ──stream──► Follow ──apply──► Node          (a sled, a switch, a simulated host)
//!     ▲                     │   ◄─errors───
//!     └──────report─────────┘
//! ```
//!
//! What decides is pure ([`Course`]): whom to ask next and after how long, what to say that one has, whether a change
//! fits. [`Follow`] does it over HTTP. A node that loses all controllers goes on with the state that it has; one that
//! comes back is told what it missed, or all of it where that cannot be told or does not fit.

mod config;
mod course;
mod door;
mod state;

pub use config::{ControllerConfig, ControllersError};
pub use course::{Ask, Change, Course, Misfit};
pub use door::{Follow, FollowStatus, Node, Settings};
pub use state::NodeState;

/// A node's update as its controller sends it.
pub type Update<S> = rackweave_api::control::NodeUpdate<S, rackweave_types::state::StateDelta>;
