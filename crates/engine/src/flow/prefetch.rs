//! Fetching ahead: a batch of packets asks for its memory before it looks at any.

/// Asks for the cache line of `value`; a hint that changes nothing. On processors without one nothing is done.
#[inline(always)]
pub(crate) fn prefetch<T>(value: &T) {
    #[cfg(all(target_arch = "x86_64", target_feature = "sse"))]
    safe_arch::prefetch_t0(value);
    #[cfg(not(all(target_arch = "x86_64", target_feature = "sse")))]
    let _ = value;
}
