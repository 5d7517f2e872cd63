//! Times as the messages carry them.

/// Seconds for which something holds (RFC 4861 section 4.6.2); all ones means for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lifetime(u32);

impl Lifetime {
    /// For ever.
    pub const INFINITE: Self = Self(u32::MAX);
    /// No longer.
    pub const ZERO: Self = Self(0);

    /// This many seconds.
    #[must_use]
    pub const fn from_secs(seconds: u32) -> Self {
        Self(seconds)
    }

    /// The seconds; all ones where it is infinite.
    #[must_use]
    pub const fn as_secs(self) -> u32 {
        self.0
    }
}

/// Seconds for which a router is a default router, none where it is not (RFC 4861 section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouterLifetime(u16);

impl RouterLifetime {
    /// Not a default router.
    pub const ZERO: Self = Self(0);

    /// This many seconds.
    #[must_use]
    pub const fn from_secs(seconds: u16) -> Self {
        Self(seconds)
    }

    /// The seconds.
    #[must_use]
    pub const fn as_secs(self) -> u16 {
        self.0
    }
}

/// Milliseconds, zero where the router says nothing (RFC 4861 section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Milliseconds(u32);

impl Milliseconds {
    /// The router says nothing.
    pub const UNSPECIFIED: Self = Self(0);

    /// This many milliseconds.
    #[must_use]
    pub const fn new(milliseconds: u32) -> Self {
        Self(milliseconds)
    }

    /// The milliseconds.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}
