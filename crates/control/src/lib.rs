//! What users and operators asked for, its rules, and the plan that brings every node to it.
//!
//! An [`Intent`] is all that was asked for. A [`Request`] is decided against it ([`decide`]): what
//! follows is a [`Commit`], the objects that change, or a [`Refusal`] that names the field. A
//! [`Plan`] holds the state of every node that follows from an intent, and goes along with commits:
//! its work grows with the nodes and ports concerned, and what comes out is the same as if
//! everything had been planned anew.
//!
//! Commits are in one order: each holds only where no other came between. So a decision against a
//! snapshot is exact, and nothing here locks, waits or draws: what must be drawn is an argument.
#![forbid(unsafe_code)]

pub mod allocate;
mod batch;
mod change;
mod decide;
pub mod declare;
mod draw;
mod intent;
mod key;
pub mod model;
mod name;
mod plan;
mod refusal;
mod request;
mod resolve;

pub use batch::{Batch, Stopped, decide_all};
pub use change::{Change, Commit};
pub use decide::decide;
pub use draw::Draw;
pub use intent::Intent;
pub use key::{Id, Key, Kind, ParseIdError, ParseKeyError, ParseKindError};
pub use name::{Name, NameError};
pub use plan::{EncodedChange, NodeDelta, Plan, PlanDelta};
pub use refusal::{Problem, ProblemKind, Refusal};
pub use request::{Decision, Request};
