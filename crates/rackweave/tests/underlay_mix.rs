//! Large segments and segment sizes over every underlay.

use std::fs;
use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result, ensure};
use rackweave_rig::{Capture, Guest, Lab, Namespace, Transfer, on_each_underlay};

on_each_underlay! {
    large_segments_arrive_large,
    flows_take_both_paths,
    packets_that_are_too_big_are_told,
}

const OCTETS: u64 = 100_000_000;

/// Sends a lot and says how large the receiver's largest frame and the sender's segments were.
fn send(from: &Guest, to: &Guest, addr: IpAddr) -> Result<(u32, u32)> {
    from.wait_for_ping(addr)?;
    let at = SocketAddr::new(addr, 5001);
    let capture = Capture::start(&to.namespace, "eth0", "tcp dst port 5001")?;
    let sent = Transfer::run(&to.namespace, &from.namespace, at, OCTETS)?;
    let largest = capture
        .lengths()?
        .into_iter()
        .max()
        .context("nothing was seen")?;
    Ok((largest, sent.mss()?))
}

fn large_segments_arrive_large(lab: &Lab) -> Result<()> {
    let [test, web, db] = lab.configured(["test", "web", "db"])?;
    // Between two sleds both ways, and between two guests of one sled.
    for (from, to) in [(test, db), (db, test), (web, db)] {
        for (addr, mss) in [(to.v4(), 1448), (to.v6(), 1428)] {
            let (largest, said) = send(from, to, addr)?;
            let whom = format!("{} to {addr}", from.name);
            ensure!(
                largest > 30_000,
                "{whom}: the largest frame has {largest} octets"
            );
            ensure!(said == mss, "{whom}: segments of {said}");
        }
    }
    Ok(())
}

/// Octets sent over a link.
fn sent(namespace: &Namespace, link: &str) -> Result<u64> {
    let said = namespace.enter(|| fs::read_to_string("/proc/thread-self/net/dev"))??;
    let line = said
        .lines()
        .find_map(|line| line.trim().strip_prefix(&format!("{link}:")));
    let column = line.and_then(|line| line.split_whitespace().nth(8));
    Ok(column.context("no such link")?.parse()?)
}

fn flows_take_both_paths(lab: &Lab) -> Result<()> {
    let [test, db] = lab.configured(["test", "db"])?;
    test.wait_for_ping(db.v4())?;
    let node = &lab.site.sleds[0];
    let before = [sent(node, "path0")?, sent(node, "path1")?];
    // Sixteen flows would take one path alone once in 30,000 times.
    for port in 5001..5017 {
        let at = SocketAddr::new(db.v4(), port);
        Transfer::run(&db.namespace, &test.namespace, at, 100_000)?;
    }
    let after = [sent(node, "path0")?, sent(node, "path1")?];
    for (before, after) in before.iter().zip(after) {
        ensure!(after - before > 100_000, "{before} {after}");
    }
    Ok(())
}

fn packets_that_are_too_big_are_told(lab: &Lab) -> Result<()> {
    let [test, db] = lab.configured(["test", "db"])?;
    test.wait_for_ping(db.v4())?;
    // The guest believes in more than its NIC carries.
    test.namespace.ip("link set dev eth0 mtu 3000")?;
    for (addr, fits, header) in [(db.v4(), 1472, "mtu"), (db.v6(), 1452, "mtu")] {
        let addr = addr.to_string();
        let ping = |size: u32| {
            let size = size.to_string();
            test.namespace.run(&[
                "ping", "-M", "do", "-c2", "-i", "0.2", "-W2", "-s", &size, &addr,
            ])
        };
        ensure!(ping(fits)?.success, "{fits} octets fit");
        let too_big = ping(fits + 1)?;
        ensure!(!too_big.success);
        let said = format!("{}{}", too_big.stdout, too_big.stderr).to_lowercase();
        ensure!(said.contains(header) && said.contains("1500"), "{said}");
        test.namespace.run(&["ip", "route", "flush", "cache"])?;
    }
    Ok(())
}
