//! What the sockets lost.

/// Datagrams lost, by reason. What was queued for one segmented send counts as its datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UdpLosses {
    /// Longer than the underlay's path carries; nothing is ever fragmented.
    pub too_long: u64,
    /// No route, or no answer from the next hop.
    pub unreachable: u64,
    /// The socket's buffer or the device's queue was full.
    pub full: u64,
    /// Refused by the kernel for another reason.
    pub refused: u64,
    /// Arrived longer than there is room for.
    pub truncated: u64,
    /// Arrived while the socket's buffer was full.
    pub overflow: u64,
}

impl UdpLosses {
    /// Counts datagrams that the kernel did not take.
    pub(super) fn count(&mut self, error: i32, datagrams: u64) {
        let counter = match error {
            libc::EMSGSIZE => &mut self.too_long,
            libc::ENETUNREACH | libc::EHOSTUNREACH | libc::ENETDOWN | libc::EADDRNOTAVAIL => {
                &mut self.unreachable
            }
            libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM => &mut self.full,
            _ => &mut self.refused,
        };
        *counter += datagrams;
    }
}
