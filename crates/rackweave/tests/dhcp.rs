//! Guests get their addresses from the sled, whatever client they run.

use anyhow::{Result, ensure};
use rackweave_rig::{Lab, on_each_underlay};

on_each_underlay! {
    udhcpc_is_told_all_that_the_port_has,
    dhclient_and_slaac_agree,
}

fn udhcpc_is_told_all_that_the_port_has(lab: &Lab) -> Result<()> {
    let (test, web) = (lab.guest("test")?, lab.guest("web")?);
    for guest in [test, web] {
        guest.up()?;
        let lease = guest.udhcpc()?;
        let said = |key: &str| lease.get(key).map(String::as_str).unwrap_or_default();
        ensure!(said("ip") == guest.v4().to_string(), "{lease:?}");
        ensure!(said("mtu") == "1500", "{lease:?}");
        ensure!(said("hostname") == guest.name, "{lease:?}");
        ensure!(said("domain") == "vpc.internal", "{lease:?}");
        ensure!(said("dns") == guest.resolver().to_string(), "{lease:?}");
        ensure!(
            said("staticroutes").contains("169.254.169.254"),
            "{lease:?}"
        );
        ensure!(guest.pings(guest.gateway())?, "the gateway is silent");
    }
    test.wait_for_ping(web.v4())?;
    web.wait_for_ping(test.v4())
}

fn dhclient_and_slaac_agree(lab: &Lab) -> Result<()> {
    let (test, db) = (lab.guest("test")?, lab.guest("db")?);
    for guest in [test, db] {
        guest.up()?;
    }
    let lease = db.dhclient("-4")?;
    let said = |key: &str| lease.get(key).cloned().unwrap_or_default();
    ensure!(said("new_ip_address") == db.v4().to_string(), "{lease:?}");
    ensure!(said("new_host_name") == "db", "{lease:?}");
    // The address of `test` is the one that the kernel makes itself of what the router says; `db` must ask.
    test.wait_for_address(test.v6())?;
    let lease = db.dhclient("-6")?;
    let own = lease.get("new_ip6_address").cloned().unwrap_or_default();
    ensure!(own == db.v6().to_string(), "{lease:?}");
    test.wait_for_ping(db.v6())?;
    db.wait_for_ping(test.v6())
}
