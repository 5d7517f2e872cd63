//! Sessions of the interior protocol, two ends in virtual time.

#[cfg(test)]
mod codec;
#[cfg(test)]
mod ends;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod handshake;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod security;
