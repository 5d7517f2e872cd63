//! Delay and loss, of links and of paths.
