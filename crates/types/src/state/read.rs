//! The two ways to read a state: strictly from a file, leniently from a stream.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Deserializer};

/// Reads an object from a file that people write: a field that is not known is an error.
///
/// # Errors
/// What the deserializer found (with line and column, where it knows them), or every unknown
/// field.
pub fn from_file<'de, T, D>(deserializer: D) -> Result<T, FileError<D::Error>>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    let mut unknown = Vec::new();
    let read = serde_ignored::deserialize(deserializer, |path| unknown.push(path.to_string()));
    let value = read.map_err(FileError::Malformed)?;
    if unknown.is_empty() {
        Ok(value)
    } else {
        Err(FileError::UnknownFields(unknown))
    }
}

/// Reads an object from a stream: fields that a newer sender added are ignored.
///
/// # Errors
/// What the deserializer found.
pub fn from_stream<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    T::deserialize(deserializer)
}

/// Why a file does not hold the object.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileError<E> {
    /// It is not of the object's form.
    Malformed(E),
    /// It has fields that the object does not have; their paths, such as `dhcp.leese`.
    UnknownFields(Vec<String>),
}

impl<E> fmt::Display for FileError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(_) => f.write_str("the file does not hold such an object"),
            Self::UnknownFields(paths) => {
                write!(f, "the file has unknown fields: {}", paths.join(", "))
            }
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for FileError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Malformed(error) => Some(error),
            Self::UnknownFields(_) => None,
        }
    }
}
