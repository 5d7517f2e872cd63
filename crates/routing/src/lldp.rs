//! Who is at the other end of a link (IEEE 802.1AB).
