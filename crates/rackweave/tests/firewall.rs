//! Firewall rules, as a port scanner sees them.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result, ensure};
use rackweave_rig::{Guest, Lab, Server, on_each_underlay};

on_each_underlay! {
    a_scan_sees_what_the_rules_say,
    new_rules_hold_at_once_and_cut_nothing,
}

/// What nmap says of a port: `open`, `closed` (a reset), or `filtered` (silence).
fn scan(guest: &Guest, addr: IpAddr, port: u16) -> Result<String> {
    let (family, addr) = (if addr.is_ipv4() { "-4" } else { "-6" }, addr.to_string());
    let base = [
        "nmap",
        family,
        "-Pn",
        "-n",
        "-sT",
        "--max-retries",
        "1",
        "-oG",
        "-",
    ];
    let what = ["-p", &port.to_string(), &addr];
    let said = guest.namespace.must(&[&base[..], &what].concat())?;
    let (_, after) = said
        .split_once(&format!("Ports: {port}/"))
        .context(said.clone())?;
    Ok(after.split('/').next().unwrap_or_default().to_owned())
}

fn a_scan_sees_what_the_rules_say(lab: &Lab) -> Result<()> {
    let [test, web, db] = lab.configured(["test", "web", "db"])?;
    // `test` is on another sled, `db` on the same one.
    for (client, addr) in [
        (test, web.v4()),
        (test, web.v6()),
        (db, web.v4()),
        (db, web.v6()),
    ] {
        client.wait_for_ping(addr)?;
        let mut servers = Vec::new();
        for port in [80, 81, 8080] {
            servers.push(Server::page(
                &web.namespace,
                SocketAddr::new(addr, port),
                "page",
            )?);
        }
        ensure!(scan(client, addr, 80)? == "open");
        ensure!(
            scan(client, addr, 22)? == "closed",
            "allowed, and nobody listens"
        );
        ensure!(scan(client, addr, 81)? == "closed", "refused by a rule");
        ensure!(
            scan(client, addr, 8080)? == "filtered",
            "allowed by no rule"
        );
        ensure!(servers[1].asked() + servers[2].asked() == 0);
        let url = format!("http://{}/", SocketAddr::new(addr, 80));
        ensure!(
            client
                .namespace
                .must(&["curl", "-sS", "-g", "-m", "10", &url])?
                == "page"
        );
    }
    Ok(())
}

fn new_rules_hold_at_once_and_cut_nothing(lab: &mut Lab) -> Result<()> {
    lab.configured(["test", "web"])?;
    let (test, web) = (lab.guest("test")?, lab.guest("web")?);
    test.wait_for_ping(web.v4())?;
    let talk = rackweave_rig::Conversation::start(
        &web.namespace,
        SocketAddr::new(web.v4(), 80),
        &test.namespace,
        SocketAddr::new(web.v4(), 80),
    )?;
    talk.wait_for(20_000, rackweave_rig::SHORT)?;
    let open = Server::page(&web.namespace, SocketAddr::new(web.v4(), 8080), "page")?;
    ensure!(scan(test, web.v4(), 8080)? == "filtered");

    // The default rules let the VPC in: everything that was closed is open.
    let default = lab.world.member("test")?.port.rule_sets.clone();
    let guarded = lab.world.member("web")?.port.rule_sets.clone();
    lab.world.member_mut("web")?.port.rule_sets = default;
    apply(lab)?;
    let (test, web) = (lab.guest("test")?, lab.guest("web")?);
    ensure!(scan(test, web.v4(), 8080)? == "open");
    ensure!(open.asked() <= 1);
    talk.wait_for(20_000, rackweave_rig::SHORT)?;

    lab.world.member_mut("web")?.port.rule_sets = guarded;
    apply(lab)?;
    let (test, web) = (lab.guest("test")?, lab.guest("web")?);
    ensure!(scan(test, web.v4(), 8080)? == "filtered");
    talk.wait_for(20_000, rackweave_rig::SHORT)?;
    talk.finish()?;
    Ok(())
}

/// Hands the world as it is now to the sled of `web`.
fn apply(lab: &mut Lab) -> Result<()> {
    lab.world.generation += 1;
    let web = lab.world.member_mut("web")?;
    web.port.generation = web.port.generation.next();
    lab.sleds[1].apply(&lab.world.host(1)?)
}
