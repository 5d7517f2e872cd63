//! What nodes are called.

/// The longest identity in octets.
const LONGEST: usize = 64;

/// Why a text is nobody's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// It is empty.
    #[error("an identity has at least one character")]
    Empty,
    /// It is too long.
    #[error("an identity has at most {LONGEST} characters, this one {0}")]
    TooLong(usize),
    /// A character cannot be in it.
    #[error(
        "an identity is made of printable ASCII characters and has no space at either end: {0:?}"
    )]
    Character(char),
}

/// Whether a node can be called so: 1 to 64 printable ASCII characters, no space first or last.
///
/// # Errors
/// Where it cannot, and why.
pub fn check_identity(identity: &str) -> Result<(), IdentityError> {
    if identity.is_empty() {
        return Err(IdentityError::Empty);
    }
    if identity.len() > LONGEST {
        return Err(IdentityError::TooLong(identity.len()));
    }
    let strange = |c: &char| !c.is_ascii_graphic() && *c != ' ';
    if let Some(c) = identity.chars().find(strange) {
        return Err(IdentityError::Character(c));
    }
    if identity.trim() == identity {
        Ok(())
    } else {
        Err(IdentityError::Character(' '))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_and_names_are_identities() {
        for good in [
            "sled-1",
            "BRM42220007",
            "/Slot 3/CN0123",
            "02:72:77:00:00:01",
            "x",
        ] {
            assert_eq!(check_identity(good), Ok(()), "{good}");
        }
        assert_eq!(check_identity(""), Err(IdentityError::Empty));
        assert_eq!(
            check_identity(&"x".repeat(65)),
            Err(IdentityError::TooLong(65))
        );
        assert_eq!(check_identity("a\nb"), Err(IdentityError::Character('\n')));
        assert_eq!(check_identity("é"), Err(IdentityError::Character('é')));
        assert_eq!(check_identity(" a"), Err(IdentityError::Character(' ')));
    }
}
