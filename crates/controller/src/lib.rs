//! The controller: serves the API, keeps what was asked for, and brings every host to it.
//!
//! | module | what it is |
//! |---|---|
//! | `announce` | the address of the service rack under which hosts find the controller |
//! | `app` | what handlers work with |
//! | `audit` | who changed what |
//! | `auth` | who asks, and what they may do |
//! | `backup` | all of intent in one file |
//! | [`cli`] | the command line |
//! | [`config`] | the configuration |
//! | `declaration` | objects that are declared together |
//! | `http` | the API |
//! | `hub` | what hosts hear of changes, and what they say of them |
//! | `metrics` | what is counted |
//! | `objects` | objects between the API's form and that of intent |
//! | `paths` | where objects stand in the API |
//! | `peers` | several controllers on one store |
//! | `problems` | what is refused, as people read it |
//! | [`run`] | the life of a controller |
//! | `tls` | TLS for users |
//! | `world` | all that was asked for, kept in step with the store |
//!
//! What is decided and planned stands in `rackweave-control`, which is pure; this crate joins it to the store and to
//! those who ask.

#![expect(
    clippy::result_large_err,
    reason = "a request is refused once: what that moves is little beside what it says"
)]

mod announce;
mod app;
mod audit;
mod auth;
mod backup;
pub mod cli;
pub mod config;
mod declaration;
mod http;
mod hub;
mod metrics;
mod objects;
mod paths;
mod peers;
mod problems;
pub mod run;
mod tls;
mod world;
