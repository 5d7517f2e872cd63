//! The first line of each side.

use serde::{Deserialize, Serialize};

use super::{ApiError, Code};

/// Who speaks, and which versions of the conversation it understands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The newest version.
    pub version: u16,
    /// The oldest version.
    pub oldest: u16,
    /// What the client wants to talk to, or what the daemon is: `sled`.
    pub service: String,
    /// Name and version of the program, for people.
    pub program: String,
}

impl Hello {
    /// The newest version that this crate understands.
    pub const VERSION: u16 = 1;
    /// The oldest version that this crate understands.
    pub const OLDEST: u16 = 1;

    /// The hello of this release.
    #[must_use]
    pub fn new(service: &str, program: &str) -> Self {
        Self {
            version: Self::VERSION,
            oldest: Self::OLDEST,
            service: service.to_owned(),
            program: program.to_owned(),
        }
    }

    /// The version in which the two go on: the newest that both understand.
    ///
    /// # Errors
    /// Where there is none, or where the other is another service.
    pub fn agree(&self, other: &Self) -> Result<u16, ApiError> {
        if self.service != other.service {
            return Err(ApiError::new(
                Code::WrongService,
                format!("this is the socket of {}", other.service),
            )
            .cause(format!("{} was asked for", self.service))
            .next("name another socket or run directory"));
        }
        let version = self.version.min(other.version);
        if version < self.oldest || version < other.oldest {
            return Err(ApiError::new(
                Code::Version,
                format!(
                    "{} and {} do not understand each other",
                    self.program, other.program
                ),
            )
            .cause(format!(
                "one speaks versions {} to {} of the local protocol, the other {} to {}",
                self.oldest, self.version, other.oldest, other.version
            ))
            .next("use the command of the release that the daemon runs"));
        }
        Ok(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(oldest: u16, version: u16) -> Hello {
        Hello {
            version,
            oldest,
            ..Hello::new("sled", "test")
        }
    }

    #[test]
    fn a_release_apart_agrees_and_further_apart_does_not() {
        let ours = hello(2, 3);
        assert_eq!(ours.agree(&hello(1, 2)), Ok(2));
        assert_eq!(ours.agree(&hello(3, 4)), Ok(3));
        for far in [hello(1, 1), hello(4, 5)] {
            assert_eq!(ours.agree(&far).unwrap_err().code, Code::Version);
        }
    }

    #[test]
    fn another_service_is_not_talked_to() {
        let error = Hello::new("sled", "a").agree(&Hello::new("router", "b"));
        assert_eq!(error.unwrap_err().code, Code::WrongService);
    }
}
