//! Sessions of the interior protocol, two ends in virtual time.

#[cfg(test)]
mod codec;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod handshake;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod security;
