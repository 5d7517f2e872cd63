//! The controller: serves the API, keeps what was asked for, and brings every host to it.
//!
//! | module | what it is |
//! |---|---|
//! | `app` | what handlers work with |
//! | `audit` | who changed what |
//! | `auth` | who asks, and what they may do |
//! | [`cli`] | the command line |
//! | [`config`] | the configuration |
//! | `http` | the API |
//! | `hub` | what hosts hear of changes, and what they say of them |
//! | `keys` | the controller's own node keys |
//! | `objects` | objects between the API's form and that of intent |
//! | `problems` | what is refused, as people read it |
//! | [`run`] | the life of a controller |
//! | `world` | all that was asked for, kept in step with the store |
//!
//! What is decided and planned stands in `rackweave-control`, which is pure; this crate joins it to the store and to
//! those who ask.

mod app;
mod audit;
mod auth;
pub mod cli;
pub mod config;
mod http;
mod hub;
mod keys;
mod objects;
mod problems;
pub mod run;
mod world;
