//! Where an API is served, as configurations say it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Listener;
use crate::listen::{ListenError, listen};

/// Where an API is served: `unix:PATH`, or an address with port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Place {
    /// A unix socket.
    Unix(PathBuf),
    /// A TCP address.
    Tcp(SocketAddr),
}

/// A text that names no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither unix:PATH nor ADDRESS:PORT")]
pub struct BadPlace(String);

/// Why an API cannot be served at a place.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// Not over this unix socket.
    #[error(transparent)]
    Unix(#[from] ListenError),
    /// Not at this address.
    #[error("cannot listen on {address}")]
    Tcp {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

impl FromStr for Place {
    type Err = BadPlace;

    fn from_str(text: &str) -> Result<Self, BadPlace> {
        match text.strip_prefix("unix:") {
            Some(path) if !path.is_empty() => Ok(Self::Unix(path.into())),
            _ => match text.parse() {
                Ok(address) => Ok(Self::Tcp(address)),
                Err(_) => Err(BadPlace(text.to_owned())),
            },
        }
    }
}

impl TryFrom<String> for Place {
    type Error = BadPlace;

    fn try_from(text: String) -> Result<Self, BadPlace> {
        text.parse()
    }
}

impl From<Place> for String {
    fn from(place: Place) -> Self {
        place.to_string()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => address.fmt(f),
        }
    }
}

impl Place {
    /// Listens there, in the clear; a unix socket is its group's too.
    ///
    /// # Errors
    /// Where somebody else listens there, or the system refuses.
    pub async fn open(&self, group: Option<&str>) -> Result<Listener, PlaceError> {
        match self {
            Self::Unix(path) => Ok(Listener::Unix(listen(path, group)?)),
            Self::Tcp(address) => Listener::tcp(*address)
                .await
                .map_err(|source| PlaceError::Tcp {
                    address: *address,
                    source,
                }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_they_are_written() {
        for text in ["unix:/run/mgs.sock", "[::1]:12225", "127.0.0.1:80"] {
            assert_eq!(text.parse::<Place>().unwrap().to_string(), text);
        }
        for text in ["", "unix:", "/run/mgs.sock", "localhost:80", "[::1]"] {
            let error = text.parse::<Place>().unwrap_err();
            assert!(error.to_string().contains("neither"), "{text}");
        }
    }
}
