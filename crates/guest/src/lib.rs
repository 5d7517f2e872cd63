//! The guest's door: TAP devices and vhost-user network devices, with their offloads.
//!
//! A guest's memory and descriptors are claims: what they say is checked here, and a packet is copied once into a
//! buffer that the guest cannot change.
