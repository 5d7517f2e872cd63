//! Sessions of the interior protocol, two ends in virtual time.

#[cfg(test)]
mod ends;
#[cfg(test)]
mod handshake;
