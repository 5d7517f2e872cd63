//! How the kernel treats a node and a link of the fabric.

use rackweave_linux::sysctl::{SysctlError, ensure, get};

/// How flows are spread over the paths of a route: by addresses and ports.
const HASH_POLICY: &str = "net/ipv6/fib_multipath_hash_policy";

/// No address of its own making (`IN6_ADDR_GEN_MODE_NONE`), and one of the hardware address (`…_EUI64`).
const NO_ADDRESS: &str = "1";
const OF_HARDWARE: &str = "0";

/// Prepares the namespace of the calling thread. A node that is not to pass on packets is left as it is: others than
/// the fabric may need that it does.
pub(super) fn prepare_node(forwarding: bool) -> Result<(), SysctlError> {
    ensure(HASH_POLICY, "1")?;
    if forwarding {
        ensure("net/ipv6/conf/all/forwarding", "1")?;
    }
    Ok(())
}

/// Prepares a link of it. Whether the kernel asked there, until now, if others have its addresses.
pub(super) fn prepare_link(name: &str, forwarding: bool) -> Result<bool, SysctlError> {
    let setting = |key: &str| format!("net/ipv6/conf/{name}/{key}");
    let asked = get(&setting("accept_dad"))? != "0";
    ensure(&setting("accept_dad"), "0")?;
    ensure(&setting("accept_ra"), "0")?;
    ensure(&setting("accept_redirects"), "0")?;
    ensure(&setting("ignore_routes_with_linkdown"), "1")?;
    if forwarding {
        ensure(&setting("forwarding"), "1")?;
    }
    ensure(&setting("disable_ipv6"), "0")?;
    if get(&setting("addr_gen_mode"))? == NO_ADDRESS {
        ensure(&setting("addr_gen_mode"), OF_HARDWARE)?;
    }
    Ok(asked)
}
