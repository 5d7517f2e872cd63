//! What can go wrong with a TAP device.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a TAP device is not there as it should be.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TapError {
    /// The name cannot be a device's.
    #[error("tap device \"{device}\" cannot be named so")]
    Name {
        /// The name.
        device: String,
        /// What is wrong with it.
        source: NameError,
    },
    /// The number of queues is 0, or more than Linux gives one device.
    #[error("a tap device has 1 to 256 queues, {asked} were asked for")]
    Queues {
        /// How many.
        asked: u16,
    },
    /// The namespace cannot be entered.
    #[error(
        "tap {device}: cannot enter network namespace {}; does it exist, and may this process (CAP_SYS_ADMIN)?",
        netns.display()
    )]
    Namespace {
        /// The device.
        device: String,
        /// The namespace.
        netns: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// No thread could enter the namespace.
    #[error("a thread for a network namespace failed")]
    Thread {
        /// The cause.
        source: io::Error,
    },
    /// The kernel's door is closed.
    #[error(
        "tap {device}: cannot open /dev/net/tun; load the module tun or pass the device node into the container"
    )]
    Open {
        /// The device.
        device: String,
        /// The cause.
        source: io::Error,
    },
    /// The process has not the right.
    #[error("tap {device}: making it needs CAP_NET_ADMIN in its namespace")]
    Permission {
        /// The device.
        device: String,
        /// The cause.
        source: io::Error,
    },
    /// Somebody else has the device.
    #[error("tap {device}: another process holds it; stop that one, or use another name")]
    Busy {
        /// The device.
        device: String,
        /// The cause.
        source: io::Error,
    },
    /// A device of that name is of another kind.
    #[error(
        "tap {device}: a device of that name is of another kind or has one queue only; remove it with `ip link del {device}`"
    )]
    Kind {
        /// The device.
        device: String,
        /// The cause.
        source: io::Error,
    },
    /// The kernel refused a step.
    #[error("tap {device}: the kernel refuses to set its {what}")]
    Set {
        /// The device.
        device: String,
        /// What was to be set.
        what: &'static str,
        /// The cause.
        source: io::Error,
    },
}

/// Why a text is no device's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameError {
    /// Empty, or longer than the kernel's field.
    #[error("it has {got} bytes, expected 1 to 15")]
    Length {
        /// Bytes of the name.
        got: usize,
    },
    /// A slash, colon, space, percent sign or NUL, or one of the names that are directories.
    #[error(
        "a slash, colon, space, percent sign or control character is in it, or it is \".\" or \"..\""
    )]
    Character,
}
