//! Which ways to the underlay this machine has.

use std::net::Ipv6Addr;

use crate::tap::{self, TapError};
use crate::udp::{self, UdpError};

/// What works, and why the rest does not.
#[derive(Debug)]
pub struct Probe {
    /// The underlay TAP with tunnel segmentation offload, the fastest way.
    pub tunnel_gso: Result<(), TapError>,
    /// UDP sockets that cut and join.
    pub udp_gso: Result<(), UdpError>,
}

/// Tries each way in the namespace of the calling thread, and leaves nothing behind.
#[must_use]
pub fn probe() -> Probe {
    Probe {
        tunnel_gso: tap::supported(),
        udp_gso: udp::supported(Ipv6Addr::UNSPECIFIED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::Netlink;
    use crate::netns::Netns;
    use crate::testing::root;

    #[test]
    fn this_kernel_has_udp_sockets() {
        probe().udp_gso.unwrap();
    }

    #[test]
    fn nothing_is_left_behind() {
        if !root("nothing_is_left_behind") {
            return;
        }
        let netns = Netns::temporary("rwt-probe").unwrap();
        let links = netns.run_in(|| {
            let _found = probe();
            Netlink::open().unwrap().links().unwrap().len()
        });
        assert_eq!(links.unwrap(), 1, "loopback alone");
    }
}
