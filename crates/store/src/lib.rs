//! The storage door: versioned keys, compare-and-set of several, scans at a revision, watches from one.
