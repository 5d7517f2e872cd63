//! Checked views and small reprs of every header Rackweave touches.
#![no_std]
#![forbid(unsafe_code)]

pub mod checksum;
