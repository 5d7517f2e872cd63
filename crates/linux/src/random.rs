//! Unpredictable octets.

use std::io;

/// Why the kernel gave no random octets.
#[derive(Debug, thiserror::Error)]
#[error("cannot read random octets from the kernel")]
pub struct RandomError(#[source] io::Error);

/// So many octets that nobody can predict, for keys and tokens. Waits, once after boot, until the kernel has gathered
/// entropy.
///
/// # Errors
/// Where the kernel has no `getrandom` or refuses it (a seccomp filter).
pub fn bytes<const N: usize>() -> Result<[u8; N], RandomError> {
    let mut octets = [0; N];
    fill(&mut octets).map_err(RandomError)?;
    Ok(octets)
}

#[expect(unsafe_code, reason = "neither std nor nix wraps getrandom(2)")]
fn fill(mut rest: &mut [u8]) -> io::Result<()> {
    while !rest.is_empty() {
        // SAFETY: the pointer and length are those of a slice borrowed mutably for the length of the call.
        let written = unsafe { libc::getrandom(rest.as_mut_ptr().cast(), rest.len(), 0) };
        if let Ok(written) = usize::try_from(written) {
            rest = &mut rest[written..];
            continue;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_draws_differ() {
        assert_ne!(bytes::<32>().unwrap(), bytes::<32>().unwrap());
        assert_ne!(bytes::<1024>().unwrap()[512..], [0; 512]);
    }
}
