//! vhost-user network devices: the guest's virtio-net rings in memory that its machine shares with this process.
//!
//! A [`Device`] listens at a socket, and a machine (QEMU, or any front end of the protocol) connects there. A thread
//! of the device holds the conversation; each [`VhostQueue`] belongs to a worker, which moves frames without a lock
//! and without a system call but for the guest's interrupts. Whoever comes and goes, the machine or this process, the
//! rings go on where the guest's memory says they are.
//!
//! What a guest says is checked at every step and counted by name ([`Claim`](crate::Claim)): a chain that makes no
//! sense is given back empty, a ring that makes no sense is stopped until its driver resets it. What a machine says
//! wrongly ends its connection. What remains: a machine (not a guest) that makes its interrupt descriptor block again
//! can make the worker that serves it wait.

pub mod driver;

mod chain;
mod control;
mod copy;
mod device;
mod enable;
mod features;
mod memory;
mod queue;
mod ring;
mod sigbus;
mod table;

pub use device::{Device, DeviceError, DeviceSettings, MAX_QUEUES, Status};
pub use features::Features;
pub use queue::VhostQueue;
