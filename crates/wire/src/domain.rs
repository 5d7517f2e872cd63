//! Domain names as DHCP options carry them: sequences of labels (RFC 1035 section 3.1).
//!
//! [`put`] never compresses. [`Names`] follows the pointers that DHCPv4 allows (RFC 3397 section 2)
//! and refuses those that DHCPv6 forbids (RFC 8415 section 10).

use alloc::string::String;
use alloc::vec::Vec;

use thiserror::Error;

/// The most octets of an encoded name (RFC 1035 section 2.3.4).
pub const MAX_LEN: usize = 255;
/// The most octets of a label (RFC 1035 section 2.3.4).
pub const MAX_LABEL_LEN: usize = 63;

/// The two bits that make a length octet a pointer (RFC 1035 section 4.1.4).
const POINTER: u8 = 0xc0;

/// Appends the encoded name to `buffer`; a last dot makes no difference.
///
/// # Errors
/// Where the text is not a domain name; nothing was appended then.
pub fn put(name: &str, buffer: &mut Vec<u8>) -> Result<(), DomainError> {
    let start = buffer.len();
    let result = put_labels(name, buffer);
    if result.is_err() {
        buffer.truncate(start);
    }
    result
}

fn put_labels(name: &str, buffer: &mut Vec<u8>) -> Result<(), DomainError> {
    let start = buffer.len();
    for label in name.strip_suffix('.').unwrap_or(name).split('.') {
        if label.is_empty() {
            return Err(DomainError::EmptyLabel);
        }
        if let Some(octet) = label.bytes().find(|octet| !octet.is_ascii_graphic()) {
            return Err(DomainError::Character { octet });
        }
        let len = u8::try_from(label.len())
            .ok()
            .filter(|&len| usize::from(len) <= MAX_LABEL_LEN);
        buffer.push(len.ok_or(DomainError::LongLabel { len: label.len() })?);
        buffer.extend_from_slice(label.as_bytes());
    }
    buffer.push(0);
    let len = buffer.len() - start;
    if len > MAX_LEN {
        Err(DomainError::LongName { len })
    } else {
        Ok(())
    }
}

/// Whether names may end in a pointer to an earlier place of the same option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// They may (DHCPv4).
    Allowed,
    /// They must not (DHCPv6).
    Forbidden,
}

/// The names of an option's value, in order; ends after the first error.
#[derive(Clone, Debug)]
pub struct Names<'a> {
    bytes: &'a [u8],
    at: usize,
    compression: Compression,
}

impl<'a> Names<'a> {
    /// The names in `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8], compression: Compression) -> Self {
        Self {
            bytes,
            at: 0,
            compression,
        }
    }

    /// The name at `self.at`; moves past it.
    fn read(&mut self) -> Result<String, DomainError> {
        let mut name = String::new();
        let mut at = self.at;
        let mut end = None;
        loop {
            let len = *self.bytes.get(at).ok_or(DomainError::Cut { at })?;
            if len & POINTER == POINTER && self.compression == Compression::Allowed {
                let low = *self
                    .bytes
                    .get(at + 1)
                    .ok_or(DomainError::Cut { at: at + 1 })?;
                let target = usize::from(u16::from_be_bytes([len & !POINTER, low]));
                end.get_or_insert(at + 2);
                // Only backwards, so that following ends: "a prior occurrence of the same name".
                at = if target < at {
                    target
                } else {
                    return Err(DomainError::Pointer { at });
                };
                // A label in between could lead back here; the bound on the name ends that.
                continue;
            }
            if len & POINTER != 0 {
                return Err(DomainError::Pointer { at });
            }
            at += 1;
            if len == 0 {
                self.at = end.unwrap_or(at);
                return if name.is_empty() {
                    Err(DomainError::EmptyLabel)
                } else {
                    Ok(name)
                };
            }
            let label = self.bytes.get(at..at + usize::from(len));
            push_label(&mut name, label.ok_or(DomainError::Cut { at })?)?;
            at += usize::from(len);
        }
    }
}

fn push_label(name: &mut String, label: &[u8]) -> Result<(), DomainError> {
    if let Some(&octet) = label.iter().find(|&&o| !o.is_ascii_graphic() || o == b'.') {
        return Err(DomainError::Character { octet });
    }
    if !name.is_empty() {
        name.push('.');
    }
    name.extend(label.iter().copied().map(char::from));
    // Each label's length octet stands for a dot, besides the first's and the root's.
    let len = name.len() + 2;
    if len > MAX_LEN {
        Err(DomainError::LongName { len })
    } else {
        Ok(())
    }
}

impl Iterator for Names<'_> {
    type Item = Result<String, DomainError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let name = self.read();
        if name.is_err() {
            self.at = self.bytes.len();
        }
        Some(name)
    }
}

/// Why something is not a domain name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DomainError {
    /// The name is the root, or two dots stand side by side.
    #[error("domain name has an empty label")]
    EmptyLabel,
    /// A label is too long.
    #[error("domain label has {len} octets, {MAX_LABEL_LEN} are allowed")]
    LongLabel {
        /// Octets of the label.
        len: usize,
    },
    /// The name is too long.
    #[error("domain name has {len} octets, {MAX_LEN} are allowed")]
    LongName {
        /// Octets of the encoded name, as far as it was read.
        len: usize,
    },
    /// An octet that no host name has: a blank, a control, or not ASCII.
    #[error("domain name has octet {octet:#04x}")]
    Character {
        /// The octet.
        octet: u8,
    },
    /// The value ends within a name.
    #[error("domain name is cut at offset {at} of its option")]
    Cut {
        /// Where in the option's value.
        at: usize,
    },
    /// A pointer that is forbidden, of an unknown kind, or does not point backwards.
    #[error("domain name has a bad pointer at offset {at} of its option")]
    Pointer {
        /// Where in the option's value.
        at: usize,
    },
}

#[cfg(test)]
mod tests;
