//! Liveness of links: bidirectional forwarding detection (RFC 5880, RFC 5881).
