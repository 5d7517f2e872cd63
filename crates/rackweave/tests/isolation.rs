//! Two VPCs whose addresses are the same see nothing of each other.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use rackweave_rig::{Guest, Lab, Server, on_each_underlay};

on_each_underlay! {
    the_same_addresses_mean_other_guests,
    a_forged_source_goes_nowhere,
}

/// A page of whoever holds an address, asked for from a port that both VPCs' guests use at once.
fn page(guest: &Guest, at: SocketAddr) -> Result<String> {
    let url = format!("http://{at}/");
    let words = [
        "curl",
        "-sS",
        "-g",
        "-m",
        "10",
        "--local-port",
        "40000-40010",
        &url,
    ];
    guest.namespace.must(&words)
}

fn the_same_addresses_mean_other_guests(lab: &Lab) -> Result<()> {
    let names = ["test", "web", "db", "test-b", "web-b"];
    let [test, web, db, test_b, web_b] = lab.configured(names)?;
    ensure!(web.addresses == web_b.addresses);
    for addr in web.addresses {
        let at = SocketAddr::new(addr, 80);
        let _a = Server::page(&web.namespace, at, "of A")?;
        let _b = Server::page(&web_b.namespace, at, "of B")?;
        test.wait_for_ping(addr)?;
        test_b.wait_for_ping(addr)?;
        for _ in 0..3 {
            ensure!(page(test, at)? == "of A");
            ensure!(page(test_b, at)? == "of B");
        }
    }
    for addr in db.addresses {
        test.wait_for_ping(addr)?;
        ensure!(!test_b.pings(addr)?, "a guest of A answers B at {addr}");
        ensure!(
            !web_b.pings(addr)?,
            "a guest of A answers B on its own sled"
        );
    }
    Ok(())
}

fn a_forged_source_goes_nowhere(lab: &Lab) -> Result<()> {
    let [test, web] = lab.configured(["test", "web"])?;
    for (forged, addr) in [("10.0.1.77", web.v4()), ("fd12:3456:789a:1::77", web.v6())] {
        test.wait_for_ping(addr)?;
        test.namespace
            .ip(&format!("address add {forged} dev eth0"))?;
        let capture =
            rackweave_rig::Capture::start(&web.namespace, "eth0", &format!("src host {forged}"))?;
        let addr = addr.to_string();
        let ping = ["ping", "-c2", "-i", "0.2", "-W1", "-I", forged, &addr];
        ensure!(!test.namespace.run(&ping)?.success);
        ensure!(capture.lengths()?.is_empty(), "it arrived");
    }
    Ok(())
}
