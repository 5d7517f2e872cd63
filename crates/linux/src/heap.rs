//! The heap of the process.

/// What is this large or larger is taken from the kernel by itself, and given back as soon as it is freed: octets.
const OWN_MAPPING: libc::c_int = 128 * 1024;

/// Has large blocks go back to the kernel when they are freed, also after larger ones were.
///
/// By default glibc keeps what it has freed and takes ever larger blocks from there (mallopt(3), `M_MMAP_THRESHOLD`), so
/// that a process which takes and frees tables of megabytes grows by their fragments. Allocation of large blocks costs
/// a system call instead: call it where they are rare. Of no effect with another C library.
#[expect(unsafe_code, reason = "neither std nor nix wraps mallopt(3)")]
pub fn give_large_blocks_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: both arguments are plain numbers; the call changes a setting of the allocator, under its own lock.
    let set = unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, OWN_MAPPING) };
    #[cfg(target_env = "gnu")]
    debug_assert_eq!(set, 1, "128 KiB is a threshold that glibc takes");
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Octets of memory that is the process's own and in use.
    fn resident() -> usize {
        let statm = fs::read_to_string("/proc/self/statm").unwrap();
        let mut pages = statm
            .split(' ')
            .map(|field| field.trim().parse::<usize>().unwrap());
        let (resident, shared) = (pages.nth(1).unwrap(), pages.next().unwrap());
        (resident - shared) * 4096
    }

    #[test]
    fn what_is_freed_is_given_back() {
        const BLOCK: usize = 4 << 20;
        give_large_blocks_back();
        // Would move the threshold to 4 MiB by itself.
        drop(vec![1_u8; BLOCK]);
        let before = resident();
        let blocks: Vec<_> = (0..8)
            .map(|_| (vec![1_u8; BLOCK], vec![1_u8; 64]))
            .collect();
        assert!(resident() >= before + 8 * BLOCK);
        let small: Vec<_> = blocks.into_iter().map(|(_, small)| small).collect();
        assert!(resident() < before + BLOCK, "{small:?}");
    }
}
