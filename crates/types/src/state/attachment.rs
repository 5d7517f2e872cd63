//! Where a guest's NIC meets the sled.

use alloc::string::String;
use core::fmt;
use core::num::NonZeroU16;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use super::StateVersion;
use crate::text::serde_as_text;
use crate::{Generation, PortId};

/// The device through which a port's guest sends and receives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Version of the format.
    pub version: StateVersion,
    /// Counts the changes of this object.
    pub generation: Generation,
    /// Whose it is.
    pub port: PortId,
    /// Queue pairs; one where it is not given.
    #[serde(default = "one_queue", skip_serializing_if = "is_one")]
    pub queues: NonZeroU16,
    /// What it is.
    pub device: Device,
}

/// A kind of guest device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Device {
    /// A TAP of the kernel: for containers, and for virtual machines whose monitor opens one.
    Tap(TapDevice),
    /// A virtio-net device served over a vhost-user socket.
    VhostUser(VhostUserDevice),
}

/// A persistent TAP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TapDevice {
    /// The interface's name, in the namespace where it ends up.
    pub name: InterfaceName,
    /// The network namespace it is moved into (a path such as `/run/netns/web`); the sled's own where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netns: Option<String>,
}

/// A vhost-user socket, on which the sled listens and the virtual machine's monitor connects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VhostUserDevice {
    /// Path of the unix socket.
    pub socket: String,
}

const ONE: NonZeroU16 = NonZeroU16::MIN;

const fn one_queue() -> NonZeroU16 {
    ONE
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
const fn is_one(queues: &NonZeroU16) -> bool {
    queues.get() == 1
}

/// Name of a network interface: 1 to 15 octets, none of them a slash, a colon or white space (Linux, `dev_valid_name`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceName(String);

impl InterfaceName {
    /// The most octets (`IFNAMSIZ` less the final zero).
    pub const MAX: usize = 15;

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that names no network interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterfaceNameError;

impl fmt::Display for InterfaceNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an interface name has 1 to 15 octets without slash, colon and white space")
    }
}

impl core::error::Error for InterfaceNameError {}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for InterfaceName {
    type Err = InterfaceNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = (1..=Self::MAX).contains(&text.len()) && text != "." && text != "..";
        let taken = |c: char| c == '/' || c == ':' || c == '\0' || c.is_whitespace();
        if fits && !text.contains(taken) {
            Ok(Self(text.into()))
        } else {
            Err(InterfaceNameError)
        }
    }
}

serde_as_text!(InterfaceName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_refuses_is_refused() {
        for text in ["", ".", "..", "a/b", "a:1", "a b", "0123456789abcdef"] {
            assert_eq!(
                text.parse::<InterfaceName>(),
                Err(InterfaceNameError),
                "{text}"
            );
        }
        assert_eq!(
            "tap-web".parse::<InterfaceName>().unwrap().as_str(),
            "tap-web"
        );
    }
}
